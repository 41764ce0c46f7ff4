"""Searches of the real engine for the benchmarks: with workers of their own, in a folder that is thrown away."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from search.history.events import FINAL
from search.history.ledger import Event, Ledger
from search.history.record import Record
from search.history.store import Request
from search.machines.machine import Machine
from search.run.driver import Driver
from search.run.launch import checker, search_source
from search.run.progress import Progress
from search.samplers.make import make_sampler
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
    listen: Callable[[Driver, Event], None] = lambda *_: None,
) -> Record:
    """A search as `hpsearch launch` runs it, in a folder that is thrown away; within `ray_for` the same machine."""
    from search.run.engines import tune

    request = Request(space=space.name, samples=samples, epochs=epochs, data_dir="", augment="none")
    sampler = make_sampler(space, request.sampler, request.seed, checker(train))
    with (
        tempfile.TemporaryDirectory(prefix="hpsearch-benchmark-") as folder,
        Ledger(Path(folder) / "ledger.jsonl") as ledger,
        Progress("trial", lambda d: d.record.trials, samples, here.slots) as progress,
    ):

        def hear(event: Event) -> None:
            if event.get("state") in FINAL:
                sampler.tell(driver.record.runs[event["trial"], 0])
            progress.hear(event)
            listen(driver, event)

        source = search_source(sampler, train, request, range(samples))
        driver = Driver(ledger, Path(folder), source, make_scheduler(scheduler, epochs), listen=hear)
        progress.attach(driver)
        driver.append("opened", samples=samples)
        tune.train(driver, here, train=train, validation=validation, on_step=progress.refresh, worker=worker, warm=warm)
        return driver.record


def noise(count: int, shape: tuple[int, int, int] = (3, 32, 32), classes: int = 100) -> Images:
    """Images of random pixels and labels."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return Images(pixels, rng.integers(0, classes, count), tuple(str(name) for name in range(classes)))


def pretended(epoch: float, val_accuracy: float | None) -> dict[str, Any]:
    """The fields of an epoch that nobody trained."""
    return asdict(
        Measurement(
            images=round(100 * epoch),
            epoch=epoch,
            train_loss=1.0,
            train_accuracy=0.5,
            val_loss=1.0,
            val_accuracy=val_accuracy,
            learning_rate=1e-3,
            images_per_second=1.0,
            seconds=0.0,
        )
    )
