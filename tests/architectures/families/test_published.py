"""The eight published families: the published facts to the digit, and what each hyperparameter does."""

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import pytest
import torch
from torch import nn

from architectures.blocks import Network
from architectures.build import build
from architectures.families import FAMILIES, make_network
from architectures.families.published import PUBLISHED
from architectures.layers import Layer, SizeError
from architectures.steps import Activation

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
NOTATION = {
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


def described(network: Network) -> str:
    walked = network.layers((3, 32, 32), 100)
    return " | ".join(" ".join(map(notation, part)) for _, part in groupby(walked, key=lambda layer: layer.block))


def test_there_are_the_eight_published_families_and_they_come_first() -> None:
    assert tuple(COUNTS) == PUBLISHED == tuple(FAMILIES)[:8]


@pytest.mark.parametrize("name", COUNTS)
def test_the_data_alone_has_the_published_number_of_parameters(name: str) -> None:
    assert sum(layer.parameters for layer in FAMILIES[name]().layers((3, 32, 32), 100)) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_the_defaults_are_the_published_network(name: str) -> None:
    assert described(FAMILIES[name]()) == NOTATION[name]


@pytest.mark.parametrize("name", COUNTS)
def test_every_published_convolution_has_padding_one_stride_one_and_a_bias(name: str) -> None:
    assert {(unit.padding, unit.stride, unit.bias) for unit in FAMILIES[name]().blocks} == {(1, 1, True)}


@pytest.mark.parametrize("name", COUNTS)
def test_width_is_a_factor_on_every_channel_count_and_hidden_width(name: str) -> None:
    plain, half = FAMILIES[name](), FAMILIES[name](width=0.5)
    widths = [*(u.channels for u in plain.blocks), *(d.width for d in plain.head.hidden)]
    assert [*(u.channels for u in half.blocks), *(d.width for d in half.head.hidden)] == [round(w / 2) for w in widths]
    with pytest.raises(ValueError, match=r"^width 1e-06 leaves none of \d+ channels; use at least 0.0"):
        FAMILIES[name](width=1e-6)


def test_hidden_widths_are_given_before_the_width_factor() -> None:
    assert [dense.width for dense in FAMILIES["cnn8"](head_widths=[100, 50, 20], width=0.5).head.hidden] == [50, 25, 10]


@pytest.mark.parametrize("name", COUNTS)
def test_an_activation_replaces_every_published_one_and_no_other(name: str) -> None:
    plain, varied = FAMILIES[name](), FAMILIES[name](activation="gelu")
    gelu = Activation("gelu")
    assert [u.activation for u in varied.blocks] == [u.activation and gelu for u in plain.blocks]
    assert [d.activation for d in varied.head.hidden] == [gelu] * len(plain.head.hidden)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("pool", ["max", "average"])
def test_a_pool_replaces_every_published_one_where_the_network_pools(name: str, pool: str) -> None:
    plain, varied = FAMILIES[name](), FAMILIES[name](pool=pool)
    assert [u.pool for u in varied.blocks] == [u.pool and pool for u in plain.blocks]


@pytest.mark.parametrize("name", COUNTS)
def test_norm_is_after_every_convolution_and_hidden_layer_or_after_none(name: str) -> None:
    for norm, expected in (("everywhere", True), ("none", False)):
        varied = FAMILIES[name](norm=norm)
        assert all(part.norm is expected for part in (*varied.blocks, *varied.head.hidden))


@pytest.mark.parametrize("name", COUNTS)
def test_convolutional_dropout_is_after_every_unit_and_leaves_the_head(name: str) -> None:
    varied = FAMILIES[name](conv_dropout=0.45)
    assert {unit.dropout for unit in varied.blocks} == {0.45}
    assert varied.head == FAMILIES[name]().head


@pytest.mark.parametrize("name", COUNTS)
def test_head_dropout_is_after_every_hidden_layer_or_before_the_classifier(name: str) -> None:
    varied = FAMILIES[name](head_dropout=0.45)
    assert [d.dropout for d in varied.head.hidden] == [0.45] * len(FAMILIES[name]().head.hidden)
    assert varied.head.dropout == (0.0 if varied.head.hidden else 0.45)
    assert varied.blocks == FAMILIES[name]().blocks


def test_hidden_layers_can_be_added_to_a_family_without_and_taken_from_one_with() -> None:
    assert described(FAMILIES["cnn5"](head_widths=[64, 32])).endswith("| flat | d64 relu | d32 relu | d100")
    assert described(FAMILIES["cnn8"](head_widths=[])).endswith("| flat d100")
    assert FAMILIES["cnn8"](head_widths=[], head_dropout=0.5).head.dropout == 0.5
    assert FAMILIES["cnn8"](head_widths=[], flat_dropout=0.5).head.dropout == 0.5
    with pytest.raises(ValueError, match="flat_dropout and head_dropout are in the same place if no layer is hidden"):
        FAMILIES["cnn8"](head_widths=[], flat_dropout=0.5, head_dropout=0.0)


def test_further_hidden_layers_are_like_the_last_published_one() -> None:
    assert described(FAMILIES["cnn8"](head_widths=[9, 8, 7])).endswith(
        "d9 leaky.05 drop.2 | d8 relu drop.2 | d7 relu drop.2 | d100"
    )


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        (
            {"activation": "swish"},
            r"unknown activation 'swish'; known: published, relu, leaky_relu, elu, selu, gelu, tanh",
        ),
        ({"pool": "min"}, r"unknown pool 'min'; known: published, max, average"),
        ({"norm": "layer"}, r"unknown norm 'layer'; known: published, everywhere, none"),
        ({"width": 0}, r"width must be a factor in \(0, 64\], got 0"),
        ({"width": float("nan")}, r"width must be a factor in \(0, 64\], got nan"),
        ({"width": "wide"}, r"width must be a factor in \(0, 64\], got 'wide'"),
        ({"conv_dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1"),
        ({"head_dropout": -0.1}, r"dropout must lie in \[0, 1\), got -0.1"),
        ({"head_widths": [0]}, r"each of head_widths must be a whole number of at least 1, got 0"),
        ({"depth": 3}, r"network 'cnn2' has no hyperparameter 'depth'; known: width, activation, pool, norm"),
    ],
)
def test_an_unknown_value_names_the_known_ones(hyperparameters: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network("cnn2", hyperparameters, (3, 32, 32), 100)


@pytest.mark.parametrize("name", COUNTS)
def test_a_size_is_refused_exactly_where_torch_refuses_it(name: str) -> None:
    network = FAMILIES[name](width=0.05)

    def torch_accepts(size: int) -> bool:
        image = torch.zeros(1, 1, size, size)
        try:
            for unit in network.blocks:
                image = nn.LazyConv2d(unit.channels, unit.kernel, unit.stride, unit.padding)(image)
                image = nn.MaxPool2d(2)(image) if unit.pool else image
        except RuntimeError:
            return False
        return True

    def accepts(size: int) -> bool:
        try:
            network.layers((1, size, size), 2)
        except SizeError:
            return False
        return True

    sizes = range(1, 18)
    assert [accepts(size) for size in sizes] == [torch_accepts(size) for size in sizes]
    assert not accepts(1)
    assert accepts(17)


KEYS = """
0.weight 0.bias 1.weight 1.bias 1.running_mean 1.running_var 1.num_batches_tracked
3.weight 3.bias 4.weight 4.bias 4.running_mean 4.running_var 4.num_batches_tracked
7.weight 7.bias 8.weight 8.bias 8.running_mean 8.running_var 8.num_batches_tracked
11.weight 11.bias 12.weight 12.bias 12.running_mean 12.running_var 12.num_batches_tracked
17.weight 17.bias 20.weight 20.bias 23.weight 23.bias
"""


def test_networks_saved_by_0_1_0_have_the_names_that_are_built() -> None:
    assert list(build(FAMILIES["cnn8"](), (3, 32, 32), 100).state_dict()) == KEYS.split()


def test_the_same_seed_gives_the_weights_of_torchs_layers_in_their_order() -> None:
    torch.manual_seed(5)
    by_hand = nn.Sequential(
        nn.Conv2d(3, 32, 2, padding=1),
        nn.LeakyReLU(0.01),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 128, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8192, 100),
    ).state_dict()
    torch.manual_seed(5)
    built = build(FAMILIES["cnn5"](), (3, 32, 32), 100).state_dict()
    assert list(built) == list(by_hand)
    assert all(torch.equal(built[key], by_hand[key]) for key in by_hand)
