"""Residual networks, held against modules written by hand: counts, weights in their order, and outputs."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from architectures.blocks import Residual
from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, make_network
from tests.architectures.families.by_hand import assert_alike

SHAPE = (3, 32, 32)


class BasicBlock(nn.Module):
    """He et al. 2016, the post-activation block."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(out)
        self.shortcut = nn.Sequential()
        if stride > 1 or channels != out:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (y + self.shortcut(x)).relu()


class PreBottleneck(nn.Module):
    """He et al. 2016, the pre-activation block with a bottleneck."""

    def __init__(self, channels: int, inner: int, stride: int) -> None:
        super().__init__()
        out = 4 * inner
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out, 1, bias=False)
        self.projection = nn.Conv2d(channels, out, 1, stride, bias=False) if stride > 1 or channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        activated = self.norm1(x).relu()
        around = self.projection(activated) if self.projection is not None else x
        y = self.conv2(self.norm2(self.conv1(activated)).relu())
        return self.conv3(self.norm3(y).relu()) + around


class WideBlock(nn.Module):
    """Zagoruyko and Komodakis 2016: two 3×3 convolutions, each after a norm, dropout before the second."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(out), nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.projection = nn.Conv2d(channels, out, 1, stride, bias=False) if channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        activated = self.norm1(x).relu()
        around = self.projection(activated) if self.projection is not None else x
        return self.conv2(self.norm2(self.conv1(activated)).relu()) + around


class WideNetwork(nn.Module):
    """WRN-16 with this many channels in its first stage."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        widths = [16, channels, channels, 2 * channels, 2 * channels, 4 * channels, 4 * channels]
        strides = (1, 1, 2, 1, 2, 1)
        self.blocks = nn.Sequential(*(WideBlock(*sizes) for sizes in zip(widths, widths[1:], strides, strict=False)))
        self.norm, self.classifier = nn.BatchNorm2d(4 * channels), nn.Linear(4 * channels, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.norm(self.blocks(self.stem(x))).relu().mean((2, 3)))


def basic_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        BasicBlock(8, 8, 1),
        BasicBlock(8, 8, 1),
        BasicBlock(8, 16, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(16, 10),
    )


def pre_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 1, 1, bias=False),
        PreBottleneck(8, 8, 1),
        PreBottleneck(32, 8, 1),
        PreBottleneck(32, 8, 2),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(32, 10),
    )


@pytest.mark.parametrize(
    ("name", "hyperparameters", "make"),
    [
        ("resnet", {"depths": [2, 1], "widths": [8, 16]}, basic_network),
        ("resnet", {"depths": [2, 1], "widths": [8, 8], "block": "bottleneck", "order": "pre"}, pre_network),
        ("wide_resnet", {"depth": 16, "width": 0.5}, lambda: WideNetwork(8)),
    ],
)
def test_a_residual_network_is_the_module_written_by_hand(
    name: str, hyperparameters: dict[str, Any], make: Callable[[], nn.Module]
) -> None:
    assert_alike(build(make_network(name, hyperparameters, SHAPE, 10), SHAPE, 10), make())


@pytest.mark.parametrize(
    ("hyperparameters", "count"),
    [
        # ResNet-18 and ResNet-50 with a 3×3 stem, 10 classes, as implementations for CIFAR-10 count them.
        ({}, 11_173_962),
        ({"depths": [3, 4, 6, 3], "block": "bottleneck"}, 23_520_842),
    ],
)
def test_the_known_residual_networks_have_their_number_of_parameters(
    hyperparameters: dict[str, Any], count: int
) -> None:
    assert cost(FAMILIES["resnet"](**hyperparameters), SHAPE, 10).parameters == count


@pytest.mark.parametrize("order", ["post", "pre"])
def test_only_a_block_that_changes_the_size_has_a_projection(order: str) -> None:
    network = FAMILIES["resnet"](depths=[2, 2], widths=[8, 8], order=order)
    blocks = [block for block in network.blocks if isinstance(block, Residual)]
    assert [bool(block.shortcut) for block in blocks] == [False, False, True, False]


