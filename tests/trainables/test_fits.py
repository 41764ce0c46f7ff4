"""What is known of a training before it begins."""

from typing import Any

import pytest
import torch
from torch import nn

from architectures.build import build
from architectures.families import FAMILIES, make_without_weights
from architectures.layers import SizeError
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.fits import _matrices, check_training

TRANSFER = ("vgg16", "vgg19", "resnet50")


@pytest.mark.parametrize("name", list(FAMILIES))
def test_the_trained_matrices_of_a_family_are_counted_without_building_it(name: str) -> None:
    network = make_without_weights(name, {}, (3, 64, 64), 10)
    with torch.device("meta"):
        built = build(FAMILIES[name](), (3, 64, 64), 10)
    trained = [parameter for parameter in built.parameters() if parameter.requires_grad]
    assert _matrices(network, (3, 64, 64), 10) == sum(parameter.dim() > 1 for parameter in trained)


def test_the_matrices_of_a_users_network_are_counted() -> None:
    network = make_without_weights(f"{__name__}:perceptron", {"depth": 3}, (3, 8, 8), 10)
    assert _matrices(network, (3, 8, 8), 10) == 3


def test_a_network_that_trains_no_matrix_but_that_of_its_logits_does_not_fit_an_optimizer_of_matrices() -> None:
    def config(name: str, **hyperparameters: Any) -> Config:
        return Config(NetworkConfig(name, hyperparameters), OptimizerConfig("muon", 0.02), TrainingConfig())

    check_training(config("resnet50", body_lr=0.1), (3, 64, 64), 10)
    check_training(config("resnet50", head_widths=[8]), (3, 64, 64), 10)
    for frozen in (config("resnet50"), config(f"{__name__}:frozen")):
        with pytest.raises(SizeError, match="has none to train besides that of its logits"):
            check_training(frozen, (3, 64, 64), 10)


@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_batch_of_one_image_is_refused_where_a_norm_cannot_be_computed(name: str) -> None:
    """A smallest training of each family that can be trained so, and torch's refusal of each that cannot."""
    network = NetworkConfig(name, {"weights": "random", "body_lr": 0.0, "size": 32} if name in TRANSFER else {})
    shape = (3, 32, 32)
    model = build(make_without_weights(name, network.hyperparameters, shape, 10), shape, 10).train()
    config = Config(network, OptimizerConfig("sgd", 0.1), TrainingConfig(batch_size=1))
    try:
        model(torch.rand(1, *shape))
    except ValueError as error:
        assert "more than 1 value per channel" in str(error)
        with pytest.raises(SizeError, match="batch_size must be at least 2 for this network, got 1: batch norm in"):
            check_training(config, shape, 10)
    else:
        check_training(config, shape, 10)
    check_training(config.with_training(batch_size=2), shape, 10)


@pytest.mark.parametrize(("augment", "padding", "side"), [("flip-crop", 3, 4090), ("none", 48, 4000)])
def test_images_too_large_to_be_moved_are_refused(augment: str, padding: int, side: int) -> None:
    config = Config(NetworkConfig("mlp"), OptimizerConfig("sgd", 0.1), TrainingConfig(augment=augment))
    check_training(config.with_training(crop_padding=padding), (1, side, side), 10)
    with pytest.raises(SizeError, match=r"may have up to 16,777,216 pixels .* \(--image-size\)"):
        check_training(config.with_training(crop_padding=padding + 1), (1, side, side), 10)
    check_training(config.with_training(augment="none", crop_padding=0), (1, 9000, 9000), 10)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
def test_an_average_of_a_network_that_cannot_be_copied_is_refused() -> None:
    config = Config(NetworkConfig(f"{__name__}:normed"), OptimizerConfig("sgd", 0.1), TrainingConfig())
    check_training(config, (3, 8, 8), 10)
    with pytest.raises(SizeError, match="ema averages a copy of the network, which cannot be copied: Only Tensors"):
        check_training(config.with_training(ema=0.5), (3, 8, 8), 10)
    for name in ("cnn5", f"{__name__}:frozen"):
        check_training(Config(NetworkConfig(name), config.optimizer, TrainingConfig(ema=0.5)), (3, 64, 64), 10)


def normed() -> nn.Module:
    """A network whose weight is computed from others before each call, in torch's older way."""
    return nn.Sequential(nn.Flatten(), nn.utils.weight_norm(nn.Linear(192, 10)))


def frozen() -> nn.Module:
    """A network whose last layer alone is trained."""
    return nn.Sequential(nn.Flatten(), nn.Linear(12288, 8).requires_grad_(False), nn.Linear(8, 10))


def perceptron(depth: int) -> nn.Module:
    """A network of so many layers."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(192, 8), *(nn.Linear(8, 8) for _ in range(depth - 2)), nn.Linear(8, 10)
    )
