"""A small search on a few digits, and its undisturbed run."""

from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
import torch

from search.run.problem import Problem
from search.spaces import config_of
from tests.search.run import searches
from trainables.config import Config
from trainables.data.images import Images
from trainables.worker import slot


def small(trial: optuna.Trial) -> Config:
    """Narrow networks with dropout, two optimizers, two batch sizes."""
    trial.suggest_categorical("network", ("cnn5",))
    trial.suggest_categorical("cnn5/width", (0.125, 0.25))
    trial.suggest_float("cnn5/conv_dropout", 0.0, 0.3)
    if trial.suggest_categorical("optimizer", ("sgd", "adam")) == "sgd":
        trial.suggest_float("sgd/lr", 1e-4, 1e-1, log=True)
        trial.suggest_float("sgd/momentum", 0.0, 0.4)
    else:
        trial.suggest_float("adam/lr", 1e-5, 1e-2, log=True)
    trial.suggest_categorical("batch_size", (16, 32))
    trial.suggest_categorical("schedule", ("constant", "cosine"))
    return config_of(trial.params)


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    """A session on the inline engine sets the threads of this process."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """120 digits."""
    return searches.make_images(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def problem(images: Images) -> Problem:
    """Six trials of at most four epochs."""
    return searches.make_problem(small, images)


@pytest.fixture
def checkpoints_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint at every segment's end, whatever it costs."""
    monkeypatch.setattr(slot, "CHECKPOINT_SHARE", 1e9)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, problem: Problem) -> Path:
    """The folder of the small search that nothing disturbs; some of its trials end early, some do not."""
    folder = tmp_path_factory.mktemp("undisturbed") / "search"
    states = [run.state for run in searches.run(folder, problem).record.trials]
    assert states.count("stopped") >= 1
    assert states.count("done") >= 1
    return folder
