"""What a network costs, from its data alone: no weight is allocated."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from architectures.spec import CNN, Shape, SizeError, layers

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
        return _module_cost(network, input_shape, num_classes)
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


def _module_cost(make: Callable[[], nn.Module], input_shape: Shape, num_classes: int) -> Cost:
    try:
        found, logits = _forward(make, input_shape, "meta")
    except Exception:
        # A network may look at values, which the meta device has none of; then it is built for once.
        found, logits = _forward(make, input_shape, "cpu")
    if not isinstance(logits, torch.Tensor) or logits.shape != (1, num_classes):
        returned = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise SizeError(f"it must return (N, {num_classes}) logits, returns {returned} for N = 1")
    return found


def _forward(make: Callable[[], nn.Module], input_shape: Shape, device: str) -> tuple[Cost, object]:
    with torch.device(device):
        module = make()
    kept = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal kept
        if isinstance(output, torch.Tensor):
            kept += output.numel() * output.element_size()

    for leaf in module.modules():
        if not list(leaf.children()):
            leaf.register_forward_hook(count)
    shape = "×".join(map(str, input_shape))
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            logits = module.eval()(torch.rand(1, *input_shape, device=device))
    except RuntimeError as error:
        raise SizeError(f"it does not take {shape} images: {error}") from error
    except Exception as error:
        raise ValueError(f"its forward raised {type(error).__name__}: {error}") from error
    return Cost(sum(p.numel() for p in module.parameters()), counter.get_total_flops(), kept), logits
