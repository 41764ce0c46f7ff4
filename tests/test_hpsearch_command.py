"""What is installed comes before a user's modules, wherever those lie."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import atexit, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import search.cli.main as cli

def work():
    atexit.register(print, "left in order")
    threading.Thread(target=lambda: (time.sleep(0.2), print("thread ended"))).start()
    ThreadPoolExecutor(1).submit(print, "pool worked")  # and never shut down
    sys.modules["torch"] = object()
    sys.stdout.write("written")
    raise SystemExit(3)

cli.main = work
import hpsearch_command
hpsearch_command.main()
"""

COMMAND = str(Path(sys.executable).with_name("hpsearch"))
SHOW_PATH = "import json, os, sys; print(json.dumps([sys.path, os.environ['PYTHONPATH']])); sys.exit(3)\n"


@pytest.fixture
def folder(tmp_path):
    """A folder with modules that have the names of Python's, of a package's and of ours."""
    for name in ("random", "queue", "torch", "click", "search", "trainables"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name} of the user')\n")
    package = tmp_path / "lib" / "architectures"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('architectures of the user')\n")
    return tmp_path


def run(*arguments, cwd, **variables):
    return subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, env=os.environ | variables)


@pytest.mark.parametrize("named", ["", ".", "lib", "lib:.", ":lib"])
def test_modules_on_pythonpath_do_not_replace_installed_ones(folder, named):
    done = run(COMMAND, "networks", "--json", cwd=folder, PYTHONPATH=named)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)


def test_modules_in_the_working_folder_do_not_replace_installed_ones(folder):
    for name in ("search", "trainables"):  # found by the name that -m is given, before any of our code runs
        (folder / f"{name}.py").unlink()
    for command in ([COMMAND], [sys.executable, "-m", "search"]):
        done = run(*command, "spaces", "--json", cwd=folder)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)


def test_a_users_own_space_on_pythonpath_is_found_and_its_folder_comes_last(tmp_path):
    (tmp_path / "mine.py").write_text(SHOW_PATH)
    done = run(COMMAND, "spaces", "mine:space", cwd="/", PYTHONPATH=str(tmp_path))
    assert "SystemExit: 3" in done.stderr
    path, named = json.loads(done.stdout)
    installed = next(place for place in path if place.endswith("site-packages"))
    assert path.index(installed) < path.index(str(tmp_path))
    assert named.split(":").index(installed) < named.split(":").index(str(tmp_path)), "for what is started from here"


@pytest.mark.parametrize("library", ["torch", "pyarrow"])
def test_with_these_it_ends_at_once_with_all_that_python_would_have_ended_and_written(library: str) -> None:
    program = PROGRAM.replace("torch", library)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, "")
    assert "pool worked" in done.stdout and "written" in done.stdout
    assert done.stdout.index("thread ended") < done.stdout.index("left in order")
