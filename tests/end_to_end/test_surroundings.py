"""The command with a real Ray whose workers do not start."""

import os
import re
import subprocess
import sys

import pytest

from tests.end_to_end.commands import COMMAND, make_home, small_search

#: Takes ten seconds in which nothing happens for a standstill, instead of forty.
IMPATIENT = """
from search.run.engines import starting
from hpsearch_command import main
starting.STILL = 10
main()
"""


def site(folder, code):
    """A folder whose sitecustomize runs code in each worker as it starts."""
    folder.mkdir()
    start = "if b'default_worker' in open('/proc/self/cmdline', 'rb').read():\n"
    (folder / "sitecustomize.py").write_text("import sys, time\n" + start + f"    {code}\n")
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (
            [COMMAND],
            "sys.modules['trainables'] = None",
            r"no worker can start \(.*cannot import.*'trainables.* in /.*\.py, line",
        ),
        (
            [sys.executable, "-c", IMPATIENT],
            "time.sleep(1000)",
            r"no worker has started, and Ray's processes are making no progress \(",
        ),
    ],
)
def test_workers_that_do_not_start_end_the_session_with_one_line_and_leave_no_search(tmp_path, command, code, words):
    home = make_home(tmp_path)
    done = subprocess.run(
        [*command, *small_search("amid")],
        cwd=home,
        env=os.environ | {"PYTHONPATH": site(home / "lib", code)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 1, done.stderr[-3000:]
    assert re.match(f"hpsearch: {words}", done.stderr.splitlines()[-1]), done.stderr[-3000:]
    assert "Traceback" not in done.stderr + done.stdout
    assert not (home / "results" / "amid").exists()
