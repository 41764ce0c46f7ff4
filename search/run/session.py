"""A session: one process that runs a search or its retrains, from opening the ledger to the line that closes it."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from architectures.errors import one_line
from search.forecast.calibration import Calibration
from search.history import tables
from search.history.events import Closed, Opened
from search.history.ledger import DiskError, Ledger
from search.history.record import Record, Run
from search.history.store import Search
from search.machines import machine
from search.machines.machine import Machine, describe
from search.readable import command_line, count
from search.run.driver import RETRIES, Driver, Halt
from search.run.engines import DEFAULT_ENGINE
from search.run.engines.engine import EngineError, Train, Work, engine
from search.run.followers import followed
from search.run.progress import Progress
from search.run.run_files import RunFiles
from search.schedulers.scheduler import Scheduler
from search.storage import layout, note
from search.storage.mirror import Mirror
from trainables.data.images import Images
from trainables.files import Folder, is_full


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a session runs; not a part of the search, so another session may have other options."""

    parallel: int | None = None
    """Trials at a time."""
    max_time: float | None = None
    """Seconds after which trials pause."""
    retries: int = RETRIES
    """Further attempts for a trial whose worker fails."""
    trial_timeout: float | None = None
    """Seconds without progress after which a worker ends itself."""
    address: str | None = None
    """HOST:PORT of a Ray cluster; None for a local Ray."""
    engine: str | None = None
    """What executes tasks: see `search.run.engines`; None for the launch's engine, or tune."""
    follow: tuple[str, ...] = ()
    """The sinks to which the search is written meanwhile: see `search.run.followers`."""
    quiet: bool = False
    """Whether only errors are shown."""

    @property
    def deadline(self) -> float | None:
        """When a session that begins now is out of time, in Unix seconds."""
        return time.time() + self.max_time if self.max_time else None

    def settled(self, facts: dict[str, Any]) -> "Options":
        """The options with an engine. facts: of the search, with its first engine; a cluster always gets tune."""
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
    """Why: "finished", "interrupted", "out of time", "disk full", "files unavailable", "machine unfit" or
    "taken over"."""
    detail: str | None = None
    """The error of the disk, storage or machine, which driver took over, or why there was nothing to do."""
    address: str | None = None
    """The Ray cluster that it ran on, if any."""


@dataclass(frozen=True, kw_only=True)
class Errand:
    """The work of a session: everything that differs between a search and a retrain."""

    what: str
    """What one of its runs is called: "trial" or "retrain"."""
    title: str
    """What it does, in one line."""
    notes: tuple[str, ...] = ()
    """What to say before the training, in lines."""
    runs: Callable[[Record], list[Run]]
    """Its runs, for the display."""
    total: int
    """How many there will be."""
    source: Callable[[Driver], Iterator[Run | None]]
    """Yields the runs to train, in order, and None while it waits for running ones."""
    scheduler: Scheduler
    """Decides which runs stop, pause or continue."""
    train: Images
    """The images to train on."""
    validation: Images | None
    """The images to validate on, if any."""
    samples: int | None = None
    """How many trials the search has from now on; None for a retrain."""
    calibration: Callable[[Progress], Calibration | None] = lambda _: None
    """What the first workers time before they train."""
    after: Callable[[Driver, Progress], None] = lambda *_: None
    """Called when everything is trained."""


def run(search: Search, here: Machine, options: Options, errand: Errand) -> Outcome:
    """Open a session, train, and close it, however it ends."""
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
            RunFiles(search.folder, checkpoints=_shared_checkpoints(search), mirror=mirror),
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
            progress.say(f"this machine fits {fitting} at a time; the launch had {search.facts['slots']}")
        for line in errand.notes:
            progress.say(line)
        # Imported after all checks, as Ray takes seconds to import.
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
        detail = driver.superseded or (driver.halt.detail if driver.halt else None)
        return Outcome(search, driver.record, reason, detail, options.address)


def finished_before(search: Search, record: Record, *, is_retrain: bool = False) -> Outcome:
    """The outcome of a finished search or retrain: nothing is trained.

    Files that a kill after its end left are cleaned up. Raises LedgerError if another process runs the search.
    """
    files = RunFiles(search.folder)
    with Ledger(search.ledger):
        files.sweep(record)
        if not is_retrain:  # the search itself may continue
            files.release_paused(record.trials)
        tables.write(search.folder, record)
    more = " or to test" if is_retrain else "; --samples N adds trials"
    return Outcome(search, record, "finished", f"nothing is left to train{more}")


