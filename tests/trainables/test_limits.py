"""What is read of a machine that has no /proc and no control groups, as outside Linux."""

import os
import re
import subprocess
import sys

import pytest

from tests.search.machines.files import write
from trainables import limits

WITHOUT = """
import os, pathlib, sys
del os.sched_getaffinity
from trainables import limits
limits.PROC = limits.CGROUPS = pathlib.Path("/nowhere")
from search.machines import host
host.PROC = pathlib.Path("/nowhere")
from search.machines import machine
from search.run.engines import inline
from search.cli.main import main
print(limits.cores(), limits.memory(), limits.process_limit(), host.file_system(pathlib.Path()), machine.find(1))
for verb in ("--help", "networks", "doctor"):
    sys.argv = ["hpsearch", verb]
    try:
        main()
    except SystemExit as end:
        print(verb, "ended with", end.code)
"""


def test_the_sizes_of_the_machine_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "PROC", tmp_path)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert limits.usable_cores() == limits.cores() == os.cpu_count()
    assert limits.cpu_quota() is limits.process_limit() is None
    total, free = limits.memory()
    assert total == free == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("line", "folder", "limit", "used", "stat"),
    [
        ("0::/a", "a", "memory.max", "memory.current", "anon 1\ninactive_file 2500\nactive_file 200\n"),
        (
            "4:memory:/a",
            "memory/a",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "inactive_file 7\ntotal_inactive_file 2500",
        ),
    ],
)
def test_files_that_a_container_keeps_in_memory_take_no_room(tmp_path, monkeypatch, line, folder, limit, used, stat):
    monkeypatch.setattr(limits, "PROC", tmp_path)
    monkeypatch.setattr(limits, "CGROUPS", tmp_path)
    write(tmp_path / "meminfo", "MemTotal: 16 kB\nMemAvailable: 15 kB\n")
    write(tmp_path / "self/cgroup", f"{line}\n")
    write(tmp_path / folder / limit, "4000\n")
    write(tmp_path / folder / used, "3000\n")
    assert limits.memory() == (4000, 1000)
    write(tmp_path / folder / "memory.stat", stat)
    assert limits.memory() == (4000, 3500)


def test_the_command_starts_where_only_python_and_torch_are():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    assert f"{os.cpu_count()} (" in done.stdout and "slots=1" in done.stdout
    ends = dict(re.findall(r"^(--help|networks|doctor) ended with (\d)$", done.stdout, re.MULTILINE))
    assert (ends["--help"], ends["networks"]) == ("0", "0") and ends["doctor"] in ("0", "1")
