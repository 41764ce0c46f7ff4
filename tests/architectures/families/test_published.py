"""The eight families: the published facts to the digit, what each hyperparameter does, and a user's own network."""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from architectures.blocks import CNN, Activation, Layer, Unit, layers
from architectures.families import FAMILIES, Family, family, import_function, make_network

COUNTS = {
    "cnn1": 1_481_574,
    "cnn2": 10_393_946,
    "cnn3": 805_406,
    "cnn4": 471_160,
    "cnn5": 856_708,
    "cnn6": 2_494_022,
    "cnn7": 3_004_917,
    "cnn8": 3_498_724,
}
# c convolution (kernel 3 unless said), B batch norm, P and A max and average pooling, d dense; in their order.
PUBLISHED = {
    "cnn1": "c48 B relu | c100 B relu A | c128 relu | c200 P | c256 relu P drop.2 | flat | d150 relu drop.3 | d100",
    "cnn2": "c32 B relu | c64 B relu P | c150 B relu | c300 relu P | flat | d512 relu drop.3 | d100",
    "cnn3": "c32k7 B leaky.01 P | c150 B leaky.01 P | c200 leaky.01 P drop.1 | flat | d256 relu drop.3 | d100",
    "cnn4": "c32k5 B leaky.01 A | c132 B leaky.01 P drop.1 | c256k2 leaky.01 A drop.1 | c200k1 leaky.01 P drop.1 | "
    "flat | d128 relu drop.3 | d100",
    "cnn5": "c32k2 leaky.01 P | c128 relu P | flat d100",
    "cnn6": "c128 B relu P | c246 B relu P | c256 B relu | flat d100",
    "cnn7": "c38 B leaky.1 P drop.25 | c255 B leaky.1 drop.1 | c399 B leaky.1 P drop.1 | c200 B leaky.1 drop.1 | "
    "flat d100",
    "cnn8": "c32k5 B relu | c64k4 B relu P | c128 B relu drop.1 | c256k2 B relu P drop.1 | flat | "
    "d256 leaky.05 drop.2 | d128 relu drop.2 | d100",
}
OWN = """
from torch import nn
from architectures.blocks import CNN, Unit

CONSTANT = 3

def data(channels=4):
    return CNN(units=(Unit(channels=channels),))

def module(input_shape, num_classes, *, hidden):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1], hidden), nn.Linear(hidden, num_classes))

def anything(**hyperparameters):
    return data(hyperparameters["channels"])

def nothing():
    return "a network"
"""


def notation(layer: Layer) -> str:
    settings = layer.settings
    short = f"{settings.get('slope', settings.get('p', 0)):g}".removeprefix("0")
    match layer.op:
        case "conv":
            return f"c{layer.output_shape[0]}" + (f"k{settings['kernel']}" if settings["kernel"] != 3 else "")
        case "activation":
            return f"leaky{short}" if settings["name"] == "leaky_relu" else settings["name"]
        case "pool":
            return {"max": "P", "average": "A"}[settings["kind"]]
        case "dense":
            return f"d{layer.output_shape[0]}"
        case "dropout":
            return f"drop{short}"
    return {"norm": "B", "flatten": "flat"}[layer.op]


def described(network: CNN) -> str:
    walked = layers(network, (3, 32, 32), 100)
    return " | ".join(" ".join(map(notation, part)) for _, part in groupby(walked, key=lambda layer: layer.unit))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a user's module that can be imported."""
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_there_are_the_eight_published_families() -> None:
    assert set(COUNTS) <= set(FAMILIES)
    assert all(FAMILIES[name].name == name for name in FAMILIES)


@pytest.mark.parametrize("name", COUNTS)
def test_the_data_alone_has_the_published_number_of_parameters(name: str) -> None:
    assert sum(layer.parameters for layer in layers(FAMILIES[name](), (3, 32, 32), 100)) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_the_defaults_are_the_published_network(name: str) -> None:
    assert FAMILIES[name]() == FAMILIES[name].published
    assert described(FAMILIES[name]()) == PUBLISHED[name]


