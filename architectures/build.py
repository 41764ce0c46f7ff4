"""From data to `nn.Module`: the one place that names torch's layers."""

from typing import Any

import torch
from torch import Tensor, nn

from architectures.blocks import CNN, Layer, Shape, layers


def build(network: CNN | nn.Module, input_shape: Shape, num_classes: int) -> nn.Module:
    """A module from (N, C, H, W) to logits (N, num_classes), with PyTorch's default initialisation.

    A module is returned as it is. Raises SizeError where a map would vanish.
    """
    if isinstance(network, nn.Module):
        return network
    return nn.Sequential(*(_module(layer) for layer in layers(network, input_shape, num_classes)))


class Flatten(nn.Module):
    """(N, C, H, W) to (N, H·W·C), the order in which channels-last maps lie in memory.

    The published (C, H, W) order is the same function of other weights, and costs a transposition of the maps forward
    and of their gradients backward: 2 to 18 % of a training step on a CPU.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Flatten, without a copy where the maps are channels-last."""
        return maps.permute(0, 2, 3, 1).reshape(len(maps), -1)


class Dropout(nn.Dropout):
    """`nn.Dropout` in half its time on a CPU: a random number makes four decisions, each to 1/65,536.

    torch draws a number for each element, and dropout after every convolution was a tenth of a training step and more.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Zero each element with probability p, and divide the others by 1 - p."""
        if not self.training or not 0 < self.p < 1 or x.device.type != "cpu":
            return super().forward(x)
        drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.int16)[: x.numel()] >= round(self.p * 2**16) - 2**15
        mask = torch.empty_like(x)
        # In the order in which x lies in memory, whatever its format.
        torch.mul(kept.to(x.dtype), 1 / (1 - self.p), out=mask.as_strided(kept.shape, (1,)))
        return x * mask


def _module(layer: Layer) -> nn.Module:
    settings = layer.settings
    match layer.op:
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
            kind = nn.BatchNorm2d if len(layer.input_shape) == 3 else nn.BatchNorm1d
            return kind(layer.input_shape[0])
        case "activation":
            return _activation(**settings)
        case "pool":
            return nn.MaxPool2d(2) if settings["kind"] == "max" else nn.AvgPool2d(2)
        case "global_pool":
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case "dropout":
            return Dropout(settings["p"])
        case "flatten":
            return Flatten()
        case "dense":
            return nn.Linear(layer.input_shape[0], layer.output_shape[0])


def _activation(name: str, slope: float) -> nn.Module:
    # In place where the gradient can be had from the output: one map less to keep for the backward pass.
    made: dict[str, Any] = {
        "relu": lambda: nn.ReLU(inplace=True),
        "leaky_relu": lambda: nn.LeakyReLU(slope, inplace=True),
        "elu": lambda: nn.ELU(inplace=True),
        "selu": lambda: nn.SELU(inplace=True),
        "gelu": nn.GELU,
        "tanh": nn.Tanh,
    }
    return made[name]()
