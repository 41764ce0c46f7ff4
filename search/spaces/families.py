"""The spaces of the published families with their hyperparameters: `cnn_all`, and each family alone.

Their choices are written out: a search that is resumed by a later version must draw what it would have drawn.
"""

import optuna

from search.spaces.flat_names import config_of
from search.spaces.published import NETWORKS, OPTIMIZERS, suggest_arguments
from search.spaces.space import Function, space
from trainables.config import Config

ACTIVATIONS = ("published", "relu", "leaky_relu", "elu", "selu", "gelu", "tanh")
#: The published ranges, except that every rate is drawn on a log scale and Adam's ends at 1e-2.
LEARNING_RATES = {"adam": (1e-4, 1e-2), "rmsprop": (1e-4, 1e-1), "adagrad": (1e-3, 1e-1), "sgd": (1e-5, 1e-1)}


@space
def cnn_all(trial: optuna.Trial) -> Config:
    """All eight families with their hyperparameters, four optimizers, batch size, smoothing, decay and schedule."""
    return _draw(trial, trial.suggest_categorical("network", NETWORKS))


def _draw(trial: optuna.Trial, network: str) -> Config:
    """Draw a plain family's hyperparameters, an optimizer with its arguments, and how to train."""
    trial.suggest_categorical(f"{network}/width", (0.25, 0.5, 0.75, 1.0))
    trial.suggest_categorical(f"{network}/activation", ACTIVATIONS)
    trial.suggest_categorical(f"{network}/pool", ("published", "max", "average"))
    trial.suggest_categorical(f"{network}/norm", ("published", "everywhere", "none"))
    trial.suggest_float(f"{network}/conv_dropout", 0.0, 0.3)
    trial.suggest_float(f"{network}/head_dropout", 0.0, 0.5)
    suggest_training(trial)
    return config_of(trial.params)


def suggest_training(trial: optuna.Trial) -> None:
    """Draw an optimizer with its own arguments, and how to train."""
    optimizer = trial.suggest_categorical("optimizer", OPTIMIZERS)
    trial.suggest_float(f"{optimizer}/lr", *LEARNING_RATES[optimizer], log=True)
    suggest_arguments(trial, optimizer)
    trial.suggest_float("weight_decay", 1e-6, 1e-3, log=True)
    trial.suggest_categorical("batch_size", (32, 64, 128, 256))
    trial.suggest_categorical("label_smoothing", (0.0, 0.1))
    trial.suggest_categorical("schedule", ("constant", "cosine"))


def alone(name: str) -> Function:
    """The space of one plain family."""

    def function(trial: optuna.Trial) -> Config:
        return _draw(trial, trial.suggest_categorical("network", (name,)))

    function.__name__ = name
    function.__doc__ = f"The family {name} alone, with everything that cnn_all varies."
    return function


for _name in NETWORKS:
    space(alone(_name))
