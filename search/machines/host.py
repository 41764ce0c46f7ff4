"""What a Linux machine offers a process, read from /proc and /sys: limits, memory and file systems."""

import os
import shutil
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def cpu_quota() -> float | None:
    """Cores' worth of time that a container's limit allows; None without one."""
    quotas = [text.split() for text in _limits("cpu", "cpu.max")]
    found = [int(quota) / int(period) for quota, period in quotas if quota != "max"]
    for quota, period in zip(_limits("cpu", "cpu.cfs_quota_us"), _limits("cpu", "cpu.cfs_period_us"), strict=False):
        found += [int(quota) / int(period)] if int(quota) > 0 else []
    return min(found, default=None)


def memory() -> tuple[int, int]:
    """Bytes in all and bytes available, of the machine or of a container with less."""
    lines = (PROC / "meminfo").read_text().splitlines()
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
    total, available = sizes["MemTotal"], sizes["MemAvailable"]
    limits = [int(text) for text in _limits("memory", "memory.max", "memory.limit_in_bytes") if text != "max"]
    limit = min(limits, default=total)
    if limit >= total:
        return total, available
    used = [int(text) for text in _limits("memory", "memory.current", "memory.usage_in_bytes")]
    return limit, min(available, limit - min(used, default=0))


def process_limit() -> int | None:
    """Processes and threads that a container's limit allows; None without one."""
    return min((int(text) for text in _limits("pids", "pids.max") if text != "max"), default=None)


def _limits(controller: str, *names: str) -> list[str]:
    """The contents of all files of these names in this process's control groups and those above, of version 1 and 2."""
    found = []
    for line in (PROC / "self/cgroup").read_text().splitlines():
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


def existing(path: Path) -> Path:
    """A folder that is there: the path itself, or the nearest one above it."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.is_dir())


def file_system(path: Path) -> str:
    """The kind of file system that a folder lies on, such as ext4, overlay, nfs4 or tmpfs."""
    place, best, kind = existing(path).resolve(), Path(), "unknown"
    for line in (PROC / "self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        point = Path(mount.split()[4].encode().decode("unicode_escape"))  # a space is \040
        if place.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, source.split()[0]
    return kind


def shared_memory() -> tuple[int, int]:
    """Bytes of /dev/shm in all and free; 0 and 0 without such a folder."""
    if not Path("/dev/shm").is_dir():
        return 0, 0
    usage = shutil.disk_usage("/dev/shm")
    return usage.total, usage.free


def has_matrix_units() -> bool:
    """Whether the processor multiplies matrices of bfloat16 by itself (AMX)."""
    flags = (PROC / "cpuinfo").read_text().split()
    return "amx_tile" in flags and "amx_bf16" in flags
