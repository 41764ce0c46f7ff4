"""What a network costs, from its data alone: no weight is allocated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from architectures.blocks import CNN, Shape, layers

if TYPE_CHECKING:
    from torch import nn

# Bytes that autograd keeps for each element of a layer's output (float32), as torch's saved tensors show:
# a convolution's output is kept by what follows it, max pooling keeps an int64 index, dropout a byte mask.
_KEPT_BYTES = {
    "conv": 4,
    "norm": 4,
    "activation": 4,
    "pool": 4 + 8,
    "global_pool": 4,
    "dropout": 4 + 1,
    "flatten": 0,
    "dense": 4,
}
_IN_PLACE = ("relu", "leaky_relu", "elu", "selu")


@dataclass(frozen=True)
class Cost:
    """parameters: a count. flops: forward, one image. activation_bytes: kept for the backward pass, one image."""

    parameters: int
    flops: int
    activation_bytes: int


def cost(network: CNN | Callable[[], nn.Module], input_shape: Shape, num_classes: int) -> Cost:
    """The cost of a network for images (C, H, W); a function that makes a module is measured on the meta device.

    Activations of a module are counted as what each of its leaves returns. Raises SizeError as `layers` does,
    or when a module does not take such images or does not return a logit a class.
    """
    if not isinstance(network, CNN):
        from architectures.module_cost import module_cost  # imported late: data is counted without torch

        return module_cost(network, input_shape, num_classes)
    found = layers(network, input_shape, num_classes)
    kept = 4 * prod(input_shape)
    for layer, following in zip(found, [*found[1:], None], strict=True):
        if layer.op == "activation" and layer.settings["name"] in _IN_PLACE:
            continue
        if following and following.op == "activation" and following.settings["name"] == "tanh":
            continue  # tanh's gradient needs its output alone
        size = _KEPT_BYTES[layer.op]
        if layer.op == "pool" and layer.settings["kind"] == "average":
            size = 4
        kept += size * prod(layer.output_shape)
    return Cost(sum(layer.parameters for layer in found), sum(layer.flops for layer in found), kept)
