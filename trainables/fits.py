"""Whether images of a shape can be trained with a configuration, before anything is trained; mostly without torch."""

from collections.abc import Mapping
from copy import deepcopy
from math import prod
from typing import TYPE_CHECKING

from architectures.blocks import Network
from architectures.errors import one_line
from architectures.families import make_without_weights
from architectures.layers import SizeError, layers
from trainables.config import Config
from trainables.optimizers import OPTIMIZERS
from trainables.transforms import TRANSFORMS

if TYPE_CHECKING:
    from torch import nn


def check_training(config: Config, shape: tuple[int, ...], num_classes: int) -> None:
    """Raise SizeError if images (C, H, W) do not fit the augmentation, or the network does not fit how it is trained.

    The network itself must take such images. Without an augmentation in the configuration its default is checked.
    """
    check_transforms(config.training.transforms, shape)
    if misfit := config.training.augmentation.misfit(shape):
        raise SizeError(misfit)
    is_averaged, is_single = config.training.ema is not None, config.training.batch_size == 1
    is_by_matrices = OPTIMIZERS[config.optimizer.name].others is not None
    if not (is_averaged or is_single or is_by_matrices):
        return
    network = make_without_weights(config.network.name, config.network.hyperparameters, shape, num_classes)
    if is_averaged:
        _check_copy(network)
    if is_single:
        _check_norms(network, shape, num_classes)
    if is_by_matrices:
        check_matrices(config.optimizer.name, _matrices(network, shape, num_classes))


def check_transforms(strengths: Mapping[str, float], shape: tuple[int, ...]) -> None:
    """Raise SizeError if images of this shape (C, H, W) are too small for a transform."""
    for name, strength in strengths.items():
        if misfit := TRANSFORMS[name].misfit(strength, shape):
            raise SizeError(misfit)


def _check_copy(network: "Network | nn.Module") -> None:
    """Raise SizeError if a module of the user's cannot be copied, as an average of its weights is."""
    if isinstance(network, Network):
        return
    try:
        deepcopy(network)
    except Exception as error:  # a module may hold anything
        raise SizeError(f"ema averages a copy of the network, which cannot be copied: {one_line(error)}") from error


def _check_norms(network: "Network | nn.Module", shape: tuple[int, ...], num_classes: int) -> None:
    """Raise SizeError if a norm would get a single number of each channel in a step of one image."""
    for layer in layers(network.walk(shape, num_classes)) if isinstance(network, Network) else ():
        if layer.op == "norm" and layer.lr_factor and prod(layer.input_shape[1:]) == 1:
            raise SizeError(
                f"batch_size must be at least 2 for this network, got 1: batch norm in {layer.block} has one value per "
                "channel and image, so it needs at least two images"
            )


def check_matrices(optimizer: str, number: int) -> None:
    """Raise SizeError if a network trains no matrix or kernel besides that of its logits. number: with that one."""
    if number < 2:
        raise SizeError(
            f"optimizer '{optimizer}' trains matrices, and this network has none to train besides that of its logits; "
            "use another optimizer"
        )


def _matrices(network: "Network | nn.Module", shape: tuple[int, ...], num_classes: int) -> int:
    """How many matrices and kernels of a network are trained."""
    if isinstance(network, Network):
        found = layers(network.walk(shape, num_classes))
        return sum(layer.op in ("conv", "dense") and layer.lr_factor != 0 for layer in found)
    return sum(parameter.dim() > 1 and parameter.requires_grad for parameter in network.parameters())
