"""Whether images of a shape can be trained with a configuration, before anything is trained; mostly without torch."""

from collections.abc import Mapping

from architectures.blocks import Network
from architectures.families import make_without_weights
from architectures.layers import SizeError, layers
from trainables.config import Config
from trainables.optimizers import OPTIMIZERS
from trainables.transforms import TRANSFORMS


def check_training(config: Config, shape: tuple[int, ...], num_classes: int) -> None:
    """Raise SizeError if images (C, H, W) do not fit a transform, or the network does not fit the optimizer.

    The network itself must take such images.
    """
    check_transforms(config.training.transforms, shape)
    if OPTIMIZERS[config.optimizer.name].others is not None:
        check_matrices(config.optimizer.name, _matrices(config, shape, num_classes))


def check_transforms(strengths: Mapping[str, float], shape: tuple[int, ...]) -> None:
    """Raise SizeError if images of this shape (C, H, W) are too small for a transform."""
    for name, strength in strengths.items():
        if misfit := TRANSFORMS[name].misfit(strength, shape):
            raise SizeError(misfit)


def check_matrices(optimizer: str, number: int) -> None:
    """Raise SizeError if a network has no matrix or kernel besides that of its logits. number: with that one."""
    if number < 2:
        raise SizeError(
            f"optimizer '{optimizer}' trains matrices, and this network has none besides that of its logits; "
            "take another optimizer"
        )


def _matrices(config: Config, shape: tuple[int, ...], num_classes: int) -> int:
    """How many matrices and kernels a configuration's network has."""
    network = make_without_weights(config.network.name, config.network.hyperparameters, shape, num_classes)
    if isinstance(network, Network):
        return sum(layer.op in ("conv", "dense") for layer in layers(network.walk(shape, num_classes)))
    return sum(parameter.dim() > 1 for parameter in network.parameters())
