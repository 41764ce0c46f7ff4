"""The spaces of residual networks, of networks from speed records and of torchvision's, one family each.

All but torchvision's are trained as in `modern`.
Their choices are written out: a search that is resumed by a later version must draw what it would have drawn.
"""

import optuna

from search.spaces.flat_names import config_of
from search.spaces.modern import completed, suggest_training
from search.spaces.space import Function, space
from trainables.config import Config

#: Learning rates of a new head; those of the body are these times `body_lr`.
LEARNING_RATES = {"sgd_nesterov": (1e-3, 0.3), "adamw": (1e-4, 1e-2)}


@space
def resnet(trial: optuna.Trial) -> Config:
    """The family resnet alone: width, blocks a stage, their kind and order, and training as in modern.

    As there, cutmix is not applied in runs shorter than 40 epochs, and learning rates are for batches of 64.
    """
    trial.suggest_categorical("network", ("resnet",))
    trial.suggest_categorical("resnet/width", (0.125, 0.25, 0.5, 1.0))
    blocks = trial.suggest_categorical("resnet/blocks", (1, 2, 3))
    trial.suggest_categorical("resnet/block", ("basic", "bottleneck"))
    trial.suggest_categorical("resnet/order", ("post", "pre"))
    suggest_training(trial)
    # The network takes the blocks of each of its four stages.
    params = {key: value for key, value in trial.params.items() if key != "resnet/blocks"}
    return completed(config_of({**params, "resnet/depths": [blocks] * 4}))


@space
def wide_resnet(trial: optuna.Trial) -> Config:
    """The family wide_resnet alone: depth, width, dropout, and training as in modern.

    As there, cutmix is not applied in runs shorter than 40 epochs, and learning rates are for batches of 64.
    """
    trial.suggest_categorical("network", ("wide_resnet",))
    trial.suggest_categorical("wide_resnet/depth", (10, 16, 22, 28))
    trial.suggest_categorical("wide_resnet/width", (1.0, 2.0, 4.0))
    trial.suggest_float("wide_resnet/dropout", 0.0, 0.3)
    suggest_training(trial)
    return completed(config_of(trial.params))


def _speed(name: str) -> Function:
    def function(trial: optuna.Trial) -> Config:
        trial.suggest_categorical("network", (name,))
        trial.suggest_categorical(f"{name}/width", (0.125, 0.25, 0.5, 1.0))
        trial.suggest_categorical(f"{name}/activation", ("relu", "gelu"))
        suggest_training(trial)
        return completed(config_of(trial.params))

    function.__name__ = name
    function.__doc__ = (
        f"The family {name} alone: width, activation, and training as in modern.\n\n"
        "As there, cutmix is not applied in runs shorter than 40 epochs, and learning rates are for batches of 64."
    )
    return function


for _name in ("resnet9", "plain9", "airbench"):
    space(_speed(_name))


def _transfer(name: str) -> Function:
    def function(trial: optuna.Trial) -> Config:
        trial.suggest_categorical("network", (name,))
        trial.suggest_categorical(f"{name}/weights", ("imagenet",))
        trial.suggest_categorical(f"{name}/body_lr", (0.0, 0.01, 0.1))
        trial.suggest_categorical(f"{name}/size", (64, 128, 224))
        trial.suggest_float(f"{name}/head_dropout", 0.0, 0.5)
        _suggest_head_training(trial)
        return config_of(trial.params)

    function.__name__ = name
    function.__doc__ = f"The family {name} alone, with ImageNet's weights: frozen or not, images' size, head, training."
    return function


for _name in ("vgg16", "vgg19", "resnet50"):
    space(_transfer(_name))


def _suggest_head_training(trial: optuna.Trial) -> None:
    optimizer = trial.suggest_categorical("optimizer", ("sgd_nesterov", "adamw"))
    trial.suggest_float(f"{optimizer}/lr", *LEARNING_RATES[optimizer], log=True)
    if optimizer == "sgd_nesterov":
        trial.suggest_float("sgd_nesterov/momentum", 0.8, 0.98)
    trial.suggest_float("weight_decay", 1e-5, 3e-3, log=True)
    trial.suggest_categorical("batch_size", (32, 64, 128))
    trial.suggest_categorical("label_smoothing", (0.0, 0.1))
    trial.suggest_categorical("schedule", ("cosine",))
