"""Report 4: the baseline's count, and the variants that it compared."""

from typing import Any

import pytest
import torch
from torch import nn

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, make_network
from architectures.layers import Layer, SizeError

SHAPE = (3, 32, 32)


def layers(op: str, **hyperparameters: Any) -> list[Layer]:
    return [layer for layer in FAMILIES["baseline"](**hyperparameters).layers(SHAPE, 100) if layer.op == op]


def test_the_baseline_has_its_count_and_is_the_module_written_by_hand() -> None:
    assert cost(FAMILIES["baseline"](), SHAPE, 100).parameters == 6_454_948
    torch.manual_seed(0)
    by_hand = nn.Sequential(
        nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(50_176, 128), nn.ReLU(), nn.Linear(128, 100),
    )  # fmt: skip
    torch.manual_seed(0)
    built = build(FAMILIES["baseline"](), SHAPE, 100)
    assert list(built.state_dict()) == list(by_hand.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(built.parameters(), by_hand.parameters(), strict=True))
    images = torch.rand(2, *SHAPE)
    # Channels last, so that maps are flattened in another order than by hand.
    with torch.no_grad():
        torch.testing.assert_close(built[:4](images), by_hand[:4](images))


@pytest.mark.parametrize(
    ("pool", "widths", "kinds"),
    [
        ("none", [32, 64], []),
        ("max", [32, 64, 128], ["max"] * 3),
        ("average", [32, 64, 128], ["average"] * 3),
        ("mixed", [32, 64, 128, 256], ["max", "max", "average", "average"]),
    ],
)
def test_pooling_is_none_max_average_or_two_of_each(pool: str, widths: list[int], kinds: list[str]) -> None:
    found = layers("pool", pool=pool, padding="same", conv_widths=widths)
    assert [layer.settings["kind"] for layer in found] == kinds


def test_a_fourth_pooled_convolution_fits_with_padding_and_vanishes_without() -> None:
    four = {"conv_widths": [32, 64, 128, 256], "pool": "max"}
    assert [layer.output_shape[1] for layer in layers("conv", **four, padding="same")] == [32, 16, 8, 4]
    with pytest.raises(SizeError, match=r"^unit 4 gets a 2×2 map, too small for its 3×3 convolution"):
        layers("conv", **four, padding="valid")


def test_norm_and_dropout_follow_every_layer() -> None:
    assert len(layers("norm", norm=True)) == 3
    assert [d.settings["p"] for d in layers("dropout", conv_dropout=0.1, head_dropout=0.4)] == [0.1, 0.1, 0.4]


def test_l2_is_on_the_chosen_layers_and_never_on_the_classifier() -> None:
    found = FAMILIES["baseline"](conv_l2=0.1, head_l2=0.01).layers(SHAPE, 100)
    assert [layer.l2 for layer in found if layer.parameters] == [0.1, 0.1, 0.01, 0.0]
    assert {layer.l2 for layer in FAMILIES["baseline"]().layers(SHAPE, 100)} == {0.0}


def test_without_hidden_layers_the_heads_dropout_is_before_the_classifier() -> None:
    for name in ("baseline", "baseline_final"):
        head = FAMILIES[name](head_widths=[], head_dropout=0.3, head_l2=0.0).head
        assert (head.dropout, head.hidden) == (0.3, ())
        assert FAMILIES[name](head_dropout=0.3).head.dropout == 0.0


def test_the_final_model_is_the_baseline_with_elu_norm_dropout_and_l2() -> None:
    final = FAMILIES["baseline_final"]
    assert final() == FAMILIES["baseline"](**final.hyperparameters)
    walked = final().layers(SHAPE, 20)
    assert {layer.settings["name"] for layer in walked if layer.op == "activation"} == {"elu"}
    assert {layer.settings["p"] for layer in walked if layer.op == "dropout"} == {0.4}
    assert sum(layer.op == "norm" for layer in walked) == 4
    assert all(layer.l2 > 0 for layer in walked if layer.op in ("conv", "dense") and layer.output_shape != (20,))


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"pool": "min"}, r"unknown pool 'min'; known: none, max, average, mixed"),
        ({"padding": "full"}, r"unknown padding 'full'; known: valid, same"),
        ({"norm": "yes"}, r"norm must be true or false, got 'yes'"),
        ({"conv_l2": -1}, r"l2 must be a number of at least 0, got -1"),
        ({"head_widths": [], "head_l2": 1e-4}, r"head_l2 is on the weights of hidden layers, and head_widths has none"),
        ({"head_l2": float("inf")}, r"l2 must be a number of at least 0, got inf"),
        ({"width": 0.01}, r"^width 0.01 leaves none of 32 channels; use at least 0.0312$"),
    ],
)
def test_an_impossible_hyperparameter_is_refused_with_rule_and_value(
    hyperparameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_network("baseline", hyperparameters, SHAPE, 100)
