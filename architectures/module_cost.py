"""The cost of a user's own module, which is built and called once, on the meta device if possible."""

import atexit
import gc
from collections.abc import Callable
from math import prod

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from architectures.cost import Cost
from architectures.errors import one_line
from architectures.layers import Shape, SizeError

# FlopCounterMode imports triton, whose bindings print a report of leaks if Python's last collection leaves it out.
atexit.register(gc.unfreeze)


def module_cost(make: Callable[[], nn.Module], input_shape: Shape, num_classes: int) -> Cost:
    """The cost of the module that a function makes, for images (C, H, W).

    Activations are the outputs of all leaf modules. Raises SizeError when the module does not take such images or
    does not return a logit for each class, ValueError when its forward pass raises.
    """
    try:
        found, logits = _forward(make, input_shape, "meta")
    except Exception:
        # A network may read values, which the meta device does not have; then its weights are allocated once.
        found, logits = _forward(make, input_shape, "cpu")
    if not isinstance(logits, torch.Tensor) or logits.shape != (1, num_classes):
        returned = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise SizeError(f"it must return (N, {num_classes}) logits, returns {returned} for N = 1")
    return found


def statistics(module: nn.Module) -> int:
    """Numbers that a module saves besides its parameters, such as running means and variances; no counters."""
    parameters = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    saved = (value for name, value in module.state_dict().items() if name not in parameters)
    return sum(value.numel() for value in saved if value.is_floating_point())


def _forward(make: Callable[[], nn.Module], input_shape: Shape, device: str) -> tuple[Cost, object]:
    with torch.device(device):
        module = make()
    kept = largest = 0

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        nonlocal kept, largest
        if isinstance(output, torch.Tensor):
            kept += output.nbytes
            largest = max(largest, output.nbytes)

    for leaf in module.modules():
        if not list(leaf.children()):
            leaf.register_forward_hook(count)
    shape = "×".join(map(str, input_shape))
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            logits = module.eval()(torch.rand(1, *input_shape, device=device))
    except RuntimeError as error:
        raise SizeError(f"it does not take {shape} images: {error}") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"its forward raised {one_line(error, named=True)}") from error
    parameters = sum(p.numel() for p in module.parameters())
    fixed = sum(p.numel() for p in module.parameters() if not p.requires_grad)
    passing, pixels = 2 * largest, prod(input_shape[1:])  # an input is seldom larger than the largest output
    return Cost(parameters, counter.get_total_flops(), kept, statistics(module), fixed, passing, pixels), logits
