"""Networks as data: what is refused, and the walk through the layers."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from architectures.blocks import CNN, Activation, Dense, Head, SizeError, Unit, layers
from architectures.families import FAMILIES


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Unit(channels=0), r"channels must be a whole number of at least 1, got 0"),
        (lambda: Unit(channels=1, kernel=0), r"kernel must be a whole number of at least 1, got 0"),
        (lambda: Unit(channels=1, stride=0), r"stride must be a whole number of at least 1, got 0"),
        (lambda: Unit(channels=1, padding=-1), r"padding must be a whole number of at least 0, got -1"),
        (lambda: Unit(channels=1, pool="min"), r"unknown pool 'min'; known: max, average"),
        (lambda: Unit(channels=1, dropout=1.0), r"dropout must lie in \[0, 1\), got 1"),
        (lambda: Unit(channels=1, dropout=float("nan")), r"dropout must lie in \[0, 1\), got nan"),
        (lambda: Dense(width=0), r"width must be a whole number of at least 1, got 0"),
        (lambda: Dense(width=1, dropout=-0.1), r"dropout must lie in \[0, 1\), got -0.1"),
        (lambda: Head(pool="max"), r"unknown head pool 'max'; known: flatten, global"),
        (lambda: Head(dropout=2), r"dropout must lie in \[0, 1\), got 2"),
        (lambda: Activation("swish"), r"unknown activation 'swish'; known: relu, leaky_relu, elu, selu, gelu, tanh"),
    ],
)
def test_an_impossible_part_is_refused_with_rule_and_value(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_steps_follow_the_convolution_in_the_given_order() -> None:
    unit = Unit(channels=4, norm=True, pool="max", dropout=0.5, order=("pool", "dropout", "activation", "norm"))
    dense = Dense(width=5, norm=True, dropout=0.5, order=("activation", "dropout", "norm"))
    walked = layers(CNN(units=(unit,), head=Head(hidden=(dense,))), (3, 8, 8), 2)
    assert [(layer.unit, layer.op) for layer in walked] == [
        *(("unit 1", op) for op in ("conv", "pool", "dropout", "activation", "norm")),
        ("head", "flatten"),
        *(("head 1", op) for op in ("dense", "activation", "dropout", "norm")),
        ("head", "dense"),
    ]


def test_each_layer_starts_where_the_one_before_ended() -> None:
    walked = layers(FAMILIES["cnn8"](), (3, 32, 32), 100)
    assert walked[0].input_shape == (3, 32, 32)
    assert walked[-1].output_shape == (100,)
    assert all(a.output_shape == b.input_shape for a, b in pairwise(walked))


def test_a_global_head_has_one_number_a_channel_and_dropout_before_the_classifier() -> None:
    network = CNN(units=(Unit(channels=7),), head=Head(pool="global", dropout=0.5))
    pool, dropout, dense = layers(network, (1, 9, 9), 4)[-3:]
    assert (pool.op, pool.output_shape) == ("global_pool", (7,))
    assert (dropout.op, dropout.settings) == ("dropout", {"p": 0.5})
    assert (dense.op, dense.parameters) == ("dense", 7 * 4 + 4)


def test_a_multiply_and_an_add_are_two_operations() -> None:
    conv, *_, dense = layers(CNN(units=(Unit(channels=5, activation=None),)), (3, 8, 6), 4)
    assert conv.flops == 2 * 5 * 8 * 6 * 3 * 3 * 3
    assert dense.flops == 2 * 5 * 8 * 6 * 4


def test_a_map_too_small_for_a_convolution_names_unit_size_and_rule() -> None:
    network = CNN(units=(Unit(channels=2, pool="max"), Unit(channels=2, kernel=7)))
    with pytest.raises(SizeError, match=r"^unit 2 gets a 4×3 map.* 7×7 .*floor\(.*must be at least 1") as caught:
        layers(network, (1, 8, 6), 2)
    assert "\n" not in str(caught.value)


def test_a_map_too_small_to_pool_names_unit_size_and_rule() -> None:
    network = CNN(units=(Unit(channels=2, pool="max"), Unit(channels=2, pool="average")))
    with pytest.raises(SizeError, match=r"^unit 2 gets a 2×1 map.* pool.* at least 2×2") as caught:
        layers(network, (1, 4, 3), 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_size_is_refused_exactly_where_torch_refuses_it(name: str) -> None:
    network = FAMILIES[name](width=0.05)

    def torch_accepts(size: int) -> bool:
        image = torch.zeros(1, 1, size, size)
        try:
            for unit in network.units:
                image = nn.LazyConv2d(unit.channels, unit.kernel, unit.stride, unit.padding)(image)
                image = nn.MaxPool2d(2)(image) if unit.pool else image
        except RuntimeError:
            return False
        return True

    def accepts(size: int) -> bool:
        try:
            layers(network, (1, size, size), 2)
        except SizeError:
            return False
        return True

    sizes = range(1, 18)
    assert [accepts(size) for size in sizes] == [torch_accepts(size) for size in sizes]
    assert not accepts(1)
    assert accepts(17)
