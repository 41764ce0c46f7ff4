"""The processes of every Ray on this machine, and the ports on which they listen, read from /proc."""

import ipaddress
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from search.machines import host

_LISTEN = "0A"  # a socket's state in /proc/net/tcp

#: One of these is in the command line of every process that Ray starts.
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
    """A running process."""

    pid: int
    """Its id."""

    program: str
    """The path of its program, or the title that it gave itself."""

    @property
    def is_head(self) -> bool:
        """Whether it is the head of a cluster, to which nodes and drivers connect."""
        return self.program.endswith("/gcs_server")

    @property
    def asks_for_token(self) -> bool | None:
        """Whether it lets in only those who have the token; None for a process of another user."""
        try:
            entries = (host.PROC / str(self.pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return None
        return b"ray_auth_mode=token" in [entry.lower() for entry in entries]


@dataclass(frozen=True)
class Port:
    """A port on which a process listens."""

    address: str
    """The IP address that it is bound to."""

    number: int
    """From 1 to 65535."""

    @property
    def beyond_loopback(self) -> bool:
        """Whether other machines can connect to it, unless a firewall keeps them out."""
        address = ipaddress.ip_address(self.address)
        return not (getattr(address, "ipv4_mapped", None) or address).is_loopback


def find() -> list[Process]:
    """The processes of every Ray on this machine, without those in containers that have their own network."""
    found = []
    for folder in host.PROC.glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended
            continue
        if any(sign in word for word in words[:3] for sign in _RAYS) and _network(folder) in (None, _network("self")):
            found.append(Process(int(folder.name), words[0]))
    return sorted(found, key=lambda process: process.pid)


def is_one_at_work() -> bool:
    """Whether any process started by this one, directly or not, is now running or waiting for a core or a disk.

    True if the system does not tell.
    """
    parents, at_work = {}, set()
    for file in host.PROC.glob("[0-9]*/stat"):
        try:
            rest = file.read_bytes().decode(errors="replace").rpartition(")")[2]  # a name is cut at 15 bytes
        except OSError:  # it has ended
            continue
        state, parent = rest.split()[:2]
        number = int(file.parent.name)
        parents[number] = int(parent)
        if state in "RD":
            at_work.add(number)
    mine = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return not parents or bool(at_work & (mine - {os.getpid()}))


def _network(process: Path | str) -> str | None:
    """The network namespace of a process; None for a process of another user."""
    try:
        return str((host.PROC / process / "ns/net").readlink())
    except OSError:
        return None


def ports(processes: Iterable[Process]) -> list[Port]:
    """The ports on which these processes listen; those of other users' processes are left out."""
    found = set()
    for process in processes:
        folder = host.PROC / str(process.pid)
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
