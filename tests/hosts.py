"""Real hosts on one machine, made of Linux namespaces, to test what only happens between several hosts.

A host has its own process tree, network card, name, home, /tmp and /dev/shm; processors, python and the installed
project are shared. All hosts are connected to one bridge, which is in a namespace too: the machine's own network stays
as it is, and two test runs cannot meet.

A host lives as long as its first process, and that lives as long as a pipe to this process is open. So nothing is left
behind, whatever happens to a test.
"""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HOME = "/tmp/home"  # on every host, where each has a /tmp of its own
PORT = 6379  # of the head's Ray
_PREFIX = "10.77.0."

#: Ray finds a lost node in 8 s here. By default it took 30 s when the processes had died, and 64 s when the network was
#: cut: 5 checks in a row that fail, each of up to 10 s, 3 s apart.
_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1500",
    "RAY_health_check_failure_threshold": "4",
}

# It ignores SIGCHLD, so that the kernel reaps orphans, as a real host's first process does.
_WAIT = "echo ready; exec env --ignore-signal=CHLD cat"


def missing() -> str:
    """Why hosts cannot be made on this machine; empty where they can."""
    if os.geteuid() != 0:
        return "hosts out of network namespaces need root"
    tools = [tool for tool in ("ip", "unshare", "nsenter") if not shutil.which(tool)]
    if tools:
        return f"hosts out of network namespaces need iproute2 and util-linux; missing: {', '.join(tools)}"
    probe = subprocess.run(["unshare", "--net", "--mount", "--uts", "--pid", "--fork", "true"], capture_output=True)
    return f"this machine makes no namespaces: {probe.stderr.decode().strip()}" if probe.returncode else ""


class Host:
    """One host; made by `Network.host`."""

    def __init__(self, name: str, number: int, token: str | None, log: Path) -> None:
        self.name, self.link, self.address, self.log = name, f"port{number}", f"{_PREFIX}{number}", log
        self._namespaces = ("--mount", "--uts", "--net", "--pid")
        flags = (*self._namespaces, "--fork", "--kill-child", "--mount-proc")
        self._unshare, self._files = _first_process(flags, _setup(name)), [log.open("ab")]
        pid = self._unshare.pid
        self.pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())
        self.home = Path(f"/proc/{self.pid}/root{HOME}")  # as seen from outside, while the host lives
        self.home.mkdir(mode=0o700)
        if token is not None:
            (self.home / ".ray").mkdir(mode=0o700)
            file = self.home / ".ray" / "auth_token"
            file.touch(mode=0o600)
            file.write_text(token)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Begin a command in the host's home; what it prints goes to `log`."""
        return subprocess.Popen(
            self._enter(command),
            stdin=subprocess.DEVNULL,
            stdout=self._files[0],
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def run(self, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """A command's end, with its output; after `timeout` seconds it is killed and its code is -9."""
        bounded = ("timeout", "--signal=KILL", str(timeout), *command)
        return subprocess.run(self._enter(bounded), stdin=subprocess.DEVNULL, capture_output=True, text=True)

    def kill(self) -> None:
        """Every process of the host dies at once, and its files with them."""
        if self._unshare.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._unshare.communicate()

    def _enter(self, command: Sequence[str]) -> list[str]:
        paths = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        enter = ["nsenter", f"--target={self.pid}", *self._namespaces, "env", "-i", f"--chdir={HOME}"]
        variables = {"HOME": HOME, "PATH": paths, "LANG": "C.UTF-8", **_ENVIRONMENT}
        return [*enter, *(f"{name}={value}" for name, value in variables.items()), *command]


class Network:
    """Hosts on a bridge; made by `network`."""

    def __init__(self, logs: Path) -> None:
        self.token = secrets.token_hex(32)
        self._logs = logs
        self._hosts: list[Host] = []
        self._switch = _first_process(["--net"], "ip link add switch type bridge; ip link set switch up")

    def host(self, name: str, *, token: str | None = "") -> Host:
        """A new host. token: what its ~/.ray/auth_token holds, by default the network's; None: it has none."""
        number = len(self._hosts) + 1
        host = Host(name, number, self.token if token == "" else token, self._logs / f"{number}-{name}.log")
        self._hosts.append(host)
        self._ip(f"link add {host.link} type veth peer name eth0 netns {host.pid}")
        self._ip(f"link set {host.link} master switch up")
        for command in (f"address add {host.address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            _ip(host.pid, command)
        return host

    def cut(self, host: Host) -> None:
        """Pull the host's cable; its processes live on."""
        self._ip(f"link set {host.link} down")

    def mend(self, host: Host) -> None:
        """Plug the cable in again."""
        self._ip(f"link set {host.link} up")

    def close(self) -> None:
        """End every host, and the bridge."""
        for host in self._hosts:
            host.kill()
        self._switch.communicate()

    def _ip(self, command: str) -> None:
        _ip(self._switch.pid, command)


def start_head(host: Host) -> str:
    """Start a Ray cluster with one slot on this host; the address at which other hosts join."""
    address = f"{host.address}:{PORT}"
    options = (f"--node-ip-address={host.address}", f"--port={PORT}", "--dashboard-host=127.0.0.1")
    _start_ray(host, "--head", *options)
    return address


def start_worker(host: Host, address: str) -> None:
    """Join a cluster with one slot."""
    _start_ray(host, f"--address={address}")


def _start_ray(host: Host, *options: str) -> None:
    ray = host.start("ray", "start", *options, "--num-cpus=1", "--object-store-memory=200000000", "--block")
    deadline = time.time() + 200  # on a machine that does much else
    while "Ray runtime started" not in host.log.read_text():
        if ray.poll() is not None or time.time() > deadline:
            raise RuntimeError(f"Ray did not start on {host.name}: {host.log.read_text()}")
        time.sleep(0.1)


@contextmanager
def network(logs: Path) -> Iterator[Network]:
    """A bridge and its hosts, all gone at the end. logs: a folder for what their commands print."""
    made = Network(logs)
    try:
        yield made
    finally:
        made.close()


def _first_process(flags: Sequence[str], setup: str) -> subprocess.Popen[bytes]:
    """A process in new namespaces that has done `setup` and now waits for the end of its input."""
    process = subprocess.Popen(
        ["unshare", *flags, "sh", "-ec", f"{setup}; {_WAIT}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    if process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"no namespaces with {flags}: exit code {process.wait()}")
    return process


def _setup(name: str) -> str:
    """The host's name and its own /tmp and /dev/shm; a project that lies below /tmp stays visible there."""
    shared = {Path(path) for path in (sys.prefix, sys.base_prefix, Path(__file__).parents[1])}
    below = [path.relative_to("/tmp") for path in shared if path.is_relative_to("/tmp")]
    return "; ".join(
        [
            f"echo {name} > /proc/sys/kernel/hostname",
            "mount -t tmpfs -o mode=1777 tmpfs /dev/shm",
            "mount -t tmpfs -o mode=1777 tmpfs /mnt",
            *(f"mkdir -p '/mnt/{path}'; mount --rbind '/tmp/{path}' '/mnt/{path}'" for path in sorted(below)),
            "mount --move /mnt /tmp",
        ]
    )


def _ip(pid: int, command: str) -> None:
    subprocess.run(["nsenter", f"--target={pid}", "--net", "ip", *command.split()], check=True)