@pytest.mark.parametrize("size", [1, 7, 32])
def test_a_residual_network_takes_images_of_any_size(size: int) -> None:
    module = build(FAMILIES["resnet"](width=0.05), (1, size, size), 2).eval()
    assert module(torch.rand(2, 1, size, size)).shape == (2, 2)


def test_width_is_a_factor_on_every_channel_count_and_must_leave_one() -> None:
    half = FAMILIES["resnet"](width=0.5).layers(SHAPE, 10)
    assert [layer.output_shape[0] for layer in half if layer.op == "add"] == [32, 32, 64, 64, 128, 128, 256, 256]
    with pytest.raises(ValueError, match=r"^width 0.001 leaves none of 64 channels; use at least 0.0156$"):
        FAMILIES["resnet"](width=0.001)


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"depths": [2, 0], "widths": [8, 8]}, r"each of depths must be a whole number of at least 1, got 0"),
        ({"depths": [1.5], "widths": [8]}, r"each of depths must be a whole number of at least 1, got 1.5"),
        ({"depths": [10**9], "widths": [8]}, r"each of depths must be a whole number up to 1,000, got 1000000000"),
        ({"depths": 2}, r"depths must be a list of whole numbers, such as \[2, 2, 2, 2\], got 2"),
        ({"widths": [64, "wide", 1, 1]}, r"each of widths must be a whole number of at least 1, got 'wide'"),
        ({"depths": [1]}, r"depths and widths must have one number for each stage, got 1 depths and 4 widths"),
        ({"depths": [], "widths": []}, r"one number for each stage, got 0 depths and 0 widths"),
        ({"width": 0}, r"width must be a factor in \(0, 64\], got 0"),
        ({"block": "inverted"}, r"unknown block 'inverted'; known: basic, bottleneck"),
        ({"order": "middle"}, r"unknown order 'middle'; known: post, pre"),
        ({"activation": "swish"}, r"unknown activation 'swish'; known: relu"),
        ({"head_dropout": 1}, r"head_dropout: dropout must lie in \[0, 1\), got 1"),
        ({"deep": 1}, r"network 'resnet' has no hyperparameter 'deep'; known: depths, widths, width, block, order"),
    ],
)
def test_an_impossible_hyperparameter_is_refused_with_rule_and_value(
    hyperparameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_network("resnet", hyperparameters, SHAPE, 10)


def test_wrn_28_10_has_its_published_number_of_parameters() -> None:
    assert cost(FAMILIES["wide_resnet"](), SHAPE, 10).parameters == 36_479_194


@pytest.mark.parametrize(
    ("depth", "width", "millions"),
    # As the paper rounds them.
    [(40, 1, 0.6), (40, 2, 2.2), (40, 4, 8.9), (40, 8, 35.7), (28, 12, 52.5), (22, 8, 17.2), (22, 10, 26.8),
     (16, 8, 11.0), (16, 10, 17.1), (16, 4, 2.7)],
)  # fmt: skip
def test_the_wide_networks_have_the_papers_numbers_of_parameters(depth: int, width: int, millions: float) -> None:
    assert round(cost(FAMILIES["wide_resnet"](depth=depth, width=width), SHAPE, 10).parameters / 1e6, 1) == millions


def test_a_wide_block_has_dropout_before_its_second_convolution() -> None:
    network = FAMILIES["wide_resnet"](depth=10, width=1, dropout=0.3)
    ops = [layer.op for layer in network.layers(SHAPE, 10)]
    between = [ops[at - 2 : at + 2] for at, op in enumerate(ops) if op == "dropout"]
    assert between == [["norm", "activation", "dropout", "conv"]] * 3


@pytest.mark.parametrize("depth", [27, 29, 8.5, True])
def test_a_depth_that_no_wide_network_has_is_refused(depth: Any) -> None:
    with pytest.raises(ValueError, match=r"depth must be (6·n \+ 4, such as 10|a whole number of at least 10)"):
        make_network("wide_resnet", {"depth": depth}, SHAPE, 10)
