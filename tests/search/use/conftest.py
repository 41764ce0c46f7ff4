"""A finished search of handwritten digits with two retrained winners."""

import pytest

from search.history.load import read_search
from search.run.launch import launch
from search.run.retrain import Again, retrain
from search.run.session import Options
from tests.search.run import searches

CONFIGS = (
    {"network": {"name": "cnn5", "width": 0.125}, "optimizer": {"name": "adam", "lr": 0.01}},
    {"network": {"name": "resnet9", "width": 0.05}, "optimizer": {"name": "adam", "lr": 0.01}},
)


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("use")
    lines = [{**each, "training": {"batch_size": 32}} for each in CONFIGS]
    request = searches.listed(folder, lines, epochs=1, limit_train=200, scheduler="none")
    search = launch(request, Options(engine="inline"), results=folder, name="digits").search
    retrain(search, Options(engine="inline"), Again(epochs=2), top=2, distinct=False)
    return folder


@pytest.fixture
def found(results):
    return read_search(results, "digits")
