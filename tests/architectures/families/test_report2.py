"""Report 2: the published counts, and what follows what."""

from typing import Any

import pytest

from architectures.blocks import Network
from architectures.cost import cost
from architectures.families import FAMILIES

SHAPE = (3, 32, 32)


def ops(network: Network) -> list[str]:
    """Convolutions and dense layers with their widths, poolings, norms and dropouts, in their order."""
    short = {"pool": "P", "norm": "B", "dropout": "D", "conv": "c", "dense": "d"}
    walked = (layer for layer in network.layers(SHAPE, 100) if layer.op in short)
    return [short[layer.op] + (str(layer.output_shape[0]) if layer.op in ("conv", "dense") else "") for layer in walked]


@pytest.mark.parametrize(
    ("name", "with_statistics"),
    [("coursework", 2_214_532), ("coursework_bn", 2_217_348), ("anh", 15_795_556), ("last", 2_762_660)],
)
def test_the_counts_with_running_statistics_are_the_published_ones(name: str, with_statistics: int) -> None:
    assert cost(FAMILIES[name](), SHAPE, 100).with_statistics == with_statistics


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("coursework", "c32 c32 P D c64 c64 P D d512 D d100"),
        ("coursework_bn", "c32 B c32 B P D c64 B c64 B P D d512 B D d100"),
        ("anh", "c256 B c256 B P D" + " c512 B c512 B P D" * 3 + " d1024 D B d100"),
        ("last", "c64 B c64 B P D" + " c128 B c128 B P D" * 2 + " d1024 D B d100"),
    ],
)
def test_the_layers_are_the_published_ones(name: str, layers: str) -> None:
    assert ops(FAMILIES[name]()) == layers.split()


@pytest.mark.parametrize(
    ("name", "expected"), [("coursework_bn", [0.3] * 3), ("anh", [0.2] * 5), ("last", [0.2, 0.2, 0.2, 0.5])]
)
def test_dropout_is_the_published_one(name: str, expected: list[float]) -> None:
    def drops(**hyperparameters: Any) -> list[float]:
        walked = FAMILIES[name](**hyperparameters).layers(SHAPE, 100)
        return [layer.settings["p"] for layer in walked if layer.op == "dropout"]

    assert drops() == expected
    # As the report varied it: where there is dropout, and nowhere else.
    assert drops(conv_dropout=0.4) == [0.4] * (len(expected) - 1) + expected[-1:]


def test_the_widths_of_the_convolutions_are_a_list_with_a_number_a_unit() -> None:
    network = FAMILIES["coursework"](conv_widths=[8, 16, 24, 40], width=0.5)
    assert ops(network)[:8] == ["c4", "c8", "P", "D", "c12", "c20", "P", "D"]
    with pytest.raises(ValueError, match=r"conv_widths must have a number for each of 4 units, got 1"):
        FAMILIES["coursework"](conv_widths=[8])
