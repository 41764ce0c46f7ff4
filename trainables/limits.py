"""What this process may use of its machine, within a container's limits: cores, CPU time, memory and processes.

Read from /proc and /sys/fs/cgroup where there are such files; elsewhere only the machine's own sizes are known.
"""

import os
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
GPU_CONTEXT_BYTES = 900e6  # of GPU memory, which a process takes for its context and cuDNN (benchmarks/README.md)


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
    limits = [int(text) for text in _limits("memory", "memory.max", "memory.limit_in_bytes") if text != "max"]
    limit = min(limits, default=total)
    if limit >= total:
        return total, available
    used = [int(text) for text in _limits("memory", "memory.current", "memory.usage_in_bytes")]
    return limit, min(available, limit - min(used, default=0))


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
    return path.read_text() if path.exists() else ""


def _limits(controller: str, *names: str) -> list[str]:
    """The contents of all files of these names in this process's control groups and those above, of version 1 and 2."""
    found = []
    for line in text_of(PROC / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", controller) and controller not in controllers.split(","):
            continue
        root = CGROUPS / (controllers or ".")
        # In a container the path is the host's, and the root is the container's own group.
        for group in (root / path.strip("/"), *(root / path.strip("/")).parents):
            if not group.is_relative_to(root):
                break
            found += [(group / name).read_text().strip() for name in names if (group / name).is_file()]
    return found
