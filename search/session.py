"""A session: one process at work on a search, from the machine it finds to the line that closes it."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from architectures.cost import Cost, cost
from architectures.families import make_network
from architectures.spec import CNN, Shape, SizeError
from search import tables
from search.driver import Driver
from search.machine import Machine
from search.progress import Progress
from search.store import Request, Search
from search.terminal import duration
from trainables.config import Config
from trainables.datasets import DatasetError, Images, fingerprint, load, subset


class RequestError(ValueError):
    """A wrong request: one line with the rule, the value and what would be right."""


@dataclass(frozen=True)
class Outcome:
    """How a session ended: "finished", "interrupted" or "out of time"."""

    search: Search
    reason: str


def training_images(request: Request) -> Images:
    """Every image the search may train or validate on, in the dataset's order; the test set is not read."""
    images = load(request.dataset, "train", data_dir=Path(request.data_dir), image_size=request.image_size)
    if request.limit_train is not None:
        images = images.take(subset(images.labels, request.limit_train, request.seed))
    return images


def cost_of(config: Config, shape: Shape, num_classes: int) -> Cost:
    """A configuration's cost; raises SizeError when its network cannot take such images, else RequestError."""

    def make() -> Any:
        return make_network(config.network.name, config.network.hyperparameters, shape, num_classes)

    try:
        with torch.device("meta"):
            network = make()
        return cost(network if isinstance(network, CNN) else make, shape, num_classes)
    except SizeError as error:
        raise SizeError(f"network '{config.network.name}': {error}") from error
    except ValueError as error:
        raise RequestError(f"network '{config.network.name}': {error}") from error


def unchanged_images(search: Search) -> Images:
    """The search's images; raises DatasetError when they are not those it began with."""
    images = training_images(search.request)
    if fingerprint(images) != search.facts["data"]["fingerprint"]:
        raise DatasetError(
            f"the dataset {search.request.dataset} has changed since {search.name} began (its fingerprint differs); "
            "restore it, or launch a new search"
        )
    return images


def train(
    driver: Driver,
    search: Search,
    progress: Progress,
    here: Machine,
    *,
    train: Images,
    validation: Images | None,
    samples: int | None = None,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Open a session, train under Ray, and close it in whatever way it ends."""
    from search import engine  # imported late: Ray takes seconds, and a wrong request shall not wait for it

    progress.attach(driver)
    driver.append(
        "opened",
        samples=samples,
        slots=here.slots,
        threads=here.threads,
        device=here.device,
        host=socket.gethostname(),
        pid=os.getpid(),
    )
    with _closing(driver, search):
        began = time.time()
        progress.say(f"starting Ray and {here.slots} worker{'s' * (here.slots > 1)} …")
        address = engine.start(here)
        progress.say(f"Ray's dashboard: {address} (its token: ray get-auth-token); started in {_since(began)}")
        try:
            engine.train(
                driver,
                here,
                train=train,
                validation=validation,
                on_step=progress.refresh,
            )
        finally:
            engine.stop()
        if driver.finished:
            after()


@contextmanager
def _closing(driver: Driver, search: Search) -> Iterator[None]:
    reason = "failed"
    try:
        yield
        reason = "finished" if driver.finished else "out of time" if driver.late else "interrupted"
    except KeyboardInterrupt:
        reason = "interrupted"
    finally:
        driver.append("closed", reason=reason)
        tables.write(search.folder, driver.record)


def _since(began: float) -> str:
    return duration(time.time() - began)
