"""What is known of a training before it begins."""

import pytest
import torch
from torch import nn

from architectures.build import build
from architectures.families import FAMILIES
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.fits import _matrices


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_matrices_of_a_family_are_counted_without_building_it(name: str) -> None:
    config = Config(NetworkConfig(name, {}), OptimizerConfig("muon", 0.01), TrainingConfig(batch_size=2))
    with torch.device("meta"):
        built = build(FAMILIES[name](), (3, 64, 64), 10)
    assert _matrices(config, (3, 64, 64), 10) == sum(parameter.dim() > 1 for parameter in built.parameters())


def test_the_matrices_of_a_users_network_are_counted() -> None:
    name = f"{__name__}:perceptron"
    config = Config(NetworkConfig(name, {"depth": 3}), OptimizerConfig("muon", 0.01), TrainingConfig(batch_size=2))
    assert _matrices(config, (3, 8, 8), 10) == 3


def perceptron(depth: int) -> nn.Module:
    """A network of so many layers."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(192, 8), *(nn.Linear(8, 8) for _ in range(depth - 2)), nn.Linear(8, 10)
    )
