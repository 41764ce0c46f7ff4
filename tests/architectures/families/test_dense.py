"""Dense networks: the published counts, the shapes of their hidden layers, and a module written by hand."""

from typing import Any

import pytest
import torch
from torch import nn

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, make_network

SHAPE = (1, 28, 28)


@pytest.mark.parametrize(
    ("shape", "width", "widths", "count"),
    [
        ("inverted_triangle", 300, [300, 200, 100], 316_810),
        ("rectangle", 200, [200, 200, 200], 239_410),
        ("hexagon", 250, [175, 250, 175], 227_060),
    ],
)
def test_the_published_dense_networks_have_their_widths_and_counts(
    shape: str, width: int, widths: list[int], count: int
) -> None:
    network = FAMILIES["mlp"](shape=shape, width=width)
    assert [dense.width for dense in network.head.hidden] == widths
    assert cost(network, SHAPE, 10).parameters == count


@pytest.mark.parametrize(
    ("shape", "depth", "widths"),
    [
        ("inverted_triangle", 5, [100, 80, 60, 40, 20]),
        ("rectangle", 2, [100, 100]),
        ("hexagon", 5, [70, 85, 100, 85, 70]),
        *((shape, 1, [100]) for shape in ("inverted_triangle", "rectangle", "hexagon")),
    ],
)
def test_depth_is_the_number_of_hidden_layers_of_each_shape(shape: str, depth: int, widths: list[int]) -> None:
    network = FAMILIES["mlp"](shape=shape, width=100, depth=depth)
    assert [dense.width for dense in network.head.hidden] == widths


def test_a_dense_network_is_the_module_written_by_hand() -> None:
    torch.manual_seed(0)
    by_hand = nn.Sequential(
        nn.Flatten(), nn.Linear(784, 6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2), nn.ReLU(),
        nn.Linear(2, 10),
    )  # fmt: skip
    torch.manual_seed(0)
    built = build(FAMILIES["mlp"](width=6, dropout=0.0), SHAPE, 10)
    images = torch.rand(4, *SHAPE)
    assert torch.equal(built(images), by_hand(images))


def test_norm_and_dropout_follow_every_hidden_layer() -> None:
    walked = FAMILIES["mlp"](norm=True, dropout=0.2, depth=2).layers(SHAPE, 10)
    assert [layer.op for layer in walked] == ["flatten", *["dense", "norm", "activation", "dropout"] * 2, "dense"]
    assert {layer.settings["p"] for layer in walked if layer.op == "dropout"} == {0.2}


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"shape": "diamond"}, r"unknown shape 'diamond'; known: inverted_triangle, rectangle, hexagon"),
        ({"width": 0}, r"width must be a whole number of at least 1, got 0"),
        ({"width": 0.5}, r"width must be a whole number of at least 1, got 0.5"),
        ({"depth": 1.5}, r"depth must be a whole number of at least 1, got 1.5"),
        ({"depth": 10**9}, r"depth must be a whole number up to 1,000, got 1000000000"),
        ({"dropout": 1}, r"dropout must lie in \[0, 1\), got 1"),
        ({"norm": "yes"}, r"norm must be true or false, got 'yes'"),
        ({"activation": 3}, r"unknown activation '3'"),
    ],
)
def test_an_impossible_hyperparameter_is_refused_with_rule_and_value(
    hyperparameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_network("mlp", hyperparameters, SHAPE, 10)
