"""From data to `nn.Module`: the one place that names torch's layers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from architectures.blocks import Network
from architectures.layers import Layer, Node, Shape, Sum, overwritable


def build(network: Network | nn.Module, input_shape: Shape, num_classes: int) -> nn.Module:
    """A module from (N, C, H, W) to logits (N, num_classes), with PyTorch's default initialisation.

    A module is returned as it is. Raises SizeError where a map would vanish.
    """
    if isinstance(network, nn.Module):
        return network
    return _sequence(network.walk(input_shape, num_classes))


def capturable(network: Network | nn.Module) -> bool:
    """Whether a training step of the network can be captured as a CUDA graph.

    A module of the user's own may wait for the device, which no capture survives.
    """
    return isinstance(network, Network)


class Flatten(nn.Module):
    """(N, C, H, W) to (N, H·W·C), the order in which channels-last maps lie in memory.

    The published (C, H, W) order is the same function of other weights, and costs a transposition of the maps forward
    and of their gradients backward: 2 to 18 % of a training step on a CPU.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Flatten, without a copy where the maps are channels-last."""
        return maps.permute(0, 2, 3, 1).flatten(1)


class Residual(nn.Module):
    """The sum of a body and of a shortcut around it, (N, C, H, W) to (N, C', H', W')."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, maps: Tensor) -> Tensor:
        """Add what both make of the maps."""
        return self.body(maps) + self.shortcut(maps)


class Dropout(nn.Dropout):
    """`nn.Dropout` in half its time on a CPU: each random number decides about four elements.

    The probability is therefore rounded to 1/65,536. torch draws a number for each element, which took a tenth of a
    training step and more where dropout follows every convolution.
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


def _sequence(nodes: Sequence[Node]) -> nn.Sequential:
    found = zip(nodes, overwritable(nodes), strict=True)
    return nn.Sequential(*(_module(node, in_place) for node, in_place in found))


def _module(node: Node, in_place: bool) -> nn.Module:
    if isinstance(node, Sum):
        return Residual(_sequence(node.body), _sequence(node.shortcut))
    if node.op == "activation":
        return _activation(**node.settings, in_place=in_place)
    return _layer(node)


def _layer(layer: Layer) -> nn.Module:
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
    # In place where the gradient can be had from the output: one map less to keep for the backward pass.
    made: dict[str, Any] = {
        "relu": lambda: nn.ReLU(in_place),
        "leaky_relu": lambda: nn.LeakyReLU(slope, in_place),
        "elu": lambda: nn.ELU(inplace=in_place),
        "selu": lambda: nn.SELU(in_place),
        "gelu": nn.GELU,
        "tanh": nn.Tanh,
    }
    return made[name]()