@pytest.mark.parametrize("name", COUNTS)
def test_every_published_convolution_has_padding_one_stride_one_and_a_bias(name: str) -> None:
    assert {(unit.padding, unit.stride, unit.bias) for unit in FAMILIES[name]().units} == {(1, 1, True)}


@pytest.mark.parametrize("name", COUNTS)
def test_width_is_a_factor_on_every_channel_count_and_hidden_width(name: str) -> None:
    plain, half, least = FAMILIES[name](), FAMILIES[name](width=0.5), FAMILIES[name](width=1e-6)
    widths = [*(u.channels for u in plain.units), *(d.width for d in plain.head.hidden)]
    assert [*(u.channels for u in half.units), *(d.width for d in half.head.hidden)] == [round(w / 2) for w in widths]
    assert {*(u.channels for u in least.units), *(d.width for d in least.head.hidden)} == {1}


def test_hidden_widths_are_given_before_the_width_factor() -> None:
    assert [dense.width for dense in FAMILIES["cnn8"](head_widths=[100, 50, 20], width=0.5).head.hidden] == [50, 25, 10]


@pytest.mark.parametrize("name", COUNTS)
def test_an_activation_replaces_every_published_one_and_no_other(name: str) -> None:
    plain, varied = FAMILIES[name](), FAMILIES[name](activation="gelu")
    gelu = Activation("gelu")
    assert [u.activation for u in varied.units] == [u.activation and gelu for u in plain.units]
    assert [d.activation for d in varied.head.hidden] == [gelu] * len(plain.head.hidden)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("pool", ["max", "average"])
def test_a_pool_replaces_every_published_one_where_the_network_pools(name: str, pool: str) -> None:
    plain, varied = FAMILIES[name](), FAMILIES[name](pool=pool)
    assert [u.pool for u in varied.units] == [u.pool and pool for u in plain.units]


@pytest.mark.parametrize("name", COUNTS)
def test_norm_is_after_every_convolution_and_hidden_layer_or_after_none(name: str) -> None:
    for norm, expected in (("everywhere", True), ("none", False)):
        varied = FAMILIES[name](norm=norm)
        assert all(part.norm is expected for part in (*varied.units, *varied.head.hidden))


@pytest.mark.parametrize("name", COUNTS)
def test_convolutional_dropout_is_after_every_unit_and_leaves_the_head(name: str) -> None:
    varied = FAMILIES[name](conv_dropout=0.45)
    assert {unit.dropout for unit in varied.units} == {0.45}
    assert varied.head == FAMILIES[name]().head


@pytest.mark.parametrize("name", COUNTS)
def test_head_dropout_is_after_every_hidden_layer_or_before_the_classifier(name: str) -> None:
    varied = FAMILIES[name](head_dropout=0.45)
    assert [d.dropout for d in varied.head.hidden] == [0.45] * len(FAMILIES[name]().head.hidden)
    assert varied.head.dropout == (0.0 if varied.head.hidden else 0.45)
    assert varied.units == FAMILIES[name]().units


def test_hidden_layers_can_be_added_to_a_family_without_and_taken_from_one_with() -> None:
    assert described(FAMILIES["cnn5"](head_widths=[64, 32])).endswith("| flat | d64 relu | d32 relu | d100")
    assert described(FAMILIES["cnn8"](head_widths=[])).endswith("| flat d100")
    assert FAMILIES["cnn8"](head_widths=[], head_dropout=0.5).head.dropout == 0.5


