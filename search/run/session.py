"""A session: one process at work on a search or on its retrains, from opening its ledger to the line that closes it."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.forecast.calibration import Calibration
from search.history import tables
from search.history.events import Closed, Opened
from search.history.ledger import DiskError, Ledger
from search.history.record import Record, Run
from search.history.store import Search
from search.machines import machine
from search.machines.machine import Machine, describe
from search.readable import count
from search.run.beside import followed
from search.run.driver import RETRIES, Driver
from search.run.engines import DEFAULT_ENGINE
from search.run.engines.engine import EngineError, Train, Work, engine
from search.run.progress import Progress
from search.run.shelf import Shelf
from search.schedulers.scheduler import Scheduler
from search.storage import note
from search.storage.mirror import Mirror
from trainables.data.images import Images
from trainables.files import Folder, is_full


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a session runs; no part of the search, and another session may run otherwise."""

    parallel: int | None = None
    """Trials at a time."""
    max_time: float | None = None
    """Seconds after which trials pause."""
    retries: int = RETRIES
    """Further attempts for a trial whose worker fails."""
    trial_timeout: float | None = None
    """Seconds without progress after which a worker ends itself."""
    address: str | None = None
    """HOST:PORT of a Ray cluster; None for a Ray of its own."""
    engine: str | None = None
    """What executes tasks: see `search.run.engines`; None for what executed those of the launch, or tune."""
    follow: tuple[str, ...] = ()
    """The sinks that are told of the search meanwhile: see `search.run.beside`."""
    quiet: bool = False
    """Whether nothing but errors is said."""

    @property
    def deadline(self) -> float | None:
        """When a session that begins now is out of time, in Unix seconds."""
        return time.time() + self.max_time if self.max_time else None

    def settled(self, facts: dict[str, Any]) -> "Options":
        """With an engine. facts: of the search, which began with one; a cluster needs tune, whatever that was."""
        begun = DEFAULT_ENGINE if self.address else facts.get("engine", DEFAULT_ENGINE)
        return replace(self, engine=self.engine or begun)


