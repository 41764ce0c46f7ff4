"""The installed command on small searches of the digits, with a user's own space and network."""

import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import search
from search.history import ledger
from tests.chaos.warm import Warm

COMMAND = str(Path(sys.executable).with_name("hpsearch"))
INLINE = ("--engine", "inline")
#: One thread trains these networks as fast as two.
LAUNCH_INLINE = (*INLINE, "--threads", "1")
SPACE = """
from torch import nn
from search.spaces import config_of

def linear(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], num_classes))

def space(trial):
    if trial.suggest_categorical("network", ("cnn5", "small:linear")) == "cnn5":
        trial.suggest_categorical("cnn5/width", (0.25, 0.5))
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_float("sgd/lr", 1e-4, 1e-1, log=True)
    trial.suggest_float("sgd/momentum", 0.0, 0.4)
    trial.suggest_categorical("batch_size", (16, 32))
    return config_of(trial.params)
"""


def hpsearch(*arguments, cwd, check=True, **variables):
    env = os.environ | variables
    return subprocess.run(
        [COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=check, timeout=240, env=env
    )


@cache
def warm():
    """The process that `forked` forks from; it ends with this one."""
    return Warm(dict(os.environ))


def forked(*arguments, cwd, check=True, **variables):
    """The command as `hpsearch` calls it, in a process that has its modules already; not for a search with Ray."""
    words = [str(each) for each in arguments]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        code, _ = warm().call(words, cwd, os.environ | variables, out, err, 240)
        done = subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())
    if check and code:
        raise AssertionError(f"exit code {code} of hpsearch {' '.join(words)}: {done.stderr[-3000:]}")
    return done


def small_search(name, *more):
    return (
        *("launch", "--dataset", "digits", "--data-dir", "data", "--limit-train", "300", "--space", "small:space"),
        *("--samples", "8", "--epochs", "4", "--seed", "3", "--name", name, *more),
    )


def make_home(folder):
    """A folder in which the space and the network can be imported, also by this process."""
    (folder / "small.py").write_text(SPACE)
    sys.path.append(str(folder))  # load_network rebuilds a user's own network by running its code
    return folder


def loaded(home, name):
    return search.load(name, results=str(home / "results"))


def wait_for(condition, seconds=120):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "it did not happen in time"
        time.sleep(0.05)


def measured(path):
    return sum(e["event"] == "measured" for e in ledger.read(path)) if path.exists() else 0


def start(home, *arguments, **variables):
    log = (home / "log.txt").open("w")
    env = os.environ | variables
    return subprocess.Popen([COMMAND, *arguments], cwd=home, env=env, stderr=log, stdout=log, start_new_session=True)
