"""What a module costs: a network of the user's own is built and called once, on the meta device where it can be."""

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from architectures.blocks import Shape, SizeError
from architectures.cost import Cost


def module_cost(make: Callable[[], nn.Module], input_shape: Shape, num_classes: int) -> Cost:
    """The cost of the module that a function makes, as `architectures.cost.cost` gives it."""
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
