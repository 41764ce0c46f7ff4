"""The spaces of the networks of reports 2 to 5, one family each.

They are trained as in `cnn_all`; those of report 4 with the optimizers that it compared. Their choices are
written out: a search that is resumed by a later version must draw what it would have drawn.
"""

from typing import Any

import optuna

from search.spaces.families import LEARNING_RATES, alone, suggest_training
from search.spaces.flat_names import config_of
from search.spaces.space import Function, space
from trainables.config import Config

#: The optimizers that report 4 compared, with learning rates on a log scale.
GRID = LEARNING_RATES | {"nadam": (1e-4, 1e-2), "adamax": (1e-4, 1e-2), "adadelta": (1e-2, 1.0)}

for _name in ("coursework", "coursework_bn", "anh", "last", "coarse", "model1", "model1_counted"):
    space(alone(_name))


def _deep(name: str) -> Function:
    def function(trial: optuna.Trial) -> Config:
        trial.suggest_categorical("network", (name,))
        names = [f"{name}/{layer}" for layer in ("conv1", "conv2", "conv3", "conv4", "dense")]
        choices = ((16, 32, 64), (16, 32, 64), (32, 64, 128), (32, 64, 128), (64, 128, 256))
        *widths, dense = (trial.suggest_categorical(*each) for each in zip(names, choices, strict=True))
        trial.suggest_float(f"{name}/conv_dropout", 0.0, 0.5)
        trial.suggest_float(f"{name}/head_dropout", 0.0, 0.5)
        suggest_training(trial)
        # The network takes the widths as lists.
        params = {key: value for key, value in trial.params.items() if key not in names}
        return config_of({**params, f"{name}/conv_widths": widths, f"{name}/head_widths": [dense]})

    function.__name__ = name
    function.__doc__ = f"The family {name} alone: the widths of report 3's own random search, dropout, training."
    return function


for _name in ("coarse_deep", "fine"):
    space(_deep(_name))


@space
def baseline(trial: optuna.Trial) -> Config:
    """The family baseline alone: what report 4 compared, pooling, padding, norm, dropout, L2, activation."""
    trial.suggest_categorical("network", ("baseline",))
    trial.suggest_categorical("baseline/width", (0.25, 0.5, 1.0))
    pool = trial.suggest_categorical("baseline/pool", ("none", "max", "average", "mixed"))
    trial.suggest_categorical("baseline/padding", ("valid", "same"))
    trial.suggest_categorical("baseline/norm", (False, True))
    trial.suggest_categorical("baseline/activation", ("relu", "leaky_relu", "elu", "selu", "tanh"))
    _suggest_regularisers(trial, "baseline")
    _suggest_grid_training(trial)
    params: dict[str, Any] = dict(trial.params)
    if pool != "none":
        params["baseline/conv_widths"] = [32, 64, 128]
    return config_of(params)


@space
def baseline_final(trial: optuna.Trial) -> Config:
    """The family baseline_final alone: width, pooling, dropout, L2, training."""
    trial.suggest_categorical("network", ("baseline_final",))
    trial.suggest_categorical("baseline_final/width", (0.5, 1.0, 2.0))
    trial.suggest_categorical("baseline_final/pool", ("max", "average", "mixed"))
    _suggest_regularisers(trial, "baseline_final")
    _suggest_grid_training(trial)
    return config_of(trial.params)


@space
def mlp(trial: optuna.Trial) -> Config:
    """The family mlp alone: shape, width and depth of dense networks, norm, dropout, training."""
    trial.suggest_categorical("network", ("mlp",))
    trial.suggest_categorical("mlp/shape", ("inverted_triangle", "rectangle", "hexagon"))
    trial.suggest_int("mlp/width", 50, 500, log=True)
    trial.suggest_int("mlp/depth", 1, 5)
    trial.suggest_categorical("mlp/norm", (False, True))
    trial.suggest_float("mlp/dropout", 0.0, 0.5)
    suggest_training(trial)
    return config_of(trial.params)


@space
def model2(trial: optuna.Trial) -> Config:
    """The family model2 alone: width, activation, training."""
    trial.suggest_categorical("network", ("model2",))
    trial.suggest_categorical("model2/width", (0.25, 0.5, 1.0))
    trial.suggest_categorical("model2/activation", ("relu", "leaky_relu", "elu"))
    suggest_training(trial)
    return config_of(trial.params)


def _suggest_grid_training(trial: optuna.Trial) -> None:
    optimizer = trial.suggest_categorical("optimizer", tuple(GRID))
    trial.suggest_float(f"{optimizer}/lr", *GRID[optimizer], log=True)
    trial.suggest_categorical("batch_size", (32, 64, 128, 256))
    trial.suggest_categorical("schedule", ("constant", "cosine"))


def _suggest_regularisers(trial: optuna.Trial, name: str) -> None:
    trial.suggest_float(f"{name}/conv_dropout", 0.0, 0.5)
    trial.suggest_float(f"{name}/head_dropout", 0.0, 0.5)
    trial.suggest_categorical(f"{name}/conv_l2", (0.0, 1e-5, 1e-4, 1e-3))
    trial.suggest_categorical(f"{name}/head_l2", (0.0, 1e-5, 1e-4, 1e-3))
