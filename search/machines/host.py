"""What a Linux machine offers a process, read from /proc and /sys: limits, file systems, and who listens."""

import ipaddress
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_LISTEN = "0A"  # a socket's state in /proc/net/tcp

#: What the command line of a process of Ray's holds, in the order of looking.
_RAYS = (
    "ray::",
    "ray-dashboard",
    "ray.util.client",
    "/ray/core/src/ray/",
    "/ray/dashboard/",
    "/ray/_private/",
    "/ray/autoscaler/",
)


@dataclass(frozen=True)
class Process:
    """A process of Ray's that runs here."""

    pid: int
    program: str

    @property
    def is_head(self) -> bool:
        """Whether it is what a cluster's machines and drivers connect to."""
        return self.program.endswith("/gcs_server")

    @property
    def asks_for_token(self) -> bool | None:
        """Whether it lets in only who has the token; None where another user runs it."""
        try:
            entries = (_PROC / str(self.pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return None
        return b"ray_auth_mode=token" in [entry.lower() for entry in entries]


@dataclass(frozen=True)
class Port:
    """A port on which a process waits for connections."""

    address: str
    number: int

    @property
    def beyond_loopback(self) -> bool:
        """Whether other machines reach it, but for a firewall."""
        address = ipaddress.ip_address(self.address)
        return not (getattr(address, "ipv4_mapped", None) or address).is_loopback


def cpu_quota() -> float | None:
    """Cores' worth of time that a container's limit allows; None without one."""
    quotas = [text.split() for text in _limits("cpu", "cpu.max")]
    found = [int(quota) / int(period) for quota, period in quotas if quota != "max"]
    for quota, period in zip(_limits("cpu", "cpu.cfs_quota_us"), _limits("cpu", "cpu.cfs_period_us"), strict=False):
        found += [int(quota) / int(period)] if int(quota) > 0 else []
    return min(found, default=None)


def memory() -> tuple[int, int]:
    """Bytes in all and bytes available, of the machine or of a container with less."""
    lines = (_PROC / "meminfo").read_text().splitlines()
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
    """What files of these names say in this process's control groups and those above, of both versions of them."""
    found = []
    for line in (_PROC / "self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", controller) and controller not in controllers.split(","):
            continue
        root = _CGROUPS / (controllers or ".")
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
    for line in (_PROC / "self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        point = Path(mount.split()[4].encode().decode("unicode_escape"))  # a space is \040
        if place.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, source.split()[0]
    return kind


def shared_memory() -> tuple[int, int]:
    """Bytes of /dev/shm in all and free; none where there is no such folder."""
    if not Path("/dev/shm").is_dir():
        return 0, 0
    usage = shutil.disk_usage("/dev/shm")
    return usage.total, usage.free


def has_matrix_units() -> bool:
    """Whether the processor multiplies matrices of bfloat16 by itself (AMX)."""
    flags = (_PROC / "cpuinfo").read_text().split()
    return "amx_tile" in flags and "amx_bf16" in flags


def ray_processes() -> list[Process]:
    """The processes of every Ray that runs on this machine's network; those in containers have one of their own."""
    found = []
    for folder in _PROC.glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        if any(sign in word for word in words[:3] for sign in _RAYS) and _network(folder) in (None, _network("self")):
            found.append(Process(int(folder.name), words[0]))
    return sorted(found, key=lambda process: process.pid)


def _network(process: Path | str) -> str | None:
    """Which network a process is on; None for another user's."""
    try:
        return str((_PROC / process / "ns/net").readlink())
    except OSError:
        return None


def ports(processes: Iterable[Process]) -> list[Port]:
    """The ports on which these processes wait for connections, as far as this user may look."""
    found = set()
    for process in processes:
        folder = _PROC / str(process.pid)
        try:
            targets = [str(each.readlink()) for each in (folder / "fd").iterdir()]
            tables = (folder / "net/tcp").read_text() + (folder / "net/tcp6").read_text()
        except OSError:  # another user's, or it has ended
            continue
        sockets = {target[8:-1] for target in targets if target.startswith("socket:[")}
        for columns in map(str.split, tables.splitlines()):
            if columns[3] == _LISTEN and columns[9] in sockets:
                address, _, port = columns[1].partition(":")
                found.add(Port(_address(address), int(port, 16)))
    return sorted(found, key=lambda port: (port.number, port.address))


def _address(text: str) -> str:
    """An address from /proc/net/tcp: words of 32 bits in this machine's order."""
    words = (int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(words)))
