"""Lists with a line that is no configuration or no network: the line is named by its number."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.end_to_end.bad_input.cases import GOOD, Refused, folder_of_images, merged, says, write_list
from trainables.optimizers import OPTIMIZERS

LINES = [
    ("nonsense", ("line 2", "JSON")),
    ('{"network": ', ("line 2", "JSON")),
    ("[" * 100_000, ("line 2",)),
    ('{"network": "' + "x" * 10, ("line 2", "JSON")),
    ([], ("line 2", "object", "list")),
    ("null", ("line 2", "object", "NoneType")),
    ({}, ("line 2", "network", "optimizer")),
    ({"network": "cnn6"}, ("line 2", "optimizer")),
    (merged(network="cnn6"), ("line 2", "network", "object", "str")),
    ({**GOOD, "optimiser": {}}, ("line 2", "optimiser", "known: network, optimizer, training")),
    (merged(network={"name": "cnn9"}), ("line 2", "'cnn9'", "known: cnn1")),
    (merged(network={"name": "网络"}), ("line 2", "'网络'", "known: cnn1")),
    (merged(network={"name": 6}), ("line 2", "6", "string")),
    (merged(optimizer={"name": "nosuch"}), ("line 2", "'nosuch'", ", ".join(OPTIMIZERS))),
    (merged(optimizer={"name": None}), ("line 2", "None", "string")),
    (merged(optimizer={"lr": "0.1"}), ("line 2", "lr", "'0.1'", "number")),
    (merged(optimizer={"lr": 0}), ("line 2", "lr", "above 0")),
    (merged(optimizer={"lr": True}), ("line 2", "lr", "True")),
    (merged(optimizer={"lr": int("9" * 400)}), ("line 2", "lr")),
    (merged(optimizer={"weight_decay": -1}), ("line 2", "weight_decay", "at least 0")),
    (merged(optimizer={"momentum": 1.5}), ("line 2", "momentum", "1.5")),
    (merged(optimizer={"nesterov": True}), ("line 2", "nesterov", "known: lr")),
    ('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": NaN}}', ("line 2", "NaN")),
    ('{"network": {"name": "cnn5", "width": Infinity}, "optimizer": {"name": "sgd", "lr": 1}}', ("line 2", "Infinity")),
    ('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 1e400}}', ("line 2", "lr", "inf")),
    (merged(training=None), ("line 2", "training", "object")),
    (merged(training={"epochs": 0}), ("line 2", "epochs", "got 0")),
    (merged(training={"epochs": 1.5}), ("line 2", "epochs", "1.5")),
    (merged(training={"epochs": 10**30}), ("line 2", "epochs")),
    (merged(training={"batch_size": True}), ("line 2", "batch_size", "True")),
    (merged(training={"batch_size": None}), ("line 2", "batch_size", "None")),
    (merged(training={"batch_size": "64"}), ("line 2", "batch_size", "'64'")),
    (merged(training={"label_smoothing": 1}), ("line 2", "label_smoothing", "below 1")),
    (merged(training={"schedule": "steps"}), ("line 2", "'steps'", "constant, cosine, linear")),
    (merged(training={"warmup": 1}), ("line 2", "warmup", "below 1", "got 1")),
    (merged(training={"init": "xavier"}), ("line 2", "'xavier'", "torch, kaiming")),
    (merged(training={"ema": 1.0}), ("line 2", "ema", "below 1", "got 1.0")),
    (merged(training={"ema": 0}), ("line 2", "ema", "above 0", "got 0")),
    (merged(training={"patience": 0}), ("line 2", "patience", "from 1", "got 0")),
    (merged(training={"decayed": "norms"}), ("line 2", "'norms'", "all, weights, conv, dense")),
    (merged(training={"class_weights": "balanced"}), ("line 2", "class_weights", "true or false")),
    (merged(optimizer={"name": "sgd_nesterov", "momentum": 0}), ("line 2", "momentum", "above 0")),
    (merged(optimizer={"name": "muon", "keep_norms": 0.5}), ("line 2", "keep_norms", "whole number", "0.5")),
    (merged(training={"schedule": ["cosine"]}), ("line 2", "schedule")),
    (merged(training={"augment": "flip"}), ("line 2", "'flip'", "none, flip-crop, published")),
    (merged(training={"augment": {}}), ("line 2", "augment", "none, flip-crop, published")),
    (merged(training={"batches": 1}), ("line 2", "batches", "known: batch_size")),
]


@pytest.mark.parametrize(("line", "parts"), LINES)
def test_a_line_that_is_no_configuration_is_named_by_its_number(launch: Refused, line: object, parts: tuple[str, ...]):
    says(launch("--space", write_list(GOOD, line, GOOD)), "list.jsonl", *parts)


IMPOSSIBLE = [
    ({"width": 0}, ("width", "(0, 64]", "got 0")),
    ({"width": True}, ("width", "(0, 64]", "True")),
    ({"width": 0.001}, ("width 0.001", "none of 32 channels", "use at least 0.0312")),
    ({"depth": 3}, ("'depth'", "known: width")),
    ({"activation": "swish"}, ("'swish'", "relu, leaky_relu")),
    ({"activation": ["relu"]}, ("activation", "relu, leaky_relu")),
    ({"pool": "min"}, ("'min'", "published, max, average")),
    ({"norm": {}}, ("norm", "published, everywhere, none")),
    ({"conv_dropout": "a"}, ("conv_dropout", "[0, 1)", "'a'")),
    ({"head_dropout": [0.1]}, ("head_dropout", "[0, 1)")),
    ({"head_widths": 5}, ("head_widths", "list", "5")),
    ({"head_widths": "abc"}, ("head_widths", "list", "abc")),
    ({"head_widths": ["a"]}, ("head_widths", "'a'")),
    ({"head_widths": [0]}, ("width", "at least 1", "0")),
    ({"head_widths": [10**30]}, ("head_widths",)),
    ({"name": "missing:network"}, ("missing:network", "package.module:function")),
    ({"name": "own:raises"}, ("own:raises", "RuntimeError", "first line second line")),
    ({"name": "own:nothing"}, ("own:nothing", "NoneType", "torch.nn.Module")),
    ({"name": "own:hungry"}, ("own:hungry", "depth")),
    ({"name": "own:leaving"}, ("own:leaving", "SystemExit: bye")),
    ({"name": "own:leaving_when_called"}, ("own:leaving_when_called", "its forward raised SystemExit")),
    ({"name": "own:lazy"}, ("own:lazy", "LazyLinear", "use Linear and give it its size")),
    ({"name": "own:no_block"}, ("own:no_block", "each of blocks must be a block", "'conv'")),
    ({"name": "own:pretrained"}, ("own:pretrained", "/no/such/file.pth", "No such file")),
    ({"name": "wide_resnet", "depth": 27}, ("6·n + 4", "27")),
    ({"name": "vgg16", "weights": "vgg16.pth"}, ("weights", "full path", "'vgg16.pth'")),
    ({"name": "vgg16", "weights": "/no/such/file.pth"}, ("/no/such/file.pth", "No such file")),
]


@pytest.mark.parametrize(("network", "parts"), IMPOSSIBLE)
def test_an_impossible_network_is_named_by_its_number(launch: Refused, network: dict[str, Any], parts: tuple[str, ...]):
    says(launch("--space", write_list(GOOD, merged(network=network))), "2", "list.jsonl", *parts)


def test_a_network_that_is_too_deep_for_the_images_names_unit_size_and_rule(launch: Refused):
    space = write_list(GOOD, merged(network={"name": "cnn4"}))
    says(launch("--space", space, "--image-size", "4"), "2", "list.jsonl", "unit 2", "1×1", "at least 2×2")


@pytest.mark.parametrize(
    ("config", "parts"),
    [
        ({"training": {"cutout": 17}}, ("cutout", "at most 16", "got 17")),
        ({"training": {"channel_shift": 0.2}}, ("channel_shift", "grey")),
        ({"network": {"name": "own:flat"}, "optimizer": {"name": "muon"}}, ("'muon'", "matrices", "another optimizer")),
    ],
)
def test_a_training_that_the_images_or_the_network_cannot_take_is_refused(
    launch: Refused, config: dict[str, Any], parts: tuple[str, ...]
):
    says(launch("--space", write_list(GOOD, merged(**config))), "line 2", *parts)


def test_a_network_of_large_images_refuses_those_of_eight_pixels(launch: Refused):
    folder_of_images("cat", "dog")
    space = write_list(GOOD, merged(network={"name": "resnet50", "weights": "random"}))
    says(launch("--dataset", "my images", "--space", space), "2", "resnet50", "224×224", "16×16", "8×8", "--image-size")


def test_weights_that_can_be_had_from_nowhere_are_named_when_the_search_begins(
    launch: Refused, place: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TORCH_HOME", str(place))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nobody listens
    says(launch("--space", "vgg16"), "vgg16", str(place), "vgg16-397923af.pth", "cannot be downloaded", "random")


@pytest.mark.parametrize(
    ("state", "parts"),
    [
        ({}, ("do not fit vgg16", "'features.0.weight' must be 64×3×3×3", "nothing of that name", "torchvision's own")),
        ({"features.0.weight": torch.zeros(8, 3, 3, 3)}, ("must be 64×3×3×3", "has 8×3×3×3")),
        ([1.0], ("holds a list", "tensors by name")),
    ],
)
def test_weights_that_do_not_fit_are_named(launch: Refused, place: Path, state: object, parts: tuple[str, ...]):
    torch.save(state, place / "weights.pth")
    network = {"name": "vgg16", "weights": str(place / "weights.pth")}
    says(launch("--space", write_list(GOOD, merged(network=network))), "2", "vgg16", "weights.pth", *parts)


@pytest.mark.parametrize("name", ["own:misfit", "own:short"])
def test_a_users_module_that_does_not_fit_images_or_classes_is_refused(launch: Refused, name: str):
    says(launch("--space", write_list(GOOD, merged(network={"name": name}))), "2", name)


def test_an_impossible_network_after_an_empty_line_is_named_by_its_line(launch: Refused):
    says(launch("--space", write_list(GOOD, "", merged(network={"width": 0}))), "3")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ("list.jsonl", "No such file")),
        (b"", ("list.jsonl", "no configuration", "one JSON object a line")),
        (b"\n \n", ("list.jsonl", "no configuration")),
        (b"\x89PNG\r\n\x1a\n\x00\xff", ("list.jsonl", "UTF-8")),
        (b"\x00\x00\x00", ("list.jsonl", "line 1")),
        ("folder", ("list.jsonl", "directory")),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(launch: Refused, content: object, parts: tuple[str, ...]):
    if content == "folder":
        Path("list.jsonl").mkdir()
    elif isinstance(content, bytes):
        Path("list.jsonl").write_bytes(content)
    says(launch("--space", "list.jsonl"), *parts)
