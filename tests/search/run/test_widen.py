"""A winner as a wider network."""

import pytest

from search.run.problem import RequestError
from search.run.widen import widened
from trainables.config import Config, NetworkConfig, OptimizerConfig


def config(name: str, **hyperparameters: object) -> Config:
    return Config(NetworkConfig(name, hyperparameters), OptimizerConfig("sgd", 0.1))


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("resnet9", {"width": 0.1875}, 0.375),
        ("cnn6", {}, 2.0),
        ("mlp", {"width": 25}, 50),
        ("mlp", {}, 600),
        ("mine:network", {"width": 16, "depth": 2}, 32),
    ],
)
def test_a_width_is_multiplied_and_nothing_else_changes(name: str, given: dict[str, object], expected: float) -> None:
    found = widened(config(name, **given), 2)
    assert found == config(name, **{**given, "width": expected})
    assert type(found.network.hyperparameters["width"]) is type(expected)


def test_a_factor_of_one_changes_nothing() -> None:
    assert widened(config("cnn6"), 1.0) == config("cnn6")


def test_a_whole_number_stays_one_and_at_least_one() -> None:
    assert widened(config("mlp", width=3), 0.1).network.hyperparameters["width"] == 1


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_a_share_that_is_written_as_a_whole_number_is_still_one(factor: float) -> None:
    assert widened(config("cnn6", width=1), factor) == widened(config("cnn6", width=1.0), factor)
    assert widened(config("cnn6", width=1), factor).network.hyperparameters["width"] == factor


@pytest.mark.parametrize("given", [{}, {"depth": 3}, {"width": True}])
def test_a_network_without_a_width_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(
        RequestError, match=r"'mine:network' has no width for --width 2 to multiply .*leave --width out"
    ):
        widened(config("mine:network", **given), 2)
    with pytest.raises(RequestError, match=r"no width for --finalist-width 3 .*leave --finalist-width out"):
        widened(config("mine:network", **given), 3, "--finalist-width")
