"""Parameters with their own factor on the learning rate, or their own penalty."""

from dataclasses import dataclass

from torch import nn

from architectures.blocks import Network
from architectures.layers import Shape


@dataclass(frozen=True)
class Tuning:
    """How a parameter is trained."""

    lr_factor: float = 1.0
    """Factor on the learning rate."""
    l2: float = 0.0
    """λ of the penalty λ·Σw², whose gradient is 2λ·w. An optimizer with decoupled weight decay (AdamW, Muon) adds 2λ to
    that decay instead, which has no effect on kernels whose norm Muon keeps."""


def tunings(
    network: Network | nn.Module, module: nn.Module, input_shape: Shape, num_classes: int
) -> dict[nn.Parameter, Tuning]:
    """The tuning of each parameter in a network's module that is not trained like the others.

    Biases have no penalty. Frozen parameters require no gradient and are left out.
    """
    if not isinstance(network, Network):
        return {}
    walked = (layer for layer in network.layers(input_shape, num_classes) if layer.parameters)
    leaves = (part for part in module.modules() if any(True for _ in part.parameters(recurse=False)))
    found = {
        parameter: Tuning(layer.lr_factor, layer.l2 if name == "weight" else 0.0)
        for layer, leaf in zip(walked, leaves, strict=True)
        for name, parameter in leaf.named_parameters(recurse=False)
        if parameter.requires_grad
    }
    return {parameter: tuning for parameter, tuning in found.items() if tuning != Tuning()}
