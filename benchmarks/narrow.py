"""A space for benchmarks: `cnn_all` with networks so small that what surrounds their steps counts."""

from dataclasses import replace

import optuna

from search.spaces import find_space
from trainables.config import Config

WIDTH = 0.125


def small(trial: optuna.Trial) -> Config:
    """A draw of `cnn_all` at an eighth of the width."""
    drawn = find_space("cnn_all").function
    assert drawn is not None
    config = drawn(trial)
    return replace(
        config, network=replace(config.network, hyperparameters={**config.network.hyperparameters, "width": WIDTH})
    )