def _work(
    driver: Driver,
    search: Search,
    here: Machine,
    options: Options,
    errand: Errand,
    train: Train,
    progress: Progress,
) -> str:
    """Train, record why the session ended, and return that reason.

    On a full disk that line cannot be written either; the record then shows the session as killed.
    """
    reason = "failed"
    try:
        work = Work(train=errand.train, validation=errand.validation, here=here, timeout=options.trial_timeout)
        train(driver, work, progress)
        driver.files.sweep_checkpoints(driver.record)  # a host that was cut off may have written after its run's end
        if driver.finished:
            errand.after(driver, progress)
            if errand.samples is not None:  # after a retrain the search itself may continue
                driver.files.release_paused(driver.record.trials)
        reason = "finished" if driver.finished else driver.pausing or "interrupted"
    except KeyboardInterrupt:
        reason = "interrupted"
    except Exception as error:
        if isinstance(error, DiskError) or (isinstance(error, OSError) and is_full(error)):
            reason = "disk full"
            if driver.halt is None or driver.halt.reason != reason:
                driver.halt = Halt(reason, one_line(error))
        elif driver.interrupted:  # a library has made this of the KeyboardInterrupt
            reason = "interrupted"
        else:
            raise
    finally:
        with suppress(DiskError):
            driver.append(Closed(reason=reason))
        with suppress(OSError):
            tables.write(search.folder, driver.record)
    return reason


def find_machine(options: Options, networks: Iterable[str], facts: dict[str, Any] | None = None) -> Machine:
    """This machine, or the cluster at an address, to which this process is then connected.

    networks: names of spaces and networks; a user's own are sent to the cluster. facts: of an earlier session.
    """
    if options.address is not None and options.engine == "inline":
        raise EngineError(f"--engine inline trains in this process, and --address {options.address} names a cluster")
    if facts and facts.get("engine") == "inline":  # it has one slot on every machine, and another engine has more
        facts = {name: fact for name, fact in facts.items() if name not in ("slots", "room")}
    if options.address is None:
        return machine.find(1 if options.engine == "inline" else options.parallel, facts)
    from search.machines import cluster, nodes, own_modules  # imported late, as they bring Ray

    cluster.connect(options.address, own_modules.runtime_env(networks, Path.cwd()))
    found = nodes.find()
    nodes.check(found)
    return machine.of_cluster(options.address, found, options.parallel, facts)


@contextmanager
def _mirrored(search: Search, ledger: Ledger, progress: Progress) -> Iterator[Mirror | None]:
    """Copy the record to the search's storage, if it has one; within this no other process continues the search."""
    if note.location_of(search.folder) is None:
        yield None
        return
    with Mirror(ledger, search.folder, progress.complain) as mirror:
        yield mirror


def _shared_checkpoints(search: Search) -> Folder | None:
    """The folder of checkpoints in a search's storage, for all machines; None without a storage."""
    location = note.location_of(search.folder)
    return layout.home_of(location, search.name).checkpoints if location else None


@contextmanager
def _interruptible(driver: Driver, search: Search) -> Iterator[None]:
    """A first Ctrl-C is a KeyboardInterrupt, which closes the record; a second one ends the process at once.

    If the exception gets lost, as in a destructor or a callback of a library, the driver still knows of the Ctrl-C, and
    no trial continues after its current segment. If a library makes another error of it, the session ends all the same.
    While Ray starts there is no exception.

    SIGTERM, which a container or a batch system sends before it kills, acts as a Ctrl-C, and so does SIGHUP, which a
    terminal sends when it is closed; under `nohup`, SIGHUP stays ignored. Python lets only the main thread handle
    signals, so a search in another thread hears none.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hear(*_: object) -> None:
        signal.signal(signal.SIGINT, end)
        driver.interrupted = True
        if not driver.is_undisturbed:
            raise KeyboardInterrupt
        _tell("stopping once Ray has started; Ctrl-C again stops at once")

    def end(*_: object) -> None:
        again = command_line("resume", search.name, search.folder.parent)
        _tell(f"stopped at once; nothing recorded is lost. Continue with: {again}")
        os._exit(130)

    def hear_too(*_: object) -> None:
        if not driver.interrupted:  # a terminal that is closed may send SIGHUP twice
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


def _tell(line: str) -> None:
    """Print a line from a signal's handler, in which Python's own streams may be busy."""
    with suppress(OSError):  # nobody may read it any more
        os.write(2, f"\n{line}\n".encode())
