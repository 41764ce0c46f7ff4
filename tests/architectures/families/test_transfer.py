"""torchvision's networks with a new head: torchvision's own layers, prepared images, and what is frozen."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers
from torchvision.transforms.v2 import functional as tv

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, make_network
from architectures.layers import SizeError
from architectures.pretrained import load_weights

NAMES = ("vgg16", "vgg19", "resnet50")


def body_of(name: str) -> nn.Module:
    """Torchvision's network without its classifier, with weights of its own choice."""
    torch.manual_seed(1)
    if name == "resnet50":
        network = torchvision.models.resnet50(weights=None)
        network.fc = nn.Identity()
        return network.eval()
    features = make_layers(cfgs[{"vgg16": "D", "vgg19": "E"}[name]])
    return nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()


def state_of(name: str, body: nn.Module) -> dict[str, Tensor]:
    """The body's state with the names of torchvision's whole network, and a classifier that no other network wants."""
    state = dict(body.state_dict())
    if name != "resnet50":
        state = {f"features.{key.removeprefix('0.')}": value for key, value in state.items()}
    return {**state, "fc.weight": torch.ones(3, 3), "classifier.0.weight": torch.ones(3, 3)}


@pytest.mark.parametrize(
    ("name", "parameters"), [("vgg16", 14_714_688), ("vgg19", 20_024_384), ("resnet50", 23_508_032)]
)
def test_the_bodies_have_torchvisions_numbers_of_parameters(name: str, parameters: int) -> None:
    features = 2048 if name == "resnet50" else 512
    assert cost(FAMILIES[name](), (3, 32, 32), 100).parameters == parameters + 100 * (features + 1)


# Enlarged, grey and made smaller, and as they are.
@pytest.mark.parametrize(("name", "shape"), [("vgg16", (3, 20, 24)), ("resnet50", (1, 40, 36)), ("vgg19", (3, 32, 32))])
def test_a_network_with_torchvisions_weights_is_torchvisions(name: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    size = 32
    body = body_of(name)
    torch.save(state_of(name, body), tmp_path / "weights.pth")
    network = make_network(name, {"weights": str(tmp_path / "weights.pth"), "size": size}, shape, 5)
    built = build(network, shape, 5).eval()
    load_weights(network, built)
    pixels = torch.randint(0, 256, (2, *shape), dtype=torch.uint8)
    prepared = tv.resize(pixels.float() / 255, [size, size], antialias=True).expand(2, 3, size, size)
    prepared = tv.normalize(prepared, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = body(prepared)
        torch.testing.assert_close(built[:-1](pixels.float() / 127.5 - 1), expected, rtol=1e-3, atol=1e-4)
        assert built(pixels.float()).shape == (2, 5)


def test_images_are_resized_to_what_the_weights_expect() -> None:
    prepare = FAMILIES["vgg16"]().layers((1, 28, 28), 10)[0]
    assert (prepare.op, prepare.output_shape) == ("prepare", (3, 224, 224))


@pytest.mark.parametrize("name", NAMES)
def test_images_of_eight_pixels_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(SizeError, match=r"^unit 1 enlarges images to 224×224 and takes none below 16×16, got 8×8; use"):
        cost(FAMILIES[name](), (3, 8, 8), 10)


def test_a_frozen_body_asks_for_no_gradient_and_keeps_its_statistics() -> None:
    network = make_network("resnet50", {"weights": "random", "size": 32, "body_lr": 0.0}, (3, 32, 32), 5)
    module = build(network, (3, 32, 32), 5).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module(torch.rand(4, 3, 32, 32)).sum().backward()
    trained = [p for p in module.parameters() if p.requires_grad]
    assert [tuple(p.shape) for p in trained] == [(5, 2048), (5,)] and all(p.grad is not None for p in trained)
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())


def test_a_body_with_a_rate_of_its_own_is_trained() -> None:
    network = make_network("resnet50", {"weights": "random", "size": 32, "body_lr": 0.1}, (3, 32, 32), 5)
    module = build(network, (3, 32, 32), 5).train()
    before = {name: value.clone() for name, value in module.named_buffers()}
    module(torch.rand(4, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
    assert not all(torch.equal(before[name], value) for name, value in module.named_buffers())


@pytest.mark.parametrize(("weights", "trained"), [("random", 14_719_818), ("imagenet", 5_130)])
def test_by_default_a_body_is_frozen_unless_its_weights_are_random(weights: str, trained: int) -> None:
    module = build(make_network("vgg16", {"weights": weights}, (3, 32, 32), 10), (3, 32, 32), 10)
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == trained


def test_a_frozen_body_keeps_no_maps_for_a_backward_pass() -> None:
    frozen, tuned = (cost(FAMILIES["vgg16"](body_lr=rate), (3, 32, 32), 10) for rate in (0.0, 1.0))
    assert (frozen.parameters, frozen.flops) == (tuned.parameters, tuned.flops)
    # A convolution's input and output at 224×224 with 64 channels pass by; all maps together are kept.
    assert frozen.activation_bytes == pytest.approx(4 * 2 * 64 * 224 * 224, rel=0.01)
    assert tuned.activation_bytes > 2 * frozen.activation_bytes


def test_the_head_has_hidden_layers_and_dropout_by_choice() -> None:
    walked = FAMILIES["vgg16"](head_widths=[64], head_dropout=0.5).layers((3, 32, 32), 10)
    assert [(layer.op, layer.output_shape) for layer in walked if layer.block.startswith("head")] == [
        ("global_pool", (512,)), ("dropout", (512,)), ("dense", (64,)), ("activation", (64,)), ("dropout", (64,)),
        ("dense", (10,)),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"weights": "vgg.pth"}, r"^weights must be imagenet, random or the full path of a file, got 'vgg.pth'"),
        ({"weights": None}, r"^weights must be imagenet, random or the full path of a file, got None"),
        ({"body_lr": -0.1}, r"^body_lr must be a number of at least 0, got -0.1"),
        ({"size": 16}, r"^size must be a whole number of at least 32, got 16"),
        ({"size": 10_000}, r"^size must be a whole number up to 1,024, got 10000"),
        ({"head_dropout": 1}, r"^head_dropout: dropout must lie in \[0, 1\), got 1"),
    ],
)
def test_an_impossible_hyperparameter_is_refused_with_rule_and_value(
    hyperparameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_network("vgg16", hyperparameters, (3, 32, 32), 100)