@dataclass(frozen=True)
class Outcome:
    """How a session ended."""

    search: Search
    """The search as it was when the session began."""
    record: Record
    """The record as it is now."""
    reason: str
    """Why: "finished", "interrupted", "out of time", "disk full" or "taken over"."""
    detail: str | None = None
    """What the disk said, who took over, or why nothing was to be done."""
    address: str | None = None
    """The Ray cluster that it ran on, if any."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """What a session is to do: everything that differs between a search and a retrain."""

    what: str
    """What one of its runs is called: "trial" or "retrain"."""
    title: str
    """What it does, in one line."""
    notes: tuple[str, ...] = ()
    """What is to be said of the images, in lines."""
    runs: Callable[[Record], list[Run]]
    """Its runs, for the display."""
    total: int
    """How many there will be."""
    source: Callable[[Driver], Iterator[Run | None]]
    """Yields the runs to train, in order, and None where it waits for those at work."""
    scheduler: Scheduler
    """What to stop, pause or go on with."""
    train: Images
    """The images to train on."""
    validation: Images | None
    """The images to validate on, if any."""
    samples: int | None = None
    """How many trials the search has from now on; None for a retrain."""
    calibration: Callable[[Progress], Calibration | None] = lambda _: None
    """What the first workers time before they train."""
    after: Callable[[Driver, Progress], None] = lambda *_: None
    """What follows when all is trained."""


def run(search: Search, here: Machine, options: Options, errand: Errand) -> Outcome:
    """Open a session, train, and close it in whatever way it ends."""
    with (
        Ledger(search.ledger) as ledger,
        Progress(errand.what, errand.runs, errand.total, here.slots, quiet=options.quiet) as progress,
        _mirrored(search, ledger, progress) as mirror,
        followed(search, options.follow, progress.say),
    ):
        driver = Driver(
            ledger,
            errand.source,
            errand.scheduler,
            Shelf(search.folder, checkpoints=_shared_checkpoints(search), mirror=mirror),
            retries=options.retries,
            deadline=options.deadline,
            superseded=lambda: mirror.superseded if mirror else None,
            listeners=[progress.hear],
            calibration=errand.calibration(progress),
            metric=search.request.metric,
            split_seed=search.request.seed,
        )
        progress.attach(driver)
        progress.say(f"{search.name}: {errand.title}; {describe(here)}")
        if options.parallel is None and options.engine != "inline" and here.slots < search.facts.get("slots", 0):
            fitting = count(here.slots, "trial")
            progress.say(
                f"there is room for {fitting} at a time here, and was for {search.facts['slots']} at the launch"
            )
        for line in errand.notes:
            progress.say(line)
        # Ray takes seconds to import, and a wrong request does not wait for it.
        train = engine(options.engine or DEFAULT_ENGINE)
        opened = Opened(
            samples=errand.samples,
            slots=here.slots,
            threads=here.threads,
            device=here.device,
            host=socket.gethostname(),
            pid=os.getpid(),
        )
        driver.append(opened)
        with _interruptible(driver, search):
            reason = _work(driver, search, here, options, errand, train, progress)
        for failure in driver.deaf:
            progress.complain(f"a listener failed and is no longer called: {failure}")
        return Outcome(search, driver.record, reason, driver.superseded or driver.full, options.address)


def finished_before(search: Search, record: Record) -> Outcome:
    """The end of a search that is finished: nothing is trained, and what a kill after its end left is put in order.

    Raises LedgerError where another process works on the search.
    """
    shelf = Shelf(search.folder)
    with Ledger(search.ledger):
        shelf.sweep(record)
        shelf.release_paused(record.trials)
        tables.write(search.folder, record)
    return Outcome(search, record, "finished", "nothing is left to train; --samples N adds trials")


def _work(
    driver: Driver,
    search: Search,
    here: Machine,
    options: Options,
    errand: Errand,
    train: Train,
    progress: Progress,
) -> str:
    """Open the session, train, and record how it ended: the reason.

    A full disk refuses that line too; the record then shows the session as killed.
    """
    reason = "failed"
    try:
        work = Work(train=errand.train, validation=errand.validation, here=here, timeout=options.trial_timeout)
        train(driver, work, progress)
        if driver.finished:
            errand.after(driver, progress)
            if errand.samples is not None:  # after a retrain the search itself may go on
                driver.shelf.release_paused(driver.record.trials)
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
            driver.append(Closed(reason=reason))
        with suppress(OSError):
            tables.write(search.folder, driver.record)
    return reason


def find_machine(options: Options, networks: Iterable[str], facts: dict[str, Any] | None = None) -> Machine:
    """The machine at hand, or the cluster at an address, which this process is then connected to.

    networks: names of spaces and networks, of which a user's own travel to the cluster. facts: of an earlier session.
    """
    if options.address is not None and options.engine == "inline":
        raise EngineError(f"--engine inline trains in this process, and --address {options.address} names a cluster")
    if options.address is None:
        return machine.find(1 if options.engine == "inline" else options.parallel, facts)
    from search.machines import cluster, nodes, own_modules  # imported late, as they bring Ray

    cluster.connect(options.address, own_modules.runtime_env(networks, Path.cwd()))
    found = nodes.find()
    nodes.check(found)
    return machine.of_cluster(options.address, found, options.parallel, facts)


@contextmanager
def _mirrored(search: Search, ledger: Ledger, progress: Progress) -> Iterator[Mirror | None]:
    """Copy the record to the search's storage, if it has one; within this nobody else goes on with the search."""
    if note.location_of(search.folder) is None:
        yield None
        return
    with Mirror(ledger, search.folder, progress.complain) as mirror:
        yield mirror


def _shared_checkpoints(search: Search) -> Folder | None:
    """Where a search with a storage has its checkpoints, for all machines; None without one."""
    location = note.location_of(search.folder)
    return Folder(location).below(search.name).below("checkpoints") if location else None


@contextmanager
def _interruptible(driver: Driver, search: Search) -> Iterator[None]:
    """A first Ctrl-C is a KeyboardInterrupt, which closes the record; a second one ends the process at once.

    Where the exception gets lost, as in a destructor or a callback of a library, the driver still knows of it, and
    no trial goes on beyond its segment's end.

    SIGTERM, which a container or a batch system sends before it kills, acts as a Ctrl-C, and so does SIGHUP, which a
    terminal sends that goes away; `nohup` has it ignored, and it stays so.
    """

    def hear(*_: object) -> None:
        signal.signal(signal.SIGINT, end)
        driver.interrupted = True
        raise KeyboardInterrupt

    def end(*_: object) -> None:
        os.write(2, f"\nstopped at once; nothing recorded is lost: hpsearch resume {search.name}\n".encode())
        os._exit(130)

    def hear_too(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    heard = {signal.SIGINT: hear, signal.SIGTERM: hear_too}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard[signal.SIGHUP] = hear_too
    before = {number: signal.signal(number, handler) for number, handler in heard.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
