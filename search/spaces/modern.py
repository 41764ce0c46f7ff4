"""The spaces of networks and training that make good classifiers: `modern` and `modern_small`.

Their ranges were found good for narrow networks on a few thousand images. Their choices are written out: a search
that is resumed by a later version must draw what it would have drawn.
"""

from dataclasses import replace
from math import sqrt

import optuna

from search.spaces.flat_names import config_of
from search.spaces.space import space
from trainables.config import Config, NetworkConfig

#: Families with the widths that are drawn. A Wide ResNet's width is a factor of 16 channels; the published one is 10.
NETWORKS: dict[str, tuple[float, ...]] = {
    "resnet9": (0.125, 0.1875, 0.25),
    "plain9": (0.125, 0.1875, 0.25),
    "cnn6": (0.125, 0.1875, 0.25),
    "airbench": (0.125, 0.1875, 0.25),
    "wide_resnet": (1.25, 1.875, 2.5),
}
#: Hyperparameters that are not drawn.
FIXED: dict[str, dict[str, int]] = {"wide_resnet": {"depth": 16}}
OPTIMIZERS = ("muon", "sgd_nesterov", "adamw")
#: Learning rates for batches of 64 images, drawn on a log scale. With higher ones Muon may end as well, but is far
#: behind at the rungs, the more so the more steps an epoch has (`results/README.md`).
LEARNING_RATES = {"muon": (0.006, 0.06), "sgd_nesterov": (0.03, 0.4), "adamw": (8e-4, 1e-2)}
#: Weight decays, drawn on a log scale. Muon has none: it keeps the norms of the weights that weight decay would shrink.
WEIGHT_DECAYS = {"sgd_nesterov": (1e-4, 3e-3), "adamw": (0.005, 0.2)}
#: Arguments that are not drawn.
ARGUMENTS: dict[str, dict[str, float]] = {
    "muon": {"momentum": 0.95, "others_lr": 0.002, "keep_norms": 1},
    "sgd_nesterov": {"momentum": 0.9},
    "adamw": {"beta1": 0.9, "beta2": 0.999},
}
_BATCH = 64  # images; learning rates are drawn for this batch size
#: How all are trained: a cosine schedule, validation with averaged weights, and weight decay on weights alone.
TRAINING = {"schedule": "cosine", "ema": 0.5, "decayed": "weights", "augment": "flip-crop", "mixing_from": 40}


@space
def modern(trial: optuna.Trial) -> Config:
    """What makes a good classifier: narrow networks, three optimizers, warm-up, cosine, and averaged weights.

    Cutmix is drawn, but not applied in runs shorter than 40 epochs, as most runs of a search are; a retraining of
    40 epochs or more applies it. Learning rates are drawn for batches of 64: for batches of 128, SGD's are doubled and
    the others multiplied by the root of 2.
    """
    return _narrow(trial, tuple(NETWORKS))


@space
def modern_small(trial: optuna.Trial) -> Config:
    """modern without wide_resnet, whose epochs cost many times as much: for searches on a few cores.

    As in modern, cutmix is not applied in runs shorter than 40 epochs, and learning rates are for batches of 64.
    """
    return _narrow(trial, ("resnet9", "plain9", "cnn6", "airbench"))


def _narrow(trial: optuna.Trial, networks: tuple[str, ...]) -> Config:
    network = trial.suggest_categorical("network", networks)
    trial.suggest_categorical(f"{network}/width", NETWORKS[network])
    suggest_training(trial)
    return completed(config_of(trial.params))


def suggest_training(trial: optuna.Trial) -> None:
    """Draw an optimizer and how to train; `completed` adds what is not drawn."""
    optimizer = trial.suggest_categorical("optimizer", OPTIMIZERS)
    trial.suggest_float(f"{optimizer}/lr", *LEARNING_RATES[optimizer], log=True)
    if optimizer in WEIGHT_DECAYS:
        trial.suggest_float(f"{optimizer}/weight_decay", *WEIGHT_DECAYS[optimizer], log=True)
    trial.suggest_categorical("batch_size", (32, 64, 128))
    trial.suggest_float("warmup", 0.05, 0.25)
    trial.suggest_float("label_smoothing", 0.0, 0.2)
    trial.suggest_float("jitter", 0.0, 0.4)
    trial.suggest_categorical("cutout", (0, 8, 12))
    trial.suggest_categorical("cutmix", (0.0, 0.5))


def completed(config: Config) -> Config:
    """The configuration with what is not drawn, and with learning rates for its own batch."""
    network, drawn, batches = config.network, config.optimizer, config.training.batch_size / _BATCH
    # SGD's rate grows with the batch (Goyal et al. 2017), the others' with its square root (Malladi et al. 2022).
    factor = batches if drawn.name == "sgd_nesterov" else sqrt(batches)
    arguments = dict(ARGUMENTS[drawn.name])
    if "others_lr" in arguments:
        arguments["others_lr"] *= factor
    return replace(
        config.with_training(**TRAINING),
        network=NetworkConfig(network.name, {**FIXED.get(network.name, {}), **network.hyperparameters}),
        optimizer=replace(drawn, lr=drawn.lr * factor, arguments=arguments),
    )
