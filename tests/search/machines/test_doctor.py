"""What the doctor finds, how it judges it, and what it advises."""

import fcntl
import json
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from search.cli.types import Folder
from search.machines import ray_needs, ray_processes, tokens
from search.machines.doctor import access, folders, hardware, packages
from search.machines.row import Row
from tests.search.machines.files import write
from trainables import limits

COMMAND = str(Path(sys.executable).with_name("hpsearch"))


def verdict(rows, check):
    """The worst of a check's rows."""
    found = [row for row in rows if row.check == check]
    assert found, f"no row {check}"
    return max(found, key=lambda row: ("ok", "warning", "problem").index(row.verdict))


def run(*arguments, cwd, **variables):
    return subprocess.run(
        [COMMAND, "doctor", *arguments], cwd=cwd, capture_output=True, text=True, env=os.environ | variables
    )


# ---- the command


def test_the_command_says_what_is_there_and_leaves_nothing(tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run("--json", "--data-dir", "data", cwd=tmp_path, HOME=str(tmp_path))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    rows = json.loads(done.stdout)
    assert {"Python", "packages", "cores", "memory", "shared memory", "GPUs", "precision", "limits", "threads"} < {
        row["check"] for row in rows
    }
    assert {"results", "data", "datasets", "Ray here", "token"} < {row["check"] for row in rows}
    assert all(set(row) == {"check", "found", "verdict", "advice"} for row in rows)
    assert all(row["advice"] for row in rows if row["verdict"] != "ok")
    assert done.returncode == any(row["verdict"] == "problem" for row in rows)
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10, "it takes about two seconds"


def test_a_problem_is_exit_code_1_and_a_wrong_request_2(tmp_path):
    bad = run(cwd=tmp_path, RAY_AUTH_TOKEN_PATH=str(tmp_path / "none"))
    assert bad.returncode == 1 and "problem" in bad.stdout
    wrong = run("--address", "ray://head:10001", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("hpsearch: --address is HOST:PORT") and wrong.stderr.count("\n") == 1


# ---- the machine


def test_an_old_and_a_missing_package_say_what_to_install(monkeypatch):
    monkeypatch.setattr(
        packages, "requires", lambda _: ["numpy>=999", "no-such-package>=1", "click>=8", 'x>1; extra == "dev"']
    )
    rows = packages.packages()
    assert verdict(rows, "numpy").advice == ">=999 is needed: pip install 'numpy>=999'"
    assert verdict(rows, "no-such-package").found == "missing"
    assert {row.check for row in rows} == {"Python", "numpy", "no-such-package"}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A /proc and a /sys/fs/cgroup to write files into, of a machine with 16 GB and no limits."""
    monkeypatch.setattr(limits, "PROC", tmp_path / "proc")
    monkeypatch.setattr(limits, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(limits, "usable_cores", lambda: 8)
    write(tmp_path / "proc/meminfo", "MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable: 15000000 kB\n")
    write(tmp_path / "proc/self/cgroup", "0::/\n")
    return tmp_path


def test_a_machine_without_limits(machine):
    assert hardware.cores().verdict == "ok"
    assert ray_needs.memory() == Row("memory", "15.4 GB free of 16.4 GB")


@pytest.mark.parametrize("group", ["cgroup", "cgroup/a", "cgroup/a/b"])
def test_a_containers_limits_hold_wherever_they_were_set(machine, group):
    write(machine / "proc/self/cgroup", "0::/a/b\n")
    write(machine / "cgroup/a/b/cpu.max", "max 100000\n")
    write(machine / group / "cpu.max", "150000 100000\n")
    write(machine / group / "memory.max", "6000000000\n")
    write(machine / group / "memory.current", "1000000000\n")
    assert hardware.cores() == Row(
        "cores",
        f"8 of {os.cpu_count()}, with the time of 1.5; 1 trial at a time by default",
    )
    assert ray_needs.memory() == Row("memory", "5.0 GB free of 6.0 GB")
    write(machine / group / "cpu.max", "max 100000\n")
    assert ray_needs.memory() == Row(
        "memory", "5.0 GB free of 6.0 GB", "warning", "a trial takes about 1.1 GB: --parallel 3"
    )


def test_limits_of_the_older_control_groups(machine):
    write(machine / "proc/self/cgroup", "4:memory:/x\n2:cpu,cpuacct:/x\n1:pids:/x\n0::/\n")
    write(machine / "cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "200000\n")
    write(machine / "cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n")
    write(machine / "cgroup/memory/x/memory.limit_in_bytes", "1500000000\n")
    write(machine / "cgroup/pids/x/pids.max", "512\n")
    assert limits.cpu_quota() == 2
    assert ray_needs.memory().verdict == "problem"
    assert "--pids-limit" in ray_needs.limits().advice


def test_threads_that_are_bound_to_cores_are_a_warning(monkeypatch):
    for name in (*hardware.THREADS, *hardware.BINDINGS):
        monkeypatch.delenv(name, raising=False)
    assert hardware.threads().verdict == "ok"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert hardware.threads() == Row("threads", "OMP_NUM_THREADS=1")
    monkeypatch.setenv("OMP_PROC_BIND", "close")
    assert hardware.threads().advice == "all workers may share one core: unset OMP_PROC_BIND"
    monkeypatch.setenv("OMP_PROC_BIND", "false")
    assert hardware.threads().verdict == "ok"


def test_a_gpu_that_the_driver_lists_and_torch_does_not_see(tmp_path, monkeypatch):
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\necho NVIDIA H100, 81559 MiB, 535.1\n")
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    row = verdict(hardware.gpus(), "GPUs")
    assert row.verdict == "problem" and "H100" in row.found and "torch" in row.advice
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES" in verdict(hardware.gpus(), "GPUs").advice


def test_a_driver_that_is_too_old_for_torch_is_named_in_one_line(monkeypatch):
    def too_old(_):
        raise RuntimeError("The NVIDIA driver on your system is too old\n(found version 12020).")

    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_properties", too_old)
    monkeypatch.setattr("pathlib.Path.glob", lambda *_: iter(["/dev/nvidia0"]))
    row = verdict(hardware.gpus(), "GPUs")
    assert row.verdict == "problem" and "update the driver" in row.advice
    assert "torch cannot use them: The NVIDIA driver on your system is too old (found" in row.found


# ---- folders


def test_a_folder_that_works(tmp_path):
    (row,) = ray_needs.folder("results", tmp_path / "not" / "yet")
    assert row.verdict in ("ok", "warning") and "free" in row.found and "not there yet" in row.found
    assert list(tmp_path.iterdir()) == []


def test_a_folder_on_a_file_system_without_room(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_needs, "NO_DISK", 1e18)
    assert verdict(list(ray_needs.folder("results", tmp_path)), "results").verdict == "problem"


def test_a_folder_in_memory_goes_with_the_machines_next_start():
    row = verdict(list(ray_needs.folder("results", Path("/dev/shm"))), "results")
    assert "tmpfs" in row.found and row.verdict != "ok"


def test_a_folder_that_cannot_be_written(monkeypatch):
    for size in ("NO_DISK", "LITTLE_DISK"):  # there is none in /proc
        monkeypatch.setattr(ray_needs, size, 0)
    row = verdict(list(ray_needs.folder("data", Path("/proc/self"))), "data")
    assert row.verdict == "problem" and "cannot be written" in row.found


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    row = verdict(list(ray_needs.folder("results", tmp_path)), "results")
    assert row.verdict == "problem" and "no file locks" in row.found, "a launch would be refused"
    row = verdict(list(ray_needs.folder("data", tmp_path, locks=False)), "data")
    assert "no file locks" not in row.found


def test_datasets_that_are_decoded(tmp_path):
    assert folders.datasets(tmp_path).found == "none decoded yet; the first launch does it"
    write(tmp_path / "cache" / "cifar100-coarse-train-full-0123.json", "{}")
    write(tmp_path / "cache" / "digits-train-16-0123.json", "{}")
    assert folders.datasets(tmp_path).found == "decoded: cifar100-coarse, digits"


def test_sockets_have_short_paths(tmp_path, monkeypatch):
    for variable in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(variable, raising=False)
    assert "/tmp/ray" in verdict(list(ray_needs.ray_files()), "Ray's files").found
    monkeypatch.setenv("TMPDIR", str(tmp_path / ("x" * 40)))
    row = verdict(list(ray_needs.ray_files()), "Ray's files")
    assert row.verdict == "problem" and "RAY_TMPDIR=/tmp" in row.advice
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    assert verdict(list(ray_needs.ray_files()), "Ray's files").verdict != "problem"


def test_a_limit_on_address_space_is_a_problem():
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**33, 2**33))\n"
        "from search.machines import ray_needs; print(ray_needs.limits())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "8.6 GB of address space" in done.stdout and "ulimit -v unlimited" in done.stdout


def test_a_start_that_failed_names_a_limit_that_may_be_why(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "from search.machines import ray_needs; print(ray_needs.in_the_way())"
    )
    variables = os.environ | {"HOME": str(tmp_path), "RAY_TMPDIR": "/tmp"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=variables)
    assert done.stdout.startswith("limits: 256 files") and "Ray wants 4096 open files" in done.stdout


# ---- network access


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's home folder without a token."""
    for variable in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_the_token_and_who_may_read_it(home, monkeypatch):
    assert ray_needs.token().found == "none yet; the first launch makes one"
    file = home / ".ray" / "auth_token"
    write(file, "secret\n")
    file.chmod(0o644)
    assert ray_needs.token() == Row("token", f"{file} has mode 644", "problem", f"others may read it: chmod 600 {file}")
    file.chmod(0o600)
    assert ray_needs.token() == Row("token", f"{file}, mode 600")
    file.write_text(" \n")
    assert ray_needs.token().verdict == "problem"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "none"))
    assert (ray_needs.token().verdict, ray_needs.token().advice) == ("problem", tokens.REMEDY)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    assert ray_needs.token() == Row("token", "in the variable RAY_AUTH_TOKEN")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert ray_needs.token().verdict == "warning"


