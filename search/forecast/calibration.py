"""From a few real training steps to the time of every configuration's epoch.

Steps are measured in as many processes at once as there are slots, so that they slow each other down as they will in
the search: a dry run in processes of its own, a launch in its warm workers before their first epoch. A configuration
that was not measured is estimated from those that were.
"""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import torch

from architectures.cost import Cost
from architectures.errors import HpsearchError
from search.machines.machine import Machine
from trainables.config import Config
from trainables.data.images import Images
from trainables.memory import keep_freed_memory
from trainables.resident import Resident
from trainables.worker import speed
from trainables.worker.speed import Speed

MOST = 16  # configurations that are measured in all
#: Of a training image's time, what a validation image takes: the forward third, unaugmented, in larger batches.
#: Measured over 302 epochs of `cnn_all` on 32×32 images: 0.17 to 0.41, median 0.27.
_VALIDATION = 0.27

Speeds = dict[int, Speed]  # by the configuration's index


class CalibrationError(HpsearchError):
    """No step of any configuration could be measured."""


@dataclass(frozen=True)
class Times:
    """For each configuration: seconds of an epoch with its validation, and seconds that its start adds."""

    epochs: list[float]
    starts: list[float]


def times(configs: Sequence[Config], costs: Sequence[Cost], found: Speeds, train: int, validation: int) -> Times:
    """The times of all configurations for so many training and validation images; raises CalibrationError.

    A step's time is modelled as a sum of parts that grow with the batch's FLOPs and activations, with the parameters,
    and not at all: non-negative least squares of relative errors, then a factor for each family.
    """
    from scipy.optimize import nnls  # imported late: it takes a second, and only a forecast needs it

    if not found:
        raise CalibrationError("no training step of any drawn configuration could be measured; launch will say why")
    measured = sorted(found)
    parts = np.array([_parts(costs[i], found[i].batch) for i in measured])
    seconds = np.array([found[i].step for i in measured])
    weights, _ = nnls(parts / seconds[:, None], np.ones(len(measured)))
    own = dict(zip(measured, seconds / (parts @ weights), strict=True))
    of_family: dict[str, list[float]] = {}
    for i in measured:
        of_family.setdefault(configs[i].network.name, []).append(own[i])
    epochs = []
    for i, (config, cost) in enumerate(zip(configs, costs, strict=True)):
        batch = min(config.training.batch_size, train)
        factor = own[i] if i in own else float(np.median(of_family.get(config.network.name, [1.0])))
        step = _parts(cost, batch)
        image = float(step[:2] @ weights[:2]) / batch
        epochs.append(factor * (float(step @ weights) * train / batch + _VALIDATION * image * validation))
    usual = float(np.median([each.start for each in found.values()]))
    return Times(epochs, [found[i].start if i in found else usual for i in range(len(configs))])


def _parts(cost: Cost, batch: int) -> np.ndarray:
    return np.array([batch * cost.flops, batch * cost.activation_bytes, cost.parameters, 1.0])


def order(configs: Sequence[Config]) -> list[int]:
    """Indices, a family's first before any family's second, so that the first few of them know every family."""
    by_family: dict[str, list[int]] = {}
    for i, config in enumerate(configs):
        by_family.setdefault(config.network.name, []).append(i)
    return [i for turn in zip_longest(*by_family.values()) for i in turn if i is not None]


def shares_of(configs: Sequence[Config], workers: int) -> list[list[int]]:
    """What is measured, as a share of indices for each of at most so many workers."""
    chosen = order(configs)[:MOST]
    return [chosen[worker::workers] for worker in range(min(workers, len(chosen)))]


class Calibration:
    """Shares the configurations out to the warm workers of a launch.

    Calls `done` once: when all have answered, or with what is known when the first trial has been measured before.
    """

    def __init__(self, configs: Sequence[Config], workers: int, done: Callable[[Speeds], None]) -> None:
        self._configs, self._done = configs, done
        self._unasked = shares_of(configs, workers)
        self._asked: dict[int, list[int]] = {}
        self._found: Speeds = {}
        self._concluded = False

    def share(self, trial: int) -> tuple[Mapping[str, object], ...]:
        """What the worker of this trial shall measure, as plain data; nothing when all is shared out."""
        if not self._unasked:
            return ()
        self._asked[trial] = self._unasked.pop(0)
        return tuple(self._configs[i].to_json() for i in self._asked[trial])

    def hear(self, trial: int, speeds: Sequence[Speed | None] = ()) -> None:
        """Take a worker's speeds, or none from one that failed."""
        if trial not in self._asked:
            return
        share = self._asked.pop(trial)
        self._found |= {i: each for i, each in zip(share, speeds, strict=False) if each is not None}
        if not self._asked and not self._unasked:
            self.conclude()

    def conclude(self) -> None:
        """No speed that comes later counts."""
        if not self._concluded:
            self._concluded = True
            self._unasked = []
            self._done(dict(self._found))


def calibrate(configs: Sequence[Config], images: Images, here: Machine) -> Speeds:
    """Measure in processes of their own, as many as slots; raises CalibrationError when one dies."""
    shares = shares_of(configs, here.slots)
    workers = len(shares)
    most = max(min(configs[i].training.batch_size, speed.LARGEST_BATCH) for share in shares for i in share)
    sample = images.take(np.arange(min(len(images), speed.STEPS * most)))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_ready, range(workers)))
        asked = [pool.submit(_measure, [configs[i] for i in share], sample, here) for share in shares]
        try:
            answers = [each.result() for each in asked]
        except Exception as error:
            raise CalibrationError(f"a step of training failed: {type(error).__name__}: {error}") from error
    pairs = [pair for share, answer in zip(shares, answers, strict=True) for pair in zip(share, answer, strict=True)]
    return {i: each for i, each in pairs if each is not None}


def _ready(_: int) -> None:
    """Imports what `_measure` needs, this module that is, before the clock of any process runs."""


def _measure(configs: list[Config], images: Images, here: Machine) -> list[Speed | None]:
    keep_freed_memory()
    torch.set_num_threads(here.threads)
    return speed.measure(configs, Resident.of(images, here.device), precision=here.precision, budget=speed.SECONDS)
