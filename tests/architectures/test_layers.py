"""The walk of an image: sizes, operations, and where a map would vanish."""

from itertools import pairwise

import pytest

from architectures.blocks import Network, Residual, Unit
from architectures.families import FAMILIES
from architectures.layers import SizeError, overwritable
from architectures.steps import RELU, Dropout, Norm


def test_each_layer_starts_where_the_one_before_ended() -> None:
    walked = FAMILIES["cnn8"]().layers((3, 32, 32), 100)
    assert walked[0].input_shape == (3, 32, 32)
    assert walked[-1].output_shape == (100,)
    assert all(a.output_shape == b.input_shape for a, b in pairwise(walked))


def test_a_multiply_and_an_add_are_two_operations() -> None:
    conv, *_, dense = Network(blocks=(Unit(channels=5, activation=None),)).layers((3, 8, 6), 4)
    assert conv.flops == 2 * 5 * 8 * 6 * 3 * 3 * 3
    assert dense.flops == 2 * 5 * 8 * 6 * 4


def test_a_map_too_small_for_a_convolution_names_unit_size_and_rule() -> None:
    network = Network(blocks=(Unit(channels=2, pool="max"), Unit(channels=2, kernel=7)))
    with pytest.raises(SizeError, match=r"^unit 2 gets a 4×3 map.* 7×7 .*floor\(.*must be at least 1") as caught:
        network.layers((1, 8, 6), 2)
    assert "\n" not in str(caught.value)


def test_a_map_too_small_to_pool_names_unit_size_and_rule() -> None:
    network = Network(blocks=(Unit(channels=2, pool="max"), Unit(channels=2, pool="average")))
    with pytest.raises(SizeError, match=r"^unit 2 gets a 2×1 map.* pool.* at least 2×2") as caught:
        network.layers((1, 4, 3), 2)
    assert "\n" not in str(caught.value)


def test_a_norm_keeps_a_mean_and_a_variance_for_each_channel_besides_its_parameters() -> None:
    _, norm, *_ = Network(blocks=(Unit(channels=5, norm=True),)).layers((3, 8, 6), 4)
    assert (norm.parameters, norm.statistics) == (10, 10)


def test_what_came_from_outside_or_is_kept_for_the_gradient_is_not_overwritten() -> None:
    inner = Residual(body=(RELU, Norm(), RELU))
    nodes = Network(blocks=(Dropout(0.5), RELU, RELU, Unit(channels=3), inner, RELU)).walk((3, 8, 8), 2)
    found = dict(enumerate(overwritable(nodes)))
    assert not found[0] and not found[1]  # the images, also where dropout returns them as they are
    assert not found[2]  # what the activation before keeps
    assert found[4]  # a convolution's output
    assert found[6]  # a sum
    assert overwritable(nodes[5].body) == [False, False, True]  # a branch's input is the other branch's too
