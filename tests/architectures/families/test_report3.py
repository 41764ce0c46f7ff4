"""Report 3: the published counts for its classes."""

import pytest

from architectures.cost import cost
from architectures.families import FAMILIES

SHAPE = (3, 32, 32)


@pytest.mark.parametrize(
    ("name", "classes", "count"), [("coarse", 20, 2_119_252), ("coarse_deep", 20, 2_165_428), ("fine", 100, 2_175_748)]
)
def test_the_counts_are_the_published_ones(name: str, classes: int, count: int) -> None:
    assert cost(FAMILIES[name](), SHAPE, classes).parameters == count


def test_dropout_is_after_the_pooling_after_flattening_and_after_the_hidden_layer() -> None:
    walked = [
        (layer.op, layer.settings.get("p"))
        for layer in FAMILIES["coarse_deep"]().layers(SHAPE, 20)
        if layer.op not in ("activation", "norm")
    ]
    assert walked == [
        ("conv", None), ("conv", None), ("pool", None), ("dropout", 0.25), ("conv", None), ("conv", None),
        ("flatten", None), ("dropout", 0.25), ("dense", None), ("dropout", 0.5), ("dense", None),
    ]  # fmt: skip
    assert "dropout" not in {layer.op for layer in FAMILIES["coarse"]().layers(SHAPE, 20)}


def test_fine_is_coarse_deep() -> None:
    assert FAMILIES["fine"]() == FAMILIES["coarse_deep"]()
