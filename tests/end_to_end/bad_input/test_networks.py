"""Wrong names, settings and image shapes of networks."""

import re

import pytest

from tests.end_to_end.bad_input.cases import Refused, says


@pytest.mark.parametrize(
    "shape", ["", "32", "3x32", "3x32x32x1", "0x32x32", "3x-1x32", "axbxc", "3*32*32", "²x8x8", f"3x32x{'9' * 5000}"]
)
def test_a_bad_image_shape_is_refused(refused: Refused, shape: str):
    says(refused("networks", "cnn6", "--input", shape), "--input", "CxHxW", "3x32x32", shape)


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("width", ("KEY=VALUE", "'width'", "width=0.5")),
        ("=1", ("''", "known: width")),
        ("depth=3", ("'depth'", "known: width")),
        ("activation=swish", ("'swish'", "known: published, relu, leaky_relu")),
        *((f"width={v}", ("width", "(0, 64]")) for v in ("abc", "", "0", "-1", "65", "1e400", "NaN", "true", "[1]")),
        *((f"conv_dropout={v}", ("conv_dropout", "[0, 1)")) for v in ("2", "-0.1", "a", "NaN", "true")),
        *((f"head_widths={v}", ("head_widths",)) for v in ("5", '["a"]', "[1.5]", "[true]", "ab", "[1e400]")),
        ("head_widths=[0]", ("at least 1",)),
        ("width=" + "[" * 100_000, ("width",)),
    ],
)
def test_a_bad_setting_is_refused(refused: Refused, setting: str, parts: tuple[str, ...]):
    says(refused("networks", "cnn6", "--set", setting), *parts)


def test_a_setting_without_a_network_is_refused(refused: Refused):
    says(refused("networks", "--set", "width=0.5"), "--set", "hpsearch networks cnn6 --set width=0.5")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("cnn9", ("'cnn9'", "cnn1", "cnn8", "package.module:function")),
        ("", ("''", "cnn1")),
        ("missing:network", ("missing:network", "No module named")),
        ("own:missing", ("own:missing",)),
        ("broken:network", ("broken:network", "division by zero")),
        ("own:NUMBER", ("own:NUMBER", "not a function")),
        ("own:raises", ("own:raises", "first line second line")),
        ("own:nothing", ("own:nothing", "NoneType", "architectures.blocks.Network")),
        ("own:a_dict", ("own:a_dict", "dict", "architectures.blocks.Network")),
        ("own:hungry", ("own:hungry", "depth")),
        ("own:leaving", ("own:leaving", "SystemExit: bye")),
        ("own:lazy", ("own:lazy", "LazyLinear", "use Linear and give it its size")),
        ("own:no_block", ("own:no_block", "each of blocks must be a block", "'conv'")),
        ("builtins:dict", ("signature", "dict")),
    ],
)
def test_what_is_no_network_is_refused(refused: Refused, name: str, parts: tuple[str, ...]):
    says(refused("networks", name), *parts)


def test_images_too_small_for_a_network_name_unit_size_and_rule(refused: Refused):
    line = refused("networks", "cnn4", "--input", "3x4x4")
    says(line, "unit", "map", "at least 2×2", "larger images")
    assert re.search(r"\d+×\d+", line)
