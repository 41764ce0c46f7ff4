"""Report 5: the published counts, the shapes of dense networks, and modules written by hand."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, make_network

SHAPE = (1, 28, 28)


class Bottleneck(nn.Module):
    """A block of model2: three convolutions with bias, each with a norm, and a projection without one."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        inner = out // 4
        self.conv1, self.norm1 = nn.Conv2d(channels, inner, 1), nn.BatchNorm2d(inner)
        self.conv2, self.norm2 = nn.Conv2d(inner, inner, 3, stride, 1), nn.BatchNorm2d(inner)
        self.conv3, self.norm3 = nn.Conv2d(inner, out, 1), nn.BatchNorm2d(out)
        self.shortcut = nn.Conv2d(channels, out, 1, stride) if channels != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())).relu()
        return (self.norm3(self.conv3(y)) + self.shortcut(x)).relu()


def model2() -> nn.Module:
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    blocks, channels = [], 64
    for stage, (depth, out) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for number in range(depth):
            blocks.append(Bottleneck(channels, out, 2 if stage and not number else 1))
            channels = out
    end = [nn.BatchNorm2d(512), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 100)]
    return nn.Sequential(*stem, *blocks, *end)


def test_model2_has_the_published_number_of_parameters_with_running_statistics() -> None:
    assert cost(FAMILIES["model2"](), (3, 32, 32), 100).with_statistics == 1_557_060


def test_model2_is_the_module_written_by_hand_with_its_weights_in_the_same_order() -> None:
    torch.manual_seed(0)
    by_hand = model2().eval()
    torch.manual_seed(0)
    built = build(FAMILIES["model2"](), (3, 32, 32), 100).eval()
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(built(images), by_hand(images))


def test_a_narrow_model2_still_halves_the_map_of_each_stage() -> None:
    sizes = [n.output_shape for n in FAMILIES["model2"](width=1 / 64).layers((3, 64, 64), 10) if n.op == "add"]
    assert [shape[1] for shape in sizes] == [16] * 3 + [8] * 4 + [4] * 6 + [2] * 3


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
        ("hexagon", 4, [70, 90, 90, 70]),
        *((shape, 1, [100]) for shape in ("inverted_triangle", "rectangle", "hexagon")),
    ],
)
def test_depth_is_the_number_of_hidden_layers_of_each_shape(shape: str, depth: int, widths: list[int]) -> None:
    network = FAMILIES["mlp"](shape=shape, width=100, depth=depth)
    assert [dense.width for dense in network.head.hidden] == widths


@pytest.mark.parametrize("shape", ["inverted_triangle", "rectangle", "hexagon"])
def test_no_layer_has_less_than_one_unit(shape: str) -> None:
    assert [dense.width for dense in FAMILIES["mlp"](shape=shape, width=1).head.hidden] == [1, 1, 1]


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


class Model1(nn.Module):
    """model1: a padded convolution and four without padding, in groups of one, two and two that end in a pooling."""

    def __init__(self, *channels: int) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for number, (before, after) in enumerate(zip((3, *channels), channels, strict=False)):
            self.convs.append(nn.Conv2d(before, after, 3, padding=0 if number else 1))
            self.norms.append(nn.BatchNorm2d(after))
        self.dense, self.norm, self.classifier = nn.Linear(128, 1024), nn.BatchNorm1d(1024), nn.Linear(1024, 100)

    def forward(self, x: Tensor) -> Tensor:
        for number, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(conv(x)).relu()
            x = x if number % 2 else nn.functional.max_pool2d(x, 2)
        assert x.shape[2:] == (1, 1)
        return self.classifier(self.norm(self.dense(x.flatten(1))).relu())


@pytest.mark.parametrize(
    ("name", "channels", "parameters", "with_statistics"),
    [
        ("model1", (32, 64, 64, 128, 128), 515_236, 518_116),
        ("model1_counted", (64, 64, 128, 128, 128), 645_412, 648_484),
    ],
)
def test_both_readings_of_model1_have_their_counts_and_are_modules_written_by_hand(
    name: str, channels: tuple[int, ...], parameters: int, with_statistics: int
) -> None:
    found = cost(FAMILIES[name](), (3, 32, 32), 100)
    assert (found.parameters, found.with_statistics) == (parameters, with_statistics)
    built, by_hand = build(FAMILIES[name](), (3, 32, 32), 100).eval(), Model1(*channels).eval()
    ours, theirs = (
        list(built.parameters()),
        [p for pair in zip(by_hand.convs, by_hand.norms, strict=True) for m in pair for p in m.parameters()],
    )
    theirs += [p for part in (by_hand.dense, by_hand.norm, by_hand.classifier) for p in part.parameters()]
    with torch.no_grad():
        for mine, other in zip(ours, theirs, strict=True):
            other.copy_(mine)
        images = torch.rand(4, 3, 32, 32)
        torch.testing.assert_close(built(images), by_hand(images))


def test_model1_has_dropout_after_each_pooling_and_before_the_classifier() -> None:
    walked = FAMILIES["model1"]().layers((3, 32, 32), 100)
    assert [layer.settings["p"] for layer in walked if layer.op == "dropout"] == [0.25, 0.25, 0.25, 0.5]
