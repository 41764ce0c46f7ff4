"""How fast this machine trains: real steps of some configurations, within a few seconds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from trainables.config import Config
from trainables.resident import Resident
from trainables.training import Training

SECONDS = 2.0  # of calibration in each slot
STEPS = 2  # timed at a time; the first ones, which allocate and choose kernels, are timed apart
LARGEST_BATCH = 64  # images; time is nearly proportional beyond, and the widest networks take a second for 256


@dataclass(frozen=True)
class Speed:
    """step: seconds of a warm step of `batch` images. start: seconds that a trial takes beyond its steps."""

    batch: int
    step: float
    start: float


def measure(configs: Sequence[Config], images: Resident, *, precision: str, budget: float) -> list[Speed | None]:
    """Speeds in the order of the configurations, begun for at most `budget` seconds; None where not measured.

    A configuration that fails has none either: its trial will say why.
    """
    if configs:
        # The first training of a process imports and allocates what no later one does.
        _measure(configs[0], images.first(2), precision)
    ends = time.perf_counter() + budget
    return [_measure(config, images, precision) if time.perf_counter() < ends else None for config in configs]


def _measure(config: Config, images: Resident, precision: str) -> Speed | None:
    try:
        return _speed(config, images, precision)
    except Exception:  # memory, or whatever a network of the user's raises
        return None


def _speed(config: Config, images: Resident, precision: str) -> Speed:
    batch = min(config.training.batch_size, LARGEST_BATCH, len(images))
    some = images.first(STEPS * batch)
    steps = -(-len(some) // batch)
    began = time.perf_counter()
    # Few images and long epochs, so that a cosine does not end: only time is asked for.
    training = Training(config.with_training(epochs=1000, batch_size=batch), some, None, seed=0, precision=precision)
    training.run_segment()
    warm = time.perf_counter()
    training.run_segment()  # reading its metrics waits for the device
    step = (time.perf_counter() - warm) / steps
    return Speed(batch, step, max(0.0, warm - began - steps * step))
