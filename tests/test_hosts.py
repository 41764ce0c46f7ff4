"""Hosts out of namespaces are what they stand for."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hosts import missing, network

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


def namespace(host):
    return Path(f"/proc/{host.pid}/ns/net").stat().st_ino


def is_there(namespace):
    return subprocess.run(["lsns", str(namespace)], capture_output=True).returncode == 0


def reach(host, other, seconds=2):
    code = f"import socket; socket.create_connection(({other.address!r}, 8000), timeout={seconds}).close()"
    return host.run("python", "-c", code).returncode == 0


@pytest.fixture
def net(tmp_path):
    with network(tmp_path) as made:
        yield made


def serve(host):
    host.start("python", "-m", "http.server", "8000", "--bind", host.address)
    deadline = time.time() + 10
    while not reach(host, host):
        assert time.time() < deadline, host.log.read_text()
        time.sleep(0.05)


def test_a_host_has_a_name_an_address_processes_and_files_of_its_own(net):
    first, second = net.host("first"), net.host("second")
    assert first.run("uname", "-n").stdout.strip() == "first"
    assert second.run("cat", "/proc/sys/kernel/hostname").stdout.strip() == "second"
    assert first.address in first.run("ip", "address").stdout
    assert first.address not in second.run("ip", "address").stdout
    for folder in ("/tmp", "/dev/shm", "."):
        first.run("touch", f"{folder}/mine")
        assert "mine" in first.run("ls", folder).stdout
        assert "mine" not in second.run("ls", folder).stdout
        assert not (Path(folder) / "mine").exists()
    assert (first.home / "mine").exists(), "a test reads a host's files from outside"
    assert len(first.run("ps", "-e", "--no-headers").stdout.splitlines()) <= 4


def test_python_and_the_project_are_the_test_s_own(net):
    shown = net.host("first").run("python", "-c", "import search, sys; print(sys.prefix, search.__file__)")
    assert shown.stdout.split() == [sys.prefix, str(Path(__file__).parents[1] / "search" / "__init__.py")]


def test_each_host_has_its_own_copy_of_the_token_for_its_user_alone(net):
    first, second, stranger = net.host("first"), net.host("second"), net.host("stranger", token=None)
    for host in (first, second):
        token = host.home / ".ray" / "auth_token"
        assert (token.read_text(), token.stat().st_mode & 0o777) == (net.token, 0o600)
    assert not (stranger.home / ".ray").exists()


def test_a_cut_network_parts_living_hosts_until_it_is_mended(net):
    first, second = net.host("first"), net.host("second")
    serve(first)
    assert reach(second, first)
    net.cut(second)
    assert not reach(second, first, 0.5)
    assert reach(first, first)
    net.mend(second)
    assert reach(second, first)


def test_a_killed_host_is_gone_with_all_its_processes_and_the_others_live(net):
    first, second = net.host("first"), net.host("second")
    served = first.start("python", "-m", "http.server", "8000")
    serve(second)
    first.kill()
    assert served.wait(timeout=5)
    assert not first.home.exists()
    assert reach(second, second)
    assert reach(net.host("third"), second)


def test_a_command_is_bounded_in_time(net):
    began = time.monotonic()
    assert net.host("first").run("sleep", "30", timeout=0.5).returncode == -signal.SIGKILL
    assert time.monotonic() - began < 5


def test_nothing_is_left_when_a_test_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), network(tmp_path) as net:
        host = net.host("first")
        host.start("sleep", "1000")
        left = namespace(host)
        assert is_there(left)
        raise ZeroDivisionError
    assert not is_there(left)


def test_nothing_is_left_when_the_process_of_a_test_is_killed(tmp_path):
    code = (
        "import os, pathlib, sys; from tests.hosts import network\n"
        "with network(pathlib.Path(sys.argv[1])) as net:\n"
        "    host = net.host('first')\n"
        "    host.start('sleep', '1000')\n"
        "    print(os.stat(f'/proc/{host.pid}/ns/net').st_ino, flush=True)\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    killed = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL
    deadline = time.time() + 5
    while is_there(int(killed.stdout)):
        assert time.time() < deadline
        time.sleep(0.02)
