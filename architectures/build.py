"""Builds an `nn.Module` from a network's data; the only place that names torch's layers."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from architectures.blocks import Network
from architectures.layers import Layer, Node, Shape, Sum, overwritable

# Of ImageNet's red, green and blue in [0, 1]; torchvision's weights were trained with these.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MOST_ROUNDED = 1 - 2**-17


def build(network: Network | nn.Module, input_shape: Shape, num_classes: int) -> nn.Module:
    """A module from (N, C, H, W) to logits (N, num_classes), with PyTorch's default initialisation.

    A module is returned unchanged. Frozen weights require no gradient. Raises SizeError if a map would be empty.
    """
    if isinstance(network, nn.Module):
        return network
    return _sequence(network.walk(input_shape, num_classes))


def capturable(network: Network | nn.Module) -> bool:
    """Whether a training step of the network can be captured as a CUDA graph.

    A user's own module may wait for the device, which a capture does not allow.
    """
    return isinstance(network, Network)


class Flatten(nn.Module):
    """(N, C, H, W) to (N, H·W·C), the order in which channels-last maps lie in memory.

    The published (C, H, W) order gives the same functions with the weights in another order, but transposes the maps in
    the forward pass and their gradients in the backward pass: 2 to 18 % of a training step on a CPU.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Flatten, without a copy if the maps are channels-last."""
        return maps.permute(0, 2, 3, 1).flatten(1)


class Prepare(nn.Module):
    """Images (N, 1 or 3, H, W) in [-1, 1] as ImageNet's weights expect them: (N, 3, size, size), normalised."""

    scale: Tensor
    shift: Tensor

    def __init__(self, size: int, shape: Shape) -> None:
        super().__init__()
        self._size = None if shape[1:] == (size, size) else (size, size)
        self._smaller = max(shape[1:]) > size
        #: How many pixels its images have.
        self.pixels = size * size
        mean, deviation = (torch.tensor(each).view(1, 3, 1, 1) for each in (_MEAN, _DEVIATION))
        # Not saved with the weights; a pixel in [0, 1] is (x + 1) / 2.
        self.register_buffer("scale", 0.5 / deviation, persistent=False)
        self.register_buffer("shift", (0.5 - mean) / deviation, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Resize, repeat grey as three channels, and normalise."""
        if self._size:
            images = interpolate(images, self._size, mode="bilinear", antialias=self._smaller)
        return images * self.scale + self.shift


class FrozenNorm(nn.BatchNorm2d):
    """Batch norm that keeps its running statistics and normalises with them, also in training."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Take vectors as well as maps."""

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode."""
        return super().train(False)


class Residual(nn.Module):
    """The sum of a body and of a shortcut around it, (N, C, H, W) to (N, C', H', W')."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, maps: Tensor) -> Tensor:
        """Add the outputs of both."""
        return self.body(maps) + self.shortcut(maps)


class Dropout(nn.Dropout):
    """`nn.Dropout` in half the time on a CPU: each random number is used for four elements.

    The probability is therefore rounded to a multiple of 1/65,536. torch draws a number for each element, which took a
    tenth of a training step, and more if dropout follows every convolution.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zero each element with probability p, and divide the others by the share that is kept."""
        # From `_MOST_ROUNDED` on the share would be rounded to 1, which is no number in 16 bits.
        if not self.training or not 0 < self.p < _MOST_ROUNDED or x.device.type != "cpu":
            return super().forward(x)
        drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.int16)[: x.numel()] >= round(self.p * 2**16) - 2**15
        mask = torch.empty_like(x)
        # The share that is kept after rounding; up to 0.99 the difference is small, and older results are kept.
        share = 1 - (self.p if self.p <= 0.99 else round(self.p * 2**16) / 2**16)
        # In x's memory order, whatever its format.
        torch.mul(kept.to(x.dtype), 1 / share, out=mask.as_strided(kept.shape, (1,)))
        return x * mask


def _sequence(nodes: Sequence[Node]) -> nn.Sequential:
    found = zip(nodes, overwritable(nodes), strict=True)
    return nn.Sequential(*(_module(node, in_place) for node, in_place in found))


def _module(node: Node, in_place: bool) -> nn.Module:
    if isinstance(node, Sum):
        return Residual(_sequence(node.body), _sequence(node.shortcut))
    if node.op == "activation":
        return _activation(**node.settings, in_place=in_place)
    module = _layer(node)
    return module.requires_grad_(False) if node.lr_factor == 0 else module


def _layer(layer: Layer) -> nn.Module:
    settings = layer.settings
    match layer.op:
        case "prepare":
            return Prepare(settings["size"], layer.input_shape)
        case "conv":
            return nn.Conv2d(
                layer.input_shape[0],
                layer.output_shape[0],
                settings["kernel"],
                settings["stride"],
                settings["padding"],
                bias=settings["bias"],
            )
        case "norm":
            if layer.lr_factor == 0:
                return FrozenNorm(layer.input_shape[0]).eval()
            kind = nn.BatchNorm2d if len(layer.input_shape) == 3 else nn.BatchNorm1d
            return kind(layer.input_shape[0])
        case "pool":
            pool = nn.MaxPool2d if settings["kind"] == "max" else nn.AvgPool2d
            return pool(settings["kernel"], settings["stride"], settings["padding"])
        case "global_pool":
            whole = nn.AdaptiveMaxPool2d if settings["kind"] == "max" else nn.AdaptiveAvgPool2d
            return nn.Sequential(whole(1), nn.Flatten())
        case "dropout":
            return Dropout(settings["p"])
        case "flatten":
            return Flatten()
        case "dense":
            return nn.Linear(layer.input_shape[0], layer.output_shape[0])
    raise AssertionError(f"no module is a '{layer.op}'")


def _activation(name: str, slope: float, in_place: bool) -> nn.Module:
    # In place where the gradient can be computed from the output: one map less to keep for the backward pass.
    made: dict[str, Any] = {
        "relu": lambda: nn.ReLU(in_place),
        "leaky_relu": lambda: nn.LeakyReLU(slope, in_place),
        "elu": lambda: nn.ELU(inplace=in_place),
        "selu": lambda: nn.SELU(in_place),
        "gelu": nn.GELU,
        "tanh": nn.Tanh,
    }
    return made[name]()
