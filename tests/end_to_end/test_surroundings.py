"""The installed command with a real Ray, amid modules and programs that are in its way."""

import os
import re
import subprocess
import sys

import pytest

from tests.end_to_end.commands import COMMAND, hpsearch, loaded, make_home, small_search

#: Starts the command as `uv run` would: below a process of that command line.
RUN = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))\n"


def launch_below_uv(home, **variables):
    return subprocess.run(
        ["uv", "run", COMMAND, *small_search("amid", "--samples", "6", "--parallel", "2")],
        executable=sys.executable,
        cwd=home,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=400,
    )


@pytest.mark.slow
def test_workers_import_what_is_installed_and_a_users_own_network(tmp_path):
    """All at once: modules of known names in the working folder and on PYTHONPATH, below `uv run`."""
    home = make_home(tmp_path)
    (home / "architectures").mkdir()
    (home / "architectures" / "__init__.py").touch()
    for name in ("random", "queue", "torch", "trainables"):
        (home / f"{name}.py").write_text(f"raise SystemExit('{name} of the user')\n")
    (home / "lib").mkdir()
    (home / "lib" / "search.py").write_text("raise SystemExit('search of the user')\n")
    (home / "run").write_text(RUN)
    done = launch_below_uv(home, PYTHONPATH=str(home / "lib"))
    assert done.returncode == 0, done.stderr[-3000:]
    trials = loaded(home, "amid").trials
    assert trials.state.isin(["done", "stopped"]).all()
    assert (trials.attempt == 1).all(), "no worker has died"
    assert "small:linear" in set(trials.network), "a network of the working folder was trained"
    dry = hpsearch(*small_search("dry", "--samples", "2", "--dry-run"), cwd=home)
    assert "epochs" in dry.stdout


def site(folder, code):
    """A folder whose sitecustomize runs code in each worker as it starts."""
    folder.mkdir()
    start = "if b'default_worker' in open('/proc/self/cmdline', 'rb').read():\n"
    (folder / "sitecustomize.py").write_text("import sys, time\n" + start + f"    {code}\n")
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "sys.modules['trainables'] = None",
            r"no worker starts here \(.*cannot import.*'trainables.* in /.*\.py, line",
        ),
        ("time.sleep(1000)", r"no worker has started here, and Ray's processes stand still \("),
    ],
)
def test_workers_that_do_not_start_end_the_session_with_one_line_and_leave_no_search(tmp_path, code, words):
    home = make_home(tmp_path)
    done = hpsearch(*small_search("amid"), cwd=home, check=False, PYTHONPATH=site(home / "lib", code))
    assert done.returncode == 1, done.stderr[-3000:]
    assert re.match(f"hpsearch: {words}", done.stderr.splitlines()[-1]), done.stderr[-3000:]
    assert "Traceback" not in done.stderr + done.stdout
    assert not (home / "results" / "amid").exists()
