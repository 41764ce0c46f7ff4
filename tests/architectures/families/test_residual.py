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
from architectures.layers import layers

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


class Nine(nn.Module):
    """Page 2018: eight convolutions and a classifier, with two sums or with none."""

    def __init__(self, width: int, sums: bool) -> None:
        super().__init__()
        self.sums = sums
        self.prep, self.one = self.unit(3, width), self.unit(width, 2 * width)
        self.first = nn.Sequential(self.unit(2 * width, 2 * width), self.unit(2 * width, 2 * width))
        self.two, self.three = self.unit(2 * width, 4 * width), self.unit(4 * width, 8 * width)
        self.second = nn.Sequential(self.unit(8 * width, 8 * width), self.unit(8 * width, 8 * width))
        self.classifier = nn.Linear(8 * width, 10)

    @staticmethod
    def unit(channels: int, out: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(channels, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(self.one(self.prep(x)), 2)
        x = self.first(x) + self.sums * x
        x = nn.functional.max_pool2d(self.three(nn.functional.max_pool2d(self.two(x), 2)), 2)
        x = self.second(x) + self.sums * x
        return self.classifier(x.amax((2, 3)))


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


def same_weights(built: nn.Module, by_hand: nn.Module) -> None:
    """Give the module written by hand the weights that were built; both have them in the same order."""
    theirs, ours = list(by_hand.parameters()), list(built.parameters())
    assert [p.shape for p in ours] == [p.shape for p in theirs]
    with torch.no_grad():
        for mine, other in zip(ours, theirs, strict=True):
            mine.copy_(torch.rand_like(mine) - 0.5)
            other.copy_(mine)


@pytest.mark.parametrize(
    ("name", "hyperparameters", "make"),
    [
        ("resnet", {"depths": [2, 1], "widths": [8, 16]}, basic_network),
        ("resnet", {"depths": [2, 1], "widths": [8, 8], "block": "bottleneck", "order": "pre"}, pre_network),
        ("resnet9", {"width": 0.125}, lambda: Nine(8, sums=True)),
        ("plain9", {"width": 0.125}, lambda: Nine(8, sums=False)),
    ],
)
def test_a_residual_network_is_the_module_written_by_hand(
    name: str, hyperparameters: dict[str, Any], make: Callable[[], nn.Module]
) -> None:
    torch.manual_seed(0)
    built, by_hand = build(make_network(name, hyperparameters, SHAPE, 10), SHAPE, 10), make()
    same_weights(built, by_hand)
    images = torch.rand(4, *SHAPE)
    for mode in (True, False):  # training first, so that evaluation has the running statistics of both
        ours, theirs = built.train(mode)(images), by_hand.train(mode)(images)
        torch.testing.assert_close(ours, theirs)
    ours.square().sum().backward()
    theirs.square().sum().backward()
    for mine, other in zip(built.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-4)


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


def test_resnet9_has_its_known_number_of_parameters_and_a_bias_a_class() -> None:
    assert cost(FAMILIES["resnet9"](), SHAPE, 10).parameters == 6_573_120 + 10


def test_plain9_is_resnet9_without_its_sums() -> None:
    residual, plain = (FAMILIES[name]().walk(SHAPE, 10) for name in ("resnet9", "plain9"))
    assert [layer.op for layer in layers(residual) if layer.op != "add"] == [layer.op for layer in layers(plain)]
    assert sum(layer.op == "add" for layer in layers(residual)) == 2


@pytest.mark.parametrize("order", ["post", "pre"])
def test_only_a_block_that_changes_the_size_has_a_projection(order: str) -> None:
    network = FAMILIES["resnet"](depths=[2, 2], widths=[8, 8], order=order)
    blocks = [block for block in network.blocks if isinstance(block, Residual)]
    assert [bool(block.shortcut) for block in blocks] == [False, False, True, False]


@pytest.mark.parametrize("size", [1, 7, 32])
def test_a_residual_network_takes_images_of_any_size(size: int) -> None:
    module = build(FAMILIES["resnet"](width=0.05), (1, size, size), 2).eval()
    assert module(torch.rand(2, 1, size, size)).shape == (2, 2)


def test_width_is_a_factor_on_every_channel_count_and_leaves_at_least_one() -> None:
    half = FAMILIES["resnet"](width=0.5).layers(SHAPE, 10)
    assert [layer.output_shape[0] for layer in half if layer.op == "add"] == [32, 32, 64, 64, 128, 128, 256, 256]
    assert {layer.output_shape[0] for layer in FAMILIES["resnet"](width=1e-6).layers(SHAPE, 10)} == {1, 10}


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