def test_a_user_without_a_home_folder_is_told_so(home, monkeypatch):
    def unknown(_):
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", unknown)
    row = ray_needs.token()
    assert (row.verdict, row.found) == ("problem", "there is no home folder") and "set HOME" in row.advice
    assert "there is no home folder" in ray_needs.in_the_way(), "and so does a start that failed"
    with pytest.raises(click.BadParameter, match="set HOME, or give another folder"):
        Folder().convert("~/.cache/hpsearch", None, None)


LISTEN = """
import socket, sys, time
server = socket.create_server((sys.argv[1], 0), family=int(sys.argv[2]))
print(server.getsockname()[1], flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("mode", "expected"), [("token", "ok"), ("disabled", "problem")])
@pytest.mark.parametrize(("address", "beyond"), [("127.0.0.1", False), ("0.0.0.0", True), ("::1", False), ("::", True)])
def test_ports_beyond_loopback_want_a_token(tmp_path, monkeypatch, mode, expected, address, beyond):
    """A process that has the name of Ray's head and one port."""
    program = tmp_path / "ray" / "core" / "src" / "ray" / "gcs" / "gcs_server"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if ":" in address and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    started = subprocess.Popen(
        [str(program), "-c", LISTEN, address, str(int(family))],
        executable=sys.executable,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"RAY_AUTH_MODE": mode},
    )
    try:
        port = int(started.stdout.readline())
        monkeypatch.setattr(
            ray_processes, "find", lambda found=ray_processes.find: [p for p in found() if p.pid == started.pid]
        )
        rows = access.rays()
    finally:
        started.kill()
        started.wait()
    assert f"(port {port})" in verdict(rows, "Ray here").found
    row = verdict(rows, "network access")
    assert row.verdict == (expected if beyond else "ok")
    assert (str(port) in row.found) == beyond


# ---- storage


def test_a_storage_is_tried_and_left_as_it_was(tmp_path):
    row = folders.round_trip(str(tmp_path))
    assert row.verdict == "ok" and row.found.endswith(" ms")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("storage", ["bogus://bucket/path", "/proc/self/searches"])
def test_a_storage_that_cannot_be_used(storage):
    row = folders.round_trip(storage)
    assert row.verdict == "problem" and "\n" not in row.found


def test_credentials_in_an_address_are_not_shown():
    row = folders.round_trip("bogus://name:secret@bucket/path")
    assert row.verdict == "problem" and "secret" not in row.found
