"""Spaces by name, and configurations from their flat names."""

import pytest
from optuna.trial import FixedTrial

from search.spaces import SpaceError, config_of
from search.spaces.space import SPACES, draw, space
from trainables.config import ConfigError


def test_flat_names_become_a_configuration():
    config = config_of(
        {
            "network": "cnn6",
            "cnn6/width": 0.5,
            "optimizer": "sgd",
            "sgd/lr": 0.1,
            "sgd/momentum": 0.3,
            "weight_decay": 1e-4,
            "batch_size": 64,
        }
    )
    assert config.network.hyperparameters == {"width": 0.5}
    assert (config.optimizer.lr, config.optimizer.weight_decay, config.optimizer.arguments) == (
        0.1,
        1e-4,
        {"momentum": 0.3},
    )
    assert config.training.batch_size == 64


def test_a_space_that_ends_the_process_is_an_error_as_any_other():
    def leaves(trial):
        raise SystemExit("bye")

    with pytest.raises(SpaceError, match="^the space raised SystemExit: bye$"):
        draw(leaves, FixedTrial({}))


def test_two_spaces_of_one_name_are_refused():
    with pytest.raises(ValueError, match="exists already"):
        space(SPACES["cnn_all"])


def test_a_space_may_draw_a_transforms_strength():
    params = {"network": "cnn5", "optimizer": "sgd", "sgd/lr": 0.1, "cutout": 8, "mixup": 0.0}
    assert config_of(params).training.transforms == {"cutout": 8}


def test_a_name_that_is_no_part_of_a_configuration_is_refused():
    with pytest.raises(ConfigError, match="training has no 'momentum'; known: batch_size"):
        config_of({"network": "cnn5", "optimizer": "sgd", "sgd/lr": 0.1, "momentum": 0.5})
