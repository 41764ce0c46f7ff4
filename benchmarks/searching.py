"""Searches of the real engine for the benchmarks: with workers of their own, in a folder that is thrown away."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from search.history.events import Event, Opened, State
from search.history.ledger import Ledger
from search.history.record import Record
from search.history.store import Request
from search.machines.machine import Machine
from search.run.driver import Driver
from search.run.engines.engine import Work
from search.run.order import Order
from search.run.problem import Problem
from search.run.progress import Progress
from search.run.run_files import RunFiles
from search.run.trials import draw_trials
from search.schedulers.scheduler import make_scheduler
from search.spaces import Space
from trainables.data.images import Images
from trainables.training import Measurement


@contextmanager
def ray_for(here: Machine) -> Iterator[None]:
    """A Ray of this process's own while it searches, once or several times."""
    from search.machines import local_ray  # sets what Ray reads from the environment, which Tune alone shall not see

    local_ray.start(here)
    try:
        yield
    finally:
        local_ray.stop()


def run_search(
    worker: type,
    space: Space,
    train: Images,
    validation: Images,
    here: Machine,
    *,
    samples: int,
    epochs: int,
    scheduler: str,
    warm: bool = True,
    listen: Callable[[Event], None] = lambda _: None,
    enough: Callable[[], bool] = lambda: False,
) -> Record:
    """A search as `hpsearch launch` runs it, in a folder that is thrown away; within `ray_for` the same machine.

    listen: is told of every event. enough: whether every trial is to pause at its next segment's end.
    """
    from search.run.engines import tuner

    request = Request(space=space.name, samples=samples, epochs=epochs, data_dir="", augment="none")
    with (
        tempfile.TemporaryDirectory(prefix="hpsearch-benchmark-") as folder,
        Ledger(Path(folder) / "ledger.jsonl") as ledger,
        Progress("trial", lambda record: record.trials, samples, here.slots) as progress,
    ):
        driver = Driver(
            ledger,
            draw_trials(Problem(request, space, train), Order(range(samples))),
            make_scheduler(scheduler, max_t=epochs, samples=samples),
            RunFiles(Path(folder)),
            # As another machine would end it: no worker here writes the checkpoint that a deadline waits for.
            superseded=lambda: "the benchmark" if enough() else None,
            listeners=[progress.hear, listen],
        )
        progress.attach(driver)
        driver.append(Opened(samples=samples, slots=here.slots))
        work = Work(train=train, validation=validation, here=here)
        tuner.run_workers(driver, work, progress, worker=worker, warm=warm)
        if driver.deaf:
            raise RuntimeError(driver.deaf[0])
        return driver.record


def noise(count: int, shape: tuple[int, int, int] = (3, 32, 32), classes: int = 100) -> Images:
    """Images of random pixels and labels."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return Images(pixels, rng.integers(0, classes, count), tuple(str(name) for name in range(classes)))


def pretended(state: State, epoch: float, val_accuracy: float | None, began: float | None = None) -> dict[str, Any]:
    """A worker's answer about an epoch that nobody trained. began: Unix seconds, by default now."""
    measurement = Measurement(
        images=round(100 * epoch),
        epoch=epoch,
        train_loss=1.0,
        train_accuracy=0.5,
        val_loss=1.0,
        val_accuracy=val_accuracy,
        val_balanced_accuracy=val_accuracy,
        learning_rate=1e-3,
        images_per_second=1.0,
        seconds=0.0,
    )
    where = {"checkpoint": None, "began": began or time.time(), "host": os.uname().nodename, "pid": os.getpid()}
    return {"state": state, **asdict(measurement), **where}
