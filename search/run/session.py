"""A session: one process at work on a search, from the machine it finds to the line that closes it."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from architectures.cost import Cost, cost
from architectures.errors import HpsearchError
from architectures.families import make_network
from architectures.spec import CNN, Shape, SizeError
from search.history import tables
from search.history.ledger import DiskError, Ledger
from search.history.store import Request, Search
from search.machines import machine
from search.machines.machine import Machine
from search.readable import duration
from search.run.driver import RETRIES, Driver
from search.run.progress import Progress
from search.storage import note
from search.storage.mirror import Mirror
from trainables.config import Config
from trainables.data.datasets import DatasetError, Images, fingerprint, load, subset
from trainables.files import Folder, is_full


class RequestError(HpsearchError):
    """A wrong request: one line with the rule, the value and what would be right."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a session runs; no part of the search, and another one may run otherwise.

    parallel: trials at a time. max_time, trial_timeout: seconds. retries: further attempts for a trial whose worker
    fails. address: of a Ray cluster, HOST:PORT, or None for a Ray of its own.
    """

    parallel: int | None = None
    max_time: float | None = None
    retries: int = RETRIES
    trial_timeout: float | None = None
    address: str | None = None

    @property
    def deadline(self) -> float | None:
        """When a session that begins now is out of time, in Unix seconds."""
        return time.time() + self.max_time if self.max_time else None


@dataclass(frozen=True)
class Outcome:
    """How a session ended: "finished", "interrupted", "out of time", "disk full" or "taken over".

    detail: what the disk said, or who took over. address: of the Ray cluster that it ran on, if any.
    """

    search: Search
    reason: str
    detail: str | None = None
    address: str | None = None


def find_machine(options: Options, networks: Iterable[str], facts: dict[str, Any] | None = None) -> Machine:
    """The machine at hand, or the cluster at an address, which this process is then connected to.

    networks: names of spaces and networks, of which a user's own travel to the cluster. facts: of an earlier session.
    """
    if options.address is None:
        return machine.find(options.parallel, facts)
    from search.machines import cluster, nodes, own_modules  # imported late, as they bring Ray

    cluster.connect(options.address, own_modules.runtime_env(networks, Path.cwd()))
    found = nodes.find()
    nodes.check(found)
    return machine.of_cluster(options.address, found, options.parallel, facts)


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
    options: Options,
    *,
    train: Images,
    validation: Images | None,
    samples: int | None = None,
    after: Callable[[], None] = lambda: None,
) -> Outcome:
    """Open a session, train under Ray, and close it in whatever way it ends."""
    # Imported late: Ray takes seconds, and a wrong request shall not wait for it.
    from search.machines import local_ray
    from search.run.engines import tune

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

    def work() -> None:
        began = time.time()
        progress.say(
            f"starting Ray and {here.slots} worker{'s' * (here.slots > 1)} …"
            if here.address is None
            else f"starting {here.slots} workers on {here.address} …"
        )
        address = local_ray.start(here)
        progress.say(f"Ray's dashboard: {address} (its token: ray get-auth-token); started in {_since(began)}")
        try:
            tune.train(
                driver,
                here,
                train=train,
                validation=validation,
                on_step=progress.refresh,
                timeout=options.trial_timeout,
            )
        finally:
            local_ray.stop()
        if driver.finished:
            after()

    with interruptible(search):
        reason = _closing(driver, search, work)
    return Outcome(search, reason, driver.superseded or driver.full, options.address)


@contextmanager
def mirrored(search: Search, book: Ledger, progress: Progress) -> Iterator[Mirror | None]:
    """Copy the record to the search's storage, if it has one; within this nobody else goes on with the search."""
    if note.location_of(search.folder) is None:
        yield None
        return
    with Mirror(book, search.folder, progress.say) as mirror:
        yield mirror


def checkpoints_of(search: Search) -> Folder | None:
    """Where a search with a storage has its checkpoints, for all machines; None without one."""
    location = note.location_of(search.folder)
    return Folder(location).below(search.name).below("checkpoints") if location else None


def _closing(driver: Driver, search: Search, work: Callable[[], None]) -> str:
    """Work, and record how it ended: the reason. A full disk refuses that too; then it looks as if it was killed."""
    reason = "failed"
    try:
        work()
        reason = "finished" if driver.finished else driver.pausing or "interrupted"
    except KeyboardInterrupt:
        reason = "interrupted"
    except (DiskError, OSError) as error:  # an OSError is of a network or of predictions
        if isinstance(error, OSError) and not is_full(error):
            raise
        driver.full = driver.full or str(error)
        reason = "disk full"
    finally:
        with suppress(DiskError):
            driver.append("closed", reason=reason)
        with suppress(OSError):
            tables.write(search.folder, driver.record)
    return reason


@contextmanager
def interruptible(search: Search) -> Iterator[None]:
    """A first Ctrl-C is a KeyboardInterrupt, which closes the record; a second one ends the process at once."""

    def hear(*_: object) -> None:
        signal.signal(signal.SIGINT, end)
        raise KeyboardInterrupt

    def end(*_: object) -> None:
        os.write(2, f"\nstopped at once; nothing recorded is lost: hpsearch resume {search.name}\n".encode())
        os._exit(130)

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _since(began: float) -> str:
    return duration(time.time() - began)
