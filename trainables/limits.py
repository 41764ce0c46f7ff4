"""What this process may use of its machine, within a container's limits: cores, CPU time, memory and processes.

Read from /proc and /sys/fs/cgroup where there are such files; elsewhere only the machine's own sizes are known.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from architectures.errors import HpsearchError

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
GPU_CONTEXT_BYTES = 900e6  # of GPU memory, which a process takes for its context and cuDNN (benchmarks/README.md)
GPU_LEAST_BYTES = 100e6  # of GPU memory for images and network, without which no worker trains


class UnfitError(HpsearchError):
    """This machine cannot run the requested training, whatever the configuration; one line names it and says why."""


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):  # on Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """CPU time that a container's limit allows, in cores; None without a limit."""
    quotas = [text.split() for text in _limits("cpu", "cpu.max")]
    found = [int(quota) / int(period) for quota, period in quotas if quota != "max"]
    for quota, period in zip(_limits("cpu", "cpu.cfs_quota_us"), _limits("cpu", "cpu.cfs_period_us"), strict=False):
        found += [int(quota) / int(period)] if int(quota) > 0 else []
    return min(found, default=None)


def cores() -> int:
    """Whole cores that this process can keep busy: those it may run on, or fewer where their time is limited."""
    quota = cpu_quota()
    return usable_cores() if quota is None else max(1, min(usable_cores(), int(quota)))


def memory() -> tuple[int, int]:
    """Bytes in all and bytes available, of the machine or of a container with less."""
    total, available = _machine_memory()
    for group in _groups("memory"):
        limit = text_of(group / "memory.max") or text_of(group / "memory.limit_in_bytes")
        if limit.strip() not in ("", "max"):
            total, available = min(total, int(limit)), min(available, int(limit) - _used(group))
    return total, available


def _used(group: Path) -> int:
    """Bytes of memory that a control group uses, without files that stay only while nothing needs the room."""
    used = text_of(group / "memory.current") or text_of(group / "memory.usage_in_bytes")
    sizes = dict(line.split() for line in text_of(group / "memory.stat").splitlines())
    kept = sizes.get("total_inactive_file") or sizes.get("inactive_file")  # the first in version 1, with groups below
    return max(0, int(used or 0) - int(kept or 0))


def _machine_memory() -> tuple[int, int]:
    lines = text_of(PROC / "meminfo").splitlines()
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    if "MemTotal" not in sizes:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return total, total
    return sizes["MemTotal"], sizes.get("MemAvailable", sizes["MemTotal"])


def process_limit() -> int | None:
    """Processes and threads that a container's limit allows; None without a limit."""
    return min((int(text) for text in _limits("pids", "pids.max") if text != "max"), default=None)


def text_of(path: Path) -> str:
    """A file's text; empty if there is no such file, as on systems other than Linux."""
    # A path in it may have any bytes.
    return path.read_text(errors="surrogateescape") if path.exists() else ""


def _limits(controller: str, *names: str) -> list[str]:
    """The contents of all files of these names in this process's control groups and those above, of version 1 and 2."""
    files = [group / name for group in _groups(controller) for name in names]
    return [file.read_text().strip() for file in files if file.is_file()]


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's control groups and those above."""
    for line in text_of(PROC / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", controller) and controller not in controllers.split(","):
            continue
        root = CGROUPS / (controllers or ".")
        # In a container the path is the host's, and the root is the container's own group.
        for group in (root / path.strip("/"), *(root / path.strip("/")).parents):
            if not group.is_relative_to(root):
                break
            yield group
