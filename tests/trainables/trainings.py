"""Small trainings for the tests of the loop."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from trainables.config import Config
from trainables.training import Measurement, Training

Make = Callable[..., Training]

STILL = 1e-30  # a learning rate that changes no weight in float32
ARGUMENTS: dict[str, dict[str, float]] = {
    "adam": {"lr": 0.003, "beta1": 0.85},
    "rmsprop": {"lr": 0.001, "momentum": 0.3},
    "adagrad": {"lr": 0.02, "lr_decay": 0.01},
    "sgd": {"lr": 0.05, "momentum": 0.4, "dampening": 0.2},
}


def configured(
    *, optimizer: dict[str, Any] | None = None, network: dict[str, Any] | None = None, **training: Any
) -> Config:
    """Make a small cnn5 with SGD on plain images, in batches of 32 for three epochs, with these changes."""
    return Config.from_json(
        {
            "network": {"name": "cnn5", "width": 0.25, **(network or {})},
            "optimizer": {"name": "sgd", "lr": 0.05, **(optimizer or {})},
            "training": {"batch_size": 32, "epochs": 3, "augment": "none", **training},
        }
    )


def everything(name: str) -> Config:
    """Make a configuration with every kind of state and randomness: norm, dropout, augmentation, cosine."""
    network = {"norm": "everywhere", "conv_dropout": 0.2, "head_widths": [16], "head_dropout": 0.3}
    training = {"augment": "published", "schedule": "cosine", "label_smoothing": 0.1}
    return configured(
        optimizer={"name": name, "weight_decay": 1e-4} | ARGUMENTS.get(name, {"lr": 0.003}), network=network, **training
    )


def run(training: Training) -> list[Measurement]:
    measured = []
    while not training.finished:
        measured.append(untimed(training.run_segment()))
    return measured


def untimed(measurement: Measurement) -> Measurement:
    return replace(measurement, seconds=0.0, images_per_second=0.0)


def same_weights(first: Training, second: Training) -> bool:
    ours, theirs = first.model.state_dict(), second.model.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def warmed_up(work: Callable[[], None]) -> Callable[[], None]:
    """Stand in for a CUDA graph: the work runs to warm up, and again whenever it is launched."""
    for _ in range(3):
        work()
    return work