def test_further_hidden_layers_are_like_the_last_published_one() -> None:
    assert described(FAMILIES["cnn8"](head_widths=[9, 8, 7])).endswith(
        "d9 leaky.05 drop.2 | d8 relu drop.2 | d7 relu drop.2 | d100"
    )


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"activation": "swish"}, r"unknown activation 'swish'; known: relu, leaky_relu, elu, selu, gelu, tanh"),
        ({"pool": "min"}, r"unknown pool 'min'; known: published, max, average"),
        ({"norm": "layer"}, r"unknown norm 'layer'; known: published, everywhere, none"),
        ({"width": 0}, r"width must be a factor in \(0, 64\], got 0"),
        ({"width": float("nan")}, r"width must be a factor in \(0, 64\], got nan"),
        ({"width": "wide"}, r"width must be a factor in \(0, 64\], got 'wide'"),
        ({"conv_dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1"),
        ({"head_dropout": -0.1}, r"dropout must lie in \[0, 1\), got -0.1"),
        ({"head_widths": [0]}, r"width must be a whole number of at least 1, got 0"),
        ({"depth": 3}, r"network 'cnn2' has no hyperparameter 'depth'; known: width, activation, pool, norm"),
    ],
)
def test_an_unknown_value_names_the_known_ones(hyperparameters: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network("cnn2", hyperparameters, (3, 32, 32), 100)


def test_an_unknown_network_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown network 'cnn9'; known: cnn1, cnn2, .*package.module:function"):
        make_network("cnn9", {}, (3, 32, 32), 100)


def test_registering_a_network_makes_it_a_family_and_a_second_of_its_name_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("architectures.families.published.FAMILIES", dict(FAMILIES))

    def tiny() -> CNN:
        return CNN(units=(Unit(channels=3),))

    made = family(tiny)
    assert isinstance(made, Family)
    assert make_network("tiny", {"width": 2}, (1, 8, 8), 2) == CNN(units=(Unit(channels=6),))
    with pytest.raises(ValueError, match="'tiny' exists already"):
        family(tiny)


def test_a_family_is_made_by_name_with_its_hyperparameters() -> None:
    assert make_network("cnn6", {"width": 0.5}, (3, 32, 32), 100) == FAMILIES["cnn6"](width=0.5)


def test_a_users_function_may_return_data(own: str) -> None:
    assert make_network(f"{own}:data", {"channels": 9}, (1, 8, 8), 2) == CNN(units=(Unit(channels=9),))


def test_a_users_function_may_return_a_module_and_is_told_the_images_and_the_classes(own: str) -> None:
    network = make_network(f"{own}:module", {"hidden": 6}, (1, 8, 8), 5)
    assert isinstance(network, nn.Sequential)
    assert [tuple(p.shape) for p in network.parameters()] == [(6, 8), (6,), (5, 6), (5,)]


def test_a_users_function_may_take_any_hyperparameter(own: str) -> None:
    assert make_network(f"{own}:anything", {"channels": 2}, (1, 8, 8), 2) == CNN(units=(Unit(channels=2),))


def test_a_users_function_has_only_the_hyperparameters_it_names(own: str) -> None:
    with pytest.raises(ValueError, match=r"'.*:data' has no hyperparameter 'depth'; known: channels"):
        make_network(f"{own}:data", {"depth": 2}, (1, 8, 8), 2)


def test_a_users_function_that_returns_something_else_is_refused(own: str) -> None:
    with pytest.raises(ValueError, match=r"must return architectures.blocks.CNN or torch.nn.Module, got str"):
        make_network(f"{own}:nothing", {}, (1, 8, 8), 2)


@pytest.mark.parametrize("name", ["no_such_module_at_all:make", "json:no_such_function", ":make", "json:"])
def test_what_cannot_be_imported_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot import '.*package.module:function") as caught:
        make_network(name, {}, (1, 8, 8), 2)
    assert "\n" not in str(caught.value)


def test_what_is_not_a_function_is_refused(own: str) -> None:
    with pytest.raises(ValueError, match="is a int, not a function"):
        import_function(f"{own}:CONSTANT")
