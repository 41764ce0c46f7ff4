"""Whether images of a shape can be trained with a configuration, before anything is trained."""

import torch

from architectures.build import build
from architectures.families import make_network
from trainables.config import Config
from trainables.matrices import kernels_of
from trainables.optimizers import OPTIMIZERS


def check_optimizer(config: Config, shape: tuple[int, ...], num_classes: int) -> None:
    """Raise SizeError for an optimizer that cannot train the network for images (C, H, W)."""
    if OPTIMIZERS[config.optimizer.name].others is None:
        return
    with torch.device("meta"):  # without weights
        network = make_network(config.network.name, config.network.hyperparameters, shape, num_classes)
        kernels_of(config.optimizer.name, list(build(network, shape, num_classes).parameters()))
