"""The builder: torch's modules are what the data say, for any images."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from architectures.blocks import Dense, Head, Network, Residual, Unit
from architectures.build import Dropout, Flatten, build, capturable
from architectures.families import FAMILIES
from architectures.families.published import PUBLISHED
from architectures.layers import SizeError
from architectures.steps import ACTIVATIONS, Activation, Norm

TYPES = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
}


def test_a_unit_is_convolution_norm_activation_pool_dropout() -> None:
    module = build(FAMILIES["cnn7"](width=0.1), (3, 32, 32), 100)
    assert [type(m) for m in module][:5] == [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU, nn.MaxPool2d, Dropout]
    assert module[2].negative_slope == 0.1
    assert module[4].p == 0.25


def test_a_unit_without_activation_goes_from_convolution_to_pooling() -> None:
    module = build(FAMILIES["cnn1"](width=0.1), (3, 32, 32), 100)
    fourth = [i for i, m in enumerate(module) if isinstance(m, nn.Conv2d)][3]
    assert [type(m) for m in module][fourth : fourth + 3] == [nn.Conv2d, nn.MaxPool2d, nn.Conv2d]


def test_a_convolution_has_the_units_settings() -> None:
    conv = build(Network(blocks=(Unit(channels=5, kernel=4, stride=2, padding=3, bias=False),)), (3, 9, 9), 2)[0]
    assert (conv.in_channels, conv.out_channels) == (3, 5)
    assert (conv.kernel_size, conv.stride, conv.padding, conv.bias) == ((4, 4), (2, 2), (3, 3), None)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_torchs(name: str) -> None:
    module = build(Network(blocks=(Unit(channels=2, activation=Activation(name, 0.3)),)), (1, 8, 8), 2)
    assert type(module[1]) is TYPES[name]
    assert getattr(module[1], "negative_slope", 0.3) == 0.3


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(
    "order", [("norm", "activation", "pool", "dropout"), ("pool", "dropout", "activation", "norm")]
)
def test_activations_in_place_do_not_disturb_the_gradient(name: str, order: Any) -> None:
    activation = Activation(name)
    unit = Unit(channels=3, norm=True, activation=activation, pool="average", dropout=0.2, order=order)
    network = Network(blocks=(unit, unit), head=Head(hidden=(Dense(width=4, norm=True, activation=activation),)))
    module = build(network, (1, 8, 8), 2)
    images = torch.rand(4, 1, 8, 8)

    def gradients() -> tuple[torch.Tensor, ...]:
        torch.manual_seed(0)
        return torch.autograd.grad(module(images).square().sum(), list(module.parameters()))

    as_built = gradients()
    for part in module:
        if hasattr(part, "inplace"):
            part.inplace = False
    torch.testing.assert_close(as_built, gradients())


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(PUBLISHED),
    height=st.integers(8, 40),
    width=st.integers(8, 40),
    channels=st.sampled_from([1, 3]),
    num_classes=st.integers(2, 20),
    head_widths=st.none() | st.lists(st.integers(20, 600), max_size=2),
)
def test_any_images_and_classes_build_and_every_layer_has_the_predicted_shape(
    name: str, height: int, width: int, channels: int, num_classes: int, head_widths: list[int] | None
) -> None:
    network = FAMILIES[name](width=0.05, head_widths=head_widths)
    shape = (channels, height, width)
    try:
        predicted = network.layers(shape, num_classes)
    except SizeError as error:
        # Where that is right is held in test_published; here the builder must agree.
        with pytest.raises(SizeError, match=r"^unit \d"):
            build(network, shape, num_classes)
        assert min(height, width) < 16, error
        return
    module = build(network, shape, num_classes)
    images = torch.rand(2, *shape)
    for layer, part in zip(predicted, module, strict=True):
        assert tuple(images.shape[1:]) == layer.input_shape
        images = part(images)
        assert tuple(images.shape[1:]) == layer.output_shape
        assert sum(p.numel() for p in part.parameters()) == layer.parameters
    assert images.shape == (2, num_classes)


def test_a_global_head_takes_maps_of_any_size() -> None:
    module = build(Network(blocks=(Unit(channels=4),), head=Head(pool="global", dropout=0.5)), (3, 9, 7), 5)
    assert module(torch.rand(2, 3, 9, 7)).shape == (2, 5)


def test_a_module_is_returned_as_it_is() -> None:
    module = nn.Linear(2, 2)
    assert build(module, (3, 8, 8), 2) is module


def test_only_what_is_data_can_be_captured() -> None:
    assert capturable(Network()) and not capturable(nn.Linear(2, 2))


@pytest.mark.parametrize("pool", ["global", "global_max"])
def test_a_global_head_takes_the_average_or_the_largest_of_each_map(pool: Any) -> None:
    images = torch.rand(2, 3, 5, 4)
    found = build(Network(head=Head(pool=pool)), (3, 5, 4), 2)[0](images)
    torch.testing.assert_close(found, images.amax((2, 3)) if pool == "global_max" else images.mean((2, 3)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_branch_that_begins_with_an_activation_leaves_the_shortcut_alone(name: str) -> None:
    activation = Activation(name)
    network = Network(blocks=(Unit(channels=3), Residual(body=(activation, Norm(), activation, Unit(channels=3)))))
    module = build(network, (1, 8, 8), 2)
    images = torch.rand(4, 1, 8, 8)
    maps = module[1](module[0](images))
    body = module[2].body
    assert torch.equal(module[2](maps), body(maps) + maps)
    module(images).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in module.parameters())


def test_a_network_leaves_the_images_alone() -> None:
    images = torch.rand(4, 1, 8, 8) - 0.5
    before = images.clone()
    build(Network(blocks=(Activation("relu"), Unit(channels=2))), (1, 8, 8), 2)(images)
    assert torch.equal(images, before)


def test_a_vanishing_map_raises_before_torch() -> None:
    with pytest.raises(SizeError, match="unit 3 gets a 1×1 map"):
        build(FAMILIES["cnn3"](), (3, 8, 8), 2)


def test_maps_are_flattened_as_they_lie_without_a_copy():
    maps = torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    flat = Flatten()(maps)
    assert flat.shape == (2, 60) and flat.data_ptr() == maps.data_ptr()
    assert torch.equal(flat, Flatten()(maps.contiguous()))
    assert torch.equal(flat[1, :3], maps[1, :, 0, 0])


@pytest.mark.parametrize("shape", [(7, 5, 3, 3), (64, 33)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_keeps_what_it_says_and_scales_it(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.ones(shape, dtype=dtype, requires_grad=True)
    torch.manual_seed(0)
    y = Dropout(0.25)(x)
    assert set(y.detach().float().unique().tolist()) == {0.0, torch.tensor(1 / 0.75, dtype=dtype).item()}
    y.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, y.detach())
    torch.manual_seed(0)
    assert torch.equal(Dropout(0.25)(x), y)


def test_dropouts_share_is_its_probability() -> None:
    torch.manual_seed(0)
    for p in (0.01, 0.3, 0.5, 0.9):
        dropped = (Dropout(p)(torch.ones(1_000_003)) == 0).float().mean().item()
        assert dropped == pytest.approx(p, abs=5 * (p * (1 - p) / 1e6) ** 0.5)


@pytest.mark.parametrize("p", [0.999, 0.9999, 0.99999, 1 - 2**-16])
def test_dropout_that_keeps_little_keeps_the_mean(p: float) -> None:
    torch.manual_seed(0)
    kept = Dropout(p)(torch.ones(2**21))
    assert kept.max().item() * (1 - round(p * 2**16) / 2**16) == pytest.approx(1)


def test_dropout_decides_in_each_format_and_not_at_all_in_evaluation() -> None:
    x = torch.rand(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    y = Dropout(0.5)(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(y[y != 0], 2 * x[y != 0])
    assert torch.equal(Dropout(0.5).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert not Dropout(1.0)(x).any()


@pytest.mark.parametrize("p", [0.9999923, 0.9999924, 0.999999, 1 - 1e-12])
def test_a_probability_close_to_one_drops_nearly_everything(p: float) -> None:
    torch.manual_seed(0)
    assert (Dropout(p)(torch.ones(1_000_003)) == 0).float().mean().item() > 0.9999
