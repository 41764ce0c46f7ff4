"""Whether images of a shape can be trained with a configuration, before anything is trained."""

import torch

from architectures.build import build
from architectures.families import make_network
from trainables.config import Config
from trainables.matrices import kernels_of
from trainables.optimizers import OPTIMIZERS
from trainables.transforms.apply import check_fits


def check_training(config: Config, shape: tuple[int, ...], num_classes: int) -> None:
    """Raise SizeError if images (C, H, W) do not fit a transform, or the network does not fit the optimizer.

    The network itself must take such images.
    """
    check_fits(config.training.transforms, shape)
    network = config.network
    if OPTIMIZERS[config.optimizer.name].others is not None:
        with torch.device("meta"):  # without weights
            made = make_network(network.name, network.hyperparameters, shape, num_classes)
            kernels_of(config.optimizer.name, list(build(made, shape, num_classes).parameters()))
