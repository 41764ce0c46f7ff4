"""Blocks as data: what is refused, and the layers that each block yields."""

import math
from typing import Any

import pytest

from architectures.blocks import Dense, Head, Network, Residual, Tuned, Unit
from architectures.layers import Layer, SizeError, Sum
from architectures.steps import RELU, Activation, Conv, GlobalPool, Norm, Pool


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
        (lambda: Head(pool="max"), r"unknown head pool 'max'; known: flatten, global, global_max"),
        (lambda: Head(dropout=2), r"dropout must lie in \[0, 1\), got 2"),
        (
            lambda: Unit(channels=1, order=("norm", "pool")),
            r"an order holds each of norm, activation, pool, dropout",
        ),
        (lambda: Pool("max", kernel=3, padding=2), r"a pool's padding must be a whole number up to 1, got 2"),
        (lambda: GlobalPool("sum"), r"unknown pool 'sum'; known: max, average"),
        (lambda: Activation("leaky_relu", -0.1), r"an activation's slope must be a number of at least 0, got -0.1"),
        (lambda: Activation("leaky_relu", math.nan), r"an activation's slope must be a number of at least 0, got nan"),
        (lambda: Activation("leaky_relu", "a"), r"an activation's slope must be a number of .*, got 'a'"),  # type: ignore[arg-type]
        (lambda: Unit(channels=4, activation="relu"), r"activation must be .*Activation\('relu'\), got 'relu'"),  # type: ignore[arg-type]
        (lambda: Dense(width=4, activation=max), r"activation must be .*Activation\('relu'\), got <built-in"),  # type: ignore[arg-type]
        (lambda: Network(blocks=("conv",)), r"each of blocks must be .*Unit\(channels=32\), got 'conv'"),  # type: ignore[arg-type]
        (lambda: Network(blocks=(Norm,)), r"each of blocks must be a block, .*got <class .*Norm'>"),  # type: ignore[arg-type]
        (lambda: Network(blocks=(Head(),)), r"each of blocks must be a block, .*got Head\("),  # type: ignore[arg-type]
        (lambda: Network(blocks=Unit(channels=4)), r"blocks must be a tuple of blocks, .*got Unit\("),  # type: ignore[arg-type]
        (lambda: Network(head=None), r"head must be a Head, such as Head\(pool='global'\), got None"),  # type: ignore[arg-type]
        (lambda: Network(weights="imagenet"), r"weights must be Weights, such as .*, got 'imagenet'"),  # type: ignore[arg-type]
        (lambda: Head(hidden=(9,)), r"each of hidden must be a block, such as Dense\(width=128\), got 9"),  # type: ignore[arg-type]
        (lambda: Residual(body=Norm()), r"body must be a tuple of blocks, .*got Norm\(\)"),  # type: ignore[arg-type]
        (lambda: Residual(body=(), shortcut=("conv",)), r"each of shortcut must be a block, .*got 'conv'"),  # type: ignore[arg-type]
        (lambda: Residual(body=(), activation="relu"), r"activation must be a block, .*got 'relu'"),  # type: ignore[arg-type]
        (lambda: Tuned("conv", 0), r"what is tuned must be a block, .*got 'conv'"),  # type: ignore[arg-type]
        (lambda: Activation("swish"), r"unknown activation 'swish'; known: relu, leaky_relu, elu, selu, gelu, tanh"),
    ],
)
def test_an_impossible_part_is_refused_with_rule_and_value(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_steps_follow_the_convolution_in_the_given_order() -> None:
    unit = Unit(channels=4, norm=True, pool="max", dropout=0.5, order=("pool", "dropout", "activation", "norm"))
    dense = Dense(width=5, norm=True, dropout=0.5, order=("activation", "dropout", "norm"))
    walked = Network(blocks=(unit,), head=Head(hidden=(dense,))).layers((3, 8, 8), 2)
    assert [(layer.block, layer.op) for layer in walked] == [
        *(("unit 1", op) for op in ("conv", "pool", "dropout", "activation", "norm")),
        ("head", "flatten"),
        *(("head 1", op) for op in ("dense", "activation", "dropout", "norm")),
        ("head", "dense"),
    ]


def test_a_global_head_has_one_number_a_channel_and_dropout_before_the_classifier() -> None:
    network = Network(blocks=(Unit(channels=7),), head=Head(pool="global", dropout=0.5))
    pool, dropout, dense = network.layers((1, 9, 9), 4)[-3:]
    assert (pool.op, pool.output_shape) == ("global_pool", (7,))
    assert (dropout.op, dropout.settings) == ("dropout", {"p": 0.5})
    assert (dense.op, dense.parameters) == ("dense", 7 * 4 + 4)


def test_a_residual_block_is_a_sum_of_its_body_and_its_shortcut() -> None:
    block = Residual(
        before=(Norm(),),
        body=(Conv(channels=4, stride=2), Norm()),
        shortcut=(Conv(channels=4, kernel=1, stride=2, padding=0),),
        activation=RELU,
    )
    norm, added, activation, *_ = Network(blocks=(block,)).walk((3, 8, 6), 2)
    assert isinstance(norm, Layer) and isinstance(added, Sum) and isinstance(activation, Layer)
    assert (norm.op, norm.output_shape) == ("norm", (3, 8, 6))
    assert [layer.op for layer in added.body if isinstance(layer, Layer)] == ["conv", "norm"]
    assert [layer.block for layer in added.shortcut if isinstance(layer, Layer)] == ["unit 1 shortcut"]
    assert (added.output_shape, added.add.flops) == ((4, 4, 3), 4 * 4 * 3)
    assert (activation.op, activation.input_shape) == ("activation", (4, 4, 3))


def test_a_residual_block_may_hold_residual_blocks() -> None:
    inner = Residual(body=(Unit(channels=3),))
    walked = Network(blocks=(Residual(body=(inner, Norm())),)).layers((3, 8, 8), 2)
    assert [layer.op for layer in walked][:5] == ["conv", "activation", "add", "norm", "add"]


def test_branches_of_different_sizes_are_refused_with_both_sizes() -> None:
    network = Network(blocks=(Unit(channels=4), Residual(body=(Unit(channels=5, stride=2),))))
    with pytest.raises(SizeError, match=r"^unit 2 adds 5×4×4 and 4×8×8 maps.*projection"):
        network.walk((3, 8, 8), 2)


def test_a_network_without_blocks_is_a_dense_network() -> None:
    walked = Network(head=Head(hidden=(Dense(width=5),))).layers((1, 4, 3), 2)
    assert [(layer.op, layer.output_shape) for layer in walked] == [
        ("flatten", (12,)),
        ("dense", (5,)),
        ("activation", (5,)),
        ("dense", (2,)),
    ]


@pytest.mark.parametrize("after", [Conv(channels=2), Pool("max"), GlobalPool()])
def test_what_needs_maps_is_refused_behind_a_vector(after: Any) -> None:
    with pytest.raises(SizeError, match=r"^unit 2 has a .* which needs maps \(C, H, W\), and gets 3 numbers"):
        Network(blocks=(GlobalPool(), after)).walk((3, 8, 8), 2)


def test_what_needs_a_vector_is_refused_behind_maps() -> None:
    with pytest.raises(SizeError, match=r"^unit 1 has a dense layer, which needs a vector, and gets 3×8×8 maps"):
        Network(blocks=(Dense(width=4),)).walk((3, 8, 8), 2)


def test_a_pool_of_three_by_two_with_padding_has_torchs_size() -> None:
    (pool,) = Pool("max", kernel=3, stride=2, padding=1).walk("unit 1", (4, 9, 8))
    assert pool.output_shape == (4, 5, 4)
