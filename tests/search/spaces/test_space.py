"""Spaces by name, and configurations from their flat names."""

import numpy as np
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


@pytest.mark.parametrize("choices", [np.array([32, 64]), np.eye(2), (np.sin, np.cos), (32, {64}), (True, np.bool_(0))])
def test_choices_that_a_ledger_cannot_hold_are_refused_by_name(choices):
    with pytest.raises(SpaceError, match=r"^'batch_size' has a choice that is not plain JSON \(.*its tolist\(\)$"):
        draw(lambda trial: trial.suggest_categorical("batch_size", choices), FixedTrial({"batch_size": 32}))


def test_numpys_numbers_that_are_python_numbers_too_are_choices():
    def rates(trial):
        lr = trial.suggest_categorical("sgd/lr", np.array([0.1, 0.2]))
        return config_of({"network": "cnn5", "optimizer": "sgd", "sgd/lr": lr})

    assert draw(rates, FixedTrial({"sgd/lr": 0.2})).optimizer.lr == 0.2


def test_two_spaces_of_one_name_are_refused():
    with pytest.raises(ValueError, match="exists already"):
        space(SPACES["cnn_all"])


def test_a_space_may_draw_a_transforms_strength():
    params = {"network": "cnn5", "optimizer": "sgd", "sgd/lr": 0.1, "cutout": 8, "mixup": 0.0}
    assert config_of(params).training.transforms == {"cutout": 8}


def test_a_name_that_is_no_part_of_a_configuration_is_refused():
    with pytest.raises(ConfigError, match="training has no 'momentum'; known: batch_size"):
        config_of({"network": "cnn5", "optimizer": "sgd", "sgd/lr": 0.1, "momentum": 0.5})
