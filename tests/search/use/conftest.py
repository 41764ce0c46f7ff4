"""A finished search of handwritten digits with two retrained winners."""

import json

import pytest

from search.history.load import read_search
from search.history.store import Request
from search.run.launch import launch
from search.run.retrain import Again, retrain
from search.run.session import Options

CONFIGS = (
    {"network": {"name": "cnn5", "width": 0.125}, "optimizer": {"name": "adam", "lr": 0.01}},
    {"network": {"name": "resnet9", "width": 0.05}, "optimizer": {"name": "adam", "lr": 0.01}},
)


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("use")
    space = folder / "space.jsonl"
    space.write_text("".join(json.dumps({**each, "training": {"batch_size": 32}}) + "\n" for each in CONFIGS))
    request = Request(
        space=str(space),
        samples=2,
        epochs=1,
        dataset="digits",
        data_dir=str(folder / "data"),
        limit_train=200,
        augment="none",
        scheduler="none",
    )
    search = launch(request, Options(engine="inline"), results=folder, name="digits").search
    retrain(search, Options(engine="inline"), Again(epochs=2), top=2, distinct=False)
    return folder


@pytest.fixture
def found(results):
    return read_search(results, "digits")
