"""Networks by name: a family with its hyperparameters, and a user's own function."""

from pathlib import Path

import pytest
from torch import nn

from architectures.blocks import Network, Unit
from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, import_function, make_network, make_without_weights, network_cost
from architectures.layers import SizeError

OWN = """
import torch
from torch import nn
from architectures.blocks import Network, Unit

CONSTANT = 3

def data(channels=4):
    return Network(blocks=(Unit(channels=channels),))

def module(input_shape, num_classes, *, hidden):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1], hidden), nn.Linear(hidden, num_classes))

def dropping(depth):
    # as networks with stochastic depth drop more in deeper blocks
    drops = [each.item() for each in torch.linspace(0, 0.1, depth)]
    return nn.Sequential(nn.Flatten(), *(nn.Sequential(nn.Linear(64, 64), nn.Dropout(drop)) for drop in drops))

def anything(**hyperparameters):
    return data(hyperparameters["channels"])

def nothing():
    return "a network"
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a user's module that can be imported."""
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_an_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown network 'cnn9'; known: cnn1, cnn2, .*package.module:function"):
        make_network("cnn9", {}, (3, 32, 32), 100)


def test_a_family_is_made_by_name_with_its_hyperparameters() -> None:
    assert make_network("cnn6", {"width": 0.5}, (3, 32, 32), 100) == FAMILIES["cnn6"](width=0.5)


def test_a_users_function_may_return_data(own: str) -> None:
    assert make_network(f"{own}:data", {"channels": 9}, (1, 8, 8), 2) == Network(blocks=(Unit(channels=9),))


def test_a_users_function_may_return_a_module_and_is_told_the_images_and_the_classes(own: str) -> None:
    network = make_network(f"{own}:module", {"hidden": 6}, (1, 8, 8), 5)
    assert isinstance(network, nn.Sequential)
    assert [tuple(p.shape) for p in network.parameters()] == [(6, 8), (6,), (5, 6), (5,)]


def test_a_users_function_may_take_any_hyperparameter(own: str) -> None:
    assert make_network(f"{own}:anything", {"channels": 2}, (1, 8, 8), 2) == Network(blocks=(Unit(channels=2),))


def test_a_users_function_has_only_the_hyperparameters_it_names(own: str) -> None:
    with pytest.raises(ValueError, match=r"'.*:data' has no hyperparameter 'depth'; known: channels"):
        make_network(f"{own}:data", {"depth": 2}, (1, 8, 8), 2)


def test_a_users_function_that_returns_something_else_is_refused(own: str) -> None:
    with pytest.raises(ValueError, match=r"must return architectures.blocks.Network or torch.nn.Module, got str"):
        make_network(f"{own}:nothing", {}, (1, 8, 8), 2)


@pytest.mark.parametrize("name", ["no_such_module_at_all:make", "json:no_such_function", ":make", "json:"])
def test_what_cannot_be_imported_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot import '.*package.module:function") as caught:
        make_network(name, {}, (1, 8, 8), 2)
    assert "\n" not in str(caught.value)


def test_what_is_not_a_function_is_refused(own: str) -> None:
    with pytest.raises(ValueError, match="is a int, not a function"):
        import_function(f"{own}:CONSTANT")


def test_a_family_costs_by_name_what_its_data_cost() -> None:
    assert network_cost("cnn6", {"width": 0.5}, (3, 32, 32), 10) == cost(FAMILIES["cnn6"](width=0.5), (3, 32, 32), 10)


def test_a_users_data_and_module_are_costed_by_name(own: str) -> None:
    data = Network(blocks=(Unit(channels=9),))
    assert network_cost(f"{own}:data", {"channels": 9}, (1, 8, 8), 2) == cost(data, (1, 8, 8), 2)
    assert network_cost(f"{own}:module", {"hidden": 6}, (1, 8, 1), 5).parameters == 6 * 8 + 6 + 5 * 6 + 5


def test_a_users_module_that_reads_values_while_it_is_built_is_made_and_costed(own: str) -> None:
    network = make_without_weights(f"{own}:dropping", {"depth": 3}, (1, 8, 8), 64)
    assert isinstance(network, nn.Module)
    found = network_cost(f"{own}:dropping", {"depth": 3}, (1, 8, 8), 64)
    assert sum(parameter.numel() for parameter in network.parameters()) == found.parameters == 3 * (64 * 64 + 64)


def test_a_users_module_that_does_not_take_the_images_has_no_cost(own: str) -> None:
    with pytest.raises(SizeError, match="it does not take 3×8×8 images"):
        network_cost(f"{own}:module", {"hidden": 6}, (3, 8, 8), 5)


def test_a_users_module_is_built_as_it_is(own: str) -> None:
    network = make_network(f"{own}:module", {"hidden": 6}, (1, 8, 8), 5)
    assert build(network, (1, 8, 8), 5) is network


def test_a_near_name_is_suggested_and_a_missing_module_has_its_place() -> None:
    with pytest.raises(ValueError, match=r"^unknown network 'resnett' \(did you mean 'resnet'\?\); known: "):
        make_network("resnett", {}, (1, 8, 8), 2)
    with pytest.raises(ValueError, match=r"; call it in the folder of no_such_module.py, or give"):
        make_network("no_such_module:make", {}, (1, 8, 8), 2)
