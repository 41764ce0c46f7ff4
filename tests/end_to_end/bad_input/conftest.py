"""A place for wrong requests, and the command in this process."""

import re
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from search.cli import main
from search.history import store
from search.history.events import Asked, Closed, Opened
from search.history.ledger import Ledger
from tests.end_to_end.bad_input.cases import GOOD, Refused, Run, make_search

OWN = """
import torch
from torch import nn
from search.spaces import config_of
from trainables.config import Config, NetworkConfig, OptimizerConfig

NUMBER = 3

def raises(*_):
    raise RuntimeError("first line\\nsecond line")

def nothing(*_):
    return None

def a_dict(*_):
    return {"network": "cnn6"}

def space_of(network, optimizer="sgd", lr=0.1, **training):
    def function(trial):
        trial.suggest_categorical("network", (network,))
        trial.suggest_categorical("optimizer", (optimizer,))
        trial.suggest_categorical(f"{optimizer}/lr", (lr,))
        for key, value in training.items():
            trial.suggest_categorical(key, (value,))
        return config_of(trial.params)
    return function

unknown_network = space_of("cnn9")
unknown_optimizer = space_of("cnn5", "nosuch")
unknown_name = space_of("cnn5", momentum=0.9)
unknown_hyperparameter = space_of("cnn5", **{"cnn5/depth": 3})
nameless = space_of(None)
raising_network = space_of("own:raises")
no_rate = lambda trial: config_of({"network": "cnn5", "optimizer": "sgd"})
no_draw = lambda trial: trial.suggest_categorical("network", ())
no_json = lambda trial: Config(NetworkConfig("cnn5", {"width": {1}}), OptimizerConfig("sgd", 0.1))

def hungry(depth):
    return nn.Identity()

def misfit(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(7, num_classes))

def short():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))

def flat(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1] * input_shape[2], num_classes))
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with a user's module; a search that would begin fails the test."""

    def begin(*_: Any) -> None:
        raise AssertionError("a wrong request has begun a search")

    monkeypatch.setattr("search.machines.local_ray.start", begin)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for module in ("own", "broken", "exits", "syntax", "lists"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    Path("own.py").write_text(OWN)
    Path("broken.py").write_text("1 / 0\n")
    Path("exits.py").write_text("raise SystemExit(0)\n")
    Path("syntax.py").write_text("def space(\n")
    return tmp_path


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the digits are cached, once for all cases."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hpsearch", *map(str, arguments)])
        with warnings.catch_warnings(record=True) as caught, pytest.raises(SystemExit) as end:
            warnings.simplefilter("always", UserWarning)
            main.main()
        assert [str(w.message) for w in caught if issubclass(w.category, UserWarning)] == []
        out, err = capsys.readouterr()
        return end.value.code, out, err  # type: ignore[return-value]

    return call


@pytest.fixture
def refused(run: Run) -> Refused:
    """Hold the rule, and give the line to look at what it says."""

    def call(*arguments: object) -> str:
        before = sorted(Path("results").rglob("*")) if Path("results").is_dir() else Path("results").exists()
        code, out, err = run(*arguments)
        after = sorted(Path("results").rglob("*")) if Path("results").is_dir() else Path("results").exists()
        assert (code, out, before) == (2, "", after), err
        assert re.fullmatch(r"hpsearch: \S[^\n]*\n", err), err
        return err

    return call


@pytest.fixture
def launch(refused: Refused, data_dir: Path) -> Refused:
    """A launch on digits that is refused."""

    def call(*arguments: object) -> str:
        dataset = () if "--dataset" in arguments else ("--dataset", "digits")
        return refused("launch", "--data-dir", data_dir, *dataset, *arguments)

    return call


@pytest.fixture
def mine(data_dir: Path) -> store.Search:
    """A search in which one trial was asked for and nothing more."""
    search = make_search(data_dir)
    config = GOOD | {"training": {"batch_size": 32, "epochs": 4}}
    with Ledger(search.ledger) as book:
        book.append(Opened(samples=8, slots=2))
        book.append(
            Asked(
                trial=0, repeat=0, config=config, params={}, distributions={}, redrawn=0, parameters=1, flops=1, seed=1
            )
        )
        book.append(Closed(reason="interrupted"))
    return search
