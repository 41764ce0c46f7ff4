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
        timeout=200,
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


@pytest.mark.slow
def test_workers_that_cannot_import_our_code_end_the_session_and_say_what_is_missing(tmp_path):
    home = make_home(tmp_path)
    (home / "lib").mkdir()
    (home / "lib" / "sitecustomize.py").write_text(
        "import sys\n"
        "if b'default_worker' in open('/proc/self/cmdline', 'rb').read(): sys.modules['trainables'] = None\n"
    )
    done = hpsearch(*small_search("amid"), cwd=home, check=False, PYTHONPATH=str(home / "lib"))
    assert done.returncode == 1, done.stderr[-3000:]
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(r"hpsearch: no worker starts here \(.*trainables.*\); hpsearch doctor .*", last), last
    assert "Traceback" not in done.stderr
    assert not (home / "results" / "amid").exists()
