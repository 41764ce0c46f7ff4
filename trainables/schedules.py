"""How the learning rate changes over a training: one function for each schedule, and a warm-up before any of them.

A schedule maps progress in training to a factor of the learning rate. Its horizon is all epochs of the training.
"""

import math
from collections.abc import Callable

Schedule = Callable[[float, float], float]
"""Images trained and images in all, both without those of a warm-up, to a factor from 0 to 1."""


def _cosine(images: float, total: float) -> float:
    """Half a cosine from 1 to 0 (Loshchilov and Hutter 2017, without restarts)."""
    return (1 + math.cos(math.pi * images / total)) / 2


def _linear(images: float, total: float) -> float:
    """A straight line from 1 to 0."""
    return 1 - images / total


def _one_cycle(images: float, total: float) -> float:
    """From 1/25 to 1 over the first three tenths, then to 4e-6, both as half a cosine (Smith and Topin 2018)."""
    top, low, end = 0.3 * total, 1 / 25, 1 / 250_000
    if images < top:
        return low + (1 - low) * (1 - _cosine(images, top))
    return end + (1 - end) * _cosine(images - top, total - top)


def _step(images: float, total: float) -> float:
    """1, a tenth from half of the training on, a hundredth from three quarters on (He et al. 2016, on CIFAR-10)."""
    return 0.1 ** ((images >= total / 2) + (images >= 3 * total / 4))


SCHEDULES: dict[str, Schedule] = {
    "constant": lambda images, total: 1.0,
    "cosine": _cosine,
    "linear": _linear,
    "one_cycle": _one_cycle,
    "step": _step,
}


def rate_factor(
    schedule: str,
    images: int,
    total: int,
    *,
    batch_size: int,
    warmup: float = 0.0,
    time_decay: float = 0.0,
    steps: float = 0.0,
) -> float:
    """The factor of the learning rate for the next step after `images` images, in `steps` steps.

    warmup: the share of all images over which the factor rises to 1 in a straight line, before the schedule begins.
    time_decay: per step; divides the factor by 1 + time_decay · steps, as Keras's argument `decay` does, also in the
    warm-up.
    """
    before = warmup * total
    if images < before:
        factor = min(1.0, (images + batch_size) / before)
    else:
        factor = SCHEDULES[schedule](images - before, total - before)
    return factor / (1 + time_decay * steps)
