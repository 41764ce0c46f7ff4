"""What is read of a machine that has no /proc and no control groups, as outside Linux."""

import os
import re
import subprocess
import sys

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


def test_the_command_starts_where_only_python_and_torch_are():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    assert f"{os.cpu_count()} (" in done.stdout and "slots=1" in done.stdout
    ends = dict(re.findall(r"^(--help|networks|doctor) ended with (\d)$", done.stdout, re.MULTILINE))
    assert (ends["--help"], ends["networks"]) == ("0", "0") and ends["doctor"] in ("0", "1")
