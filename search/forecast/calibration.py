"""Measured training steps of some configurations.

As many processes measure at the same time as there are slots, so that they slow each other down as in the search. A
dry run starts processes for this; a launch uses its warm workers before their first epoch.
"""

import multiprocessing
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import zip_longest

import numpy as np

from architectures.errors import HpsearchError, one_line
from search.machines.machine import Machine
from search.readable import count
from trainables.config import Config
from trainables.data.images import Images
from trainables.worker import speed
from trainables.worker.speed import Speed

MOST = 16  # configurations that are measured in all

Speeds = dict[int, Speed]  # by the configuration's index


class CalibrationError(HpsearchError):
    """No step of any configuration could be measured."""


def order(configs: Sequence[Config]) -> list[int]:
    """Indices: the first configuration of each family, then the second of each, and so on."""
    by_family: dict[str, list[int]] = {}
    for i, config in enumerate(configs):
        by_family.setdefault(config.network.name, []).append(i)
    return [i for turn in zip_longest(*by_family.values()) for i in turn if i is not None]


def shares_of(configs: Sequence[Config], workers: int) -> list[list[int]]:
    """The indices that each worker measures, at most `MOST` in all; at most one share for each worker."""
    chosen = order(configs)[:MOST]
    return [chosen[worker::workers] for worker in range(min(workers, len(chosen)))]


class Calibration:
    """Distributes the configurations to the warm workers of a launch or a retrain, and collects their measurements.

    It calls `done` once: when all have answered, or when `conclude` is called before that.
    """

    def __init__(self, configs: Sequence[Config], workers: int, done: Callable[[Speeds], None]) -> None:
        self._configs, self._done = configs, done
        self._unasked = shares_of(configs, workers)
        self._asked: dict[Hashable, list[int]] = {}
        self._found: Speeds = {}
        self._concluded = False

    def share(self, run: Hashable) -> tuple[Mapping[str, object], ...]:
        """The configurations that this run's worker must measure, as plain data; empty when all shares are taken."""
        if not self._unasked:
            return ()
        self._asked[run] = self._unasked.pop(0)
        return tuple(self._configs[i].to_json() for i in self._asked[run])

    def hear(self, run: Hashable, speeds: Sequence[Speed | None] = ()) -> None:
        """Take the speeds that a run's worker measured; empty from one that failed."""
        if run not in self._asked:
            return
        share = self._asked.pop(run)
        self._found |= {i: each for i, each in zip(share, speeds, strict=False) if each is not None}
        if not self._asked and not self._unasked:
            self.conclude()

    def conclude(self) -> None:
        """Finish with the speeds known now; later ones are ignored."""
        if not self._concluded:
            self._concluded = True
            self._unasked = []
            self._done(dict(self._found))


def calibrate(
    configs: Sequence[Config], images: Images, here: Machine, announce: Callable[[str], object] = lambda _: None
) -> Speeds:
    """Measure in as many new processes as there are slots; raises CalibrationError when one dies.

    announce: gets a line before, as a large network takes minutes.
    """
    shares = shares_of(configs, here.slots)
    announce(f"measuring a few training steps of {count(sum(map(len, shares)), 'configuration')} …")
    workers = len(shares)
    most = max(min(configs[i].training.batch_size, speed.LARGEST_BATCH) for share in shares for i in share)
    sample = images.take(np.arange(min(len(images), speed.images_for(most))))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_ready, range(workers)))
        asked = [pool.submit(_measure, [configs[i] for i in share], sample, here) for share in shares]
        try:
            answers = [each.result() for each in asked]
        except Exception as error:
            raise CalibrationError(f"a step of training failed: {one_line(error, named=True)}") from error
    pairs = [pair for share, answer in zip(shares, answers, strict=True) for pair in zip(share, answer, strict=True)]
    return {i: each for i, each in pairs if each is not None}


def _ready(_: int) -> None:
    """Import what `_measure` needs."""
    import trainables.worker.measure  # noqa: F401


def _measure(configs: list[Config], images: Images, here: Machine) -> list[Speed | None]:
    import torch  # in this process alone; the command needs none

    from trainables.memory import keep_freed_memory
    from trainables.resident import Resident
    from trainables.worker.measure import measure

    keep_freed_memory()
    torch.set_num_threads(here.threads)
    return measure(configs, Resident.of(images, here.device), precision=here.precision, budget=speed.SECONDS)
