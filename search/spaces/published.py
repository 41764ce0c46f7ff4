"""The published search space (Lopez 2024): eight networks, four optimizers, batch size 8.

It is written out, so that networks and optimizers that are added later do not change it.
"""

import optuna

from search.spaces.flat_names import config_of
from search.spaces.space import space
from trainables.config import Config

NETWORKS = ("cnn1", "cnn2", "cnn3", "cnn4", "cnn5", "cnn6", "cnn7", "cnn8")
OPTIMIZERS = ("adam", "rmsprop", "adagrad", "sgd")
#: Each optimizer's learning rates: least, largest, and whether they are drawn on a log scale.
LEARNING_RATES = {
    "adam": (1e-4, 1e-1, False),
    "rmsprop": (1e-4, 1e-1, True),
    "adagrad": (1e-3, 1e-1, True),
    "sgd": (1e-5, 1e-1, True),
}
#: Each optimizer's other arguments, drawn uniformly: least and largest.
ARGUMENTS = {
    "adam": {"beta1": (0.8, 0.99999), "beta2": (0.8, 0.99999999)},
    "rmsprop": {"alpha": (0.8, 1.0), "momentum": (0.0, 0.5)},
    "adagrad": {"initial_accumulator_value": (0.0, 0.3), "lr_decay": (0.0, 0.1)},
    "sgd": {"momentum": (0.0, 0.4), "dampening": (0.0, 0.4)},
}


@space
def cnn_published(trial: optuna.Trial) -> Config:
    """The published search: eight networks as they were, four optimizers with exactly their ranges, batch size 8."""
    trial.suggest_categorical("network", NETWORKS)
    optimizer = trial.suggest_categorical("optimizer", OPTIMIZERS)
    low, high, log = LEARNING_RATES[optimizer]
    trial.suggest_float(f"{optimizer}/lr", low, high, log=log)
    suggest_arguments(trial, optimizer)
    trial.suggest_categorical("batch_size", (8,))
    return config_of(trial.params)


def suggest_arguments(trial: optuna.Trial, optimizer: str) -> None:
    """Draw an optimizer's own arguments from the published ranges."""
    for name, (low, high) in ARGUMENTS[optimizer].items():
        trial.suggest_float(f"{optimizer}/{name}", low, high)
