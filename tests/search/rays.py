"""Nodes of a real Ray for tests: own ports, own folders, a token, and an end that leaves other Rays alone."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

from search.machines import ray_private

RAY = str(Path(sys.executable).with_name("ray"))
ANSWER_SECONDS = 10
START_SECONDS = 200  # on a machine that does much else


@dataclass(frozen=True)
class Head:
    """A cluster's head: its addresses, and the environment of who may connect."""

    port: int
    dashboard: int
    folder: Path
    env: dict[str, str]

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    @property
    def token(self) -> str:
        """The token."""
        return (self.folder / "token").read_text()

    def raylets(self) -> list[str]:
        """The sockets of the nodes that are alive; none while it starts."""
        try:
            return ray_private.raylets(self.address, {"authorization": f"Bearer {self.token}"}, ANSWER_SECONDS)
        except grpc.RpcError:
            return []


@contextmanager
def head(cpus: int = 1, **variables: str) -> Iterator[Head]:
    """A head with one core; variables: more of its environment, PATH for its jobs."""
    folder = Path(tempfile.mkdtemp(prefix="hp-ray-"))  # short: the name of a socket has 107 characters at most
    port, dashboard, client = free_ports(3)
    (folder / "token").touch(mode=0o600)
    (folder / "token").write_text(secrets.token_hex(16))
    env = os.environ | {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(folder / "token"),
        "RAY_USAGE_STATS_ENABLED": "0",
        **variables,
    }
    started = Head(port, dashboard, folder, env)
    options = ["--head", f"--port={port}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    try:
        options += ["--dashboard-host=127.0.0.1", "--dashboard-agent-grpc-port=0"]
        with node(started, *options, count=1, cpus=cpus):
            yield started
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def node(of: Head, *options: str, count: int, cpus: int = 1, **variables: str) -> Iterator[None]:
    """A node with one core, in a folder of its own; returns when the cluster has `count`."""
    folder = Path(tempfile.mkdtemp(prefix="hp-node-"))
    command = [RAY, "start", "--block", *options, f"--num-cpus={cpus}", "--object-store-memory=80000000"]
    command += [f"--temp-dir={folder}", "--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
    process = _start(command, folder, of.env | variables)
    try:
        deadline = time.monotonic() + START_SECONDS
        while len(of.raylets()) < count:
            assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
            if process.poll() is not None:  # Ray gives its own parts 30 s, which a busy machine does not keep
                _end(process)
                process = _start(command, folder, of.env | variables)
            time.sleep(0.1)
        yield
    finally:
        _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def _start(command: list[str], folder: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "log").open("w") as log:
        return subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log, start_new_session=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
