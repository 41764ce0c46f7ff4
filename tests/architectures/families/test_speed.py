"""Networks in the manner of the CIFAR-10 speed records, held against modules written by hand."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES
from architectures.layers import layers
from tests.architectures.families.by_hand import assert_alike

SHAPE = (3, 32, 32)


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


class Bench(nn.Module):
    """Jordan 2024: a 2×2 convolution, and three pairs that pool before the norm."""

    def __init__(self, first: int, others: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 2)
        widths = [24, first, first, others, others, others, others]
        self.convs = nn.ModuleList()
        for before, after in pairwise(widths):
            self.convs.append(nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after)))
        self.classifier = nn.Linear(others, 10)

    def forward(self, x: Tensor) -> Tensor:
        gelu, pool = nn.functional.gelu, nn.functional.max_pool2d
        x = gelu(self.stem(x))
        for number, (conv, norm) in enumerate(self.convs):  # type: ignore[misc]
            x = conv(x)
            x = gelu(norm(x if number % 2 else pool(x, 2)))
        return self.classifier(pool(x, 3).flatten(1))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("resnet9", lambda: Nine(8, sums=True)),
        ("plain9", lambda: Nine(8, sums=False)),
        ("airbench", lambda: Bench(8, 32)),
    ],
)
def test_a_fast_network_is_the_module_written_by_hand(name: str, make: Callable[[], nn.Module]) -> None:
    assert_alike(build(FAMILIES[name](width=0.125), SHAPE, 10), make())


def test_the_networks_have_their_known_numbers_of_parameters_and_a_bias_a_class() -> None:
    assert cost(FAMILIES["resnet9"](), SHAPE, 10).parameters == 6_573_120 + 10
    # Jordan's 1.97 million, with scales of the norms and biases of the logits.
    airbench = cost(FAMILIES["airbench"](), SHAPE, 10).parameters
    assert airbench - (2 * 64 + 4 * 256) - 10 == 1_971_640


def test_plain9_is_resnet9_without_its_sums() -> None:
    residual, plain = (FAMILIES[name]().walk(SHAPE, 10) for name in ("resnet9", "plain9"))
    assert [layer.op for layer in layers(residual) if layer.op != "add"] == [layer.op for layer in layers(plain)]
    assert sum(layer.op == "add" for layer in layers(residual)) == 2


@pytest.mark.parametrize("name", ["resnet9", "plain9", "airbench"])
def test_a_width_that_leaves_no_channel_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"^width 0.005 leaves none of 64 channels; use at least 0.0156$"):
        FAMILIES[name](width=0.005)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 40)])
def test_they_take_images_of_other_sizes(shape: tuple[int, ...]) -> None:
    module = build(FAMILIES["airbench"](width=0.125), shape, 3).eval()
    assert module(torch.rand(2, *shape)).shape == (2, 3)
