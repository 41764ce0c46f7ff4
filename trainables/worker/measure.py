"""Measures how fast this machine trains: real steps of some configurations, within a few seconds."""

import time
from collections.abc import Callable, Sequence

import torch

from trainables.batches import batches_of
from trainables.config import Config
from trainables.resident import Resident
from trainables.training import Training
from trainables.worker.speed import LARGEST_BATCH, STEPS, Speed, images_for

MORE_SECONDS = 0.1  # for more steps of a configuration whose steps are short


def measure(
    configs: Sequence[Config],
    images: Resident,
    *,
    precision: str,
    budget: float,
    progress: Callable[[], None] = lambda: None,
) -> list[Speed | None]:
    """Speeds in the order of the configurations; None for one that fails, whose trial will say why.

    budget: seconds after which no measurement begins; configurations that are left have None. progress: called after
    each step.
    """
    if configs:
        # The first training of a process includes imports and allocations that happen once.
        _measure(configs[0], images.first(2), precision, progress)
    ends = time.perf_counter() + budget
    return [_measure(config, images, precision, progress) if time.perf_counter() < ends else None for config in configs]


def _measure(config: Config, images: Resident, precision: str, progress: Callable[[], None]) -> Speed | None:
    try:
        return _speed(config, images, precision, progress)
    except Exception:  # memory, or whatever a network of the user's raises
        return None


def _speed(config: Config, images: Resident, precision: str, progress: Callable[[], None]) -> Speed:
    batch = min(config.training.batch_size, LARGEST_BATCH, len(images))
    some = images.first(STEPS * batch)
    began = time.perf_counter()
    # Enough epochs that a cosine does not end; only the time matters.
    timed = config.with_training(epochs=1000, batch_size=batch)
    training = Training(timed, some, None, seed=0, precision=precision, progress=progress)
    training.run_segment()
    warm = time.perf_counter()
    step = _seconds_a_step(training, batch)
    # A whole block is augmented together, and an epoch calls some operators once. A short step takes a fraction of
    # their time, so it is timed again in an epoch with as many steps as a block has.
    more = min(images_for(batch), len(images), int(MORE_SECONDS / step) * batch)
    if more >= 2 * len(some):
        training.train, training.images = images.first(more - more % batch), 0
        step = _seconds_a_step(training, batch)
    return Speed(batch, step, max(0.0, warm - began - _steps(some, batch) * step))


def _seconds_a_step(training: Training, batch: int) -> float:
    """The mean over an epoch, at whose start the training is."""
    began = time.perf_counter()
    training.run_segment()  # it waits for the device when it reads its metrics
    return (time.perf_counter() - began) / _steps(training.train, batch)


def _steps(images: Resident, batch: int) -> int:
    """How many steps an epoch has."""
    return len(batches_of(torch.arange(len(images)), batch))
