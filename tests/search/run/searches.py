"""Searches on the inline engine: the real driver, ledger, sampler and slot in one process, on handwritten digits."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from search.history import ledger, tables
from search.history.events import Closed, Event, Opened, parse
from search.history.ledger import Ledger
from search.history.record import Record
from search.history.store import Request
from search.machines.machine import Machine
from search.run.driver import Driver, Listener
from search.run.engines import inline
from search.run.engines.engine import Work
from search.run.order import Order
from search.run.problem import Problem
from search.run.run_files import RunFiles
from search.run.trials import draw_trials
from search.schedulers.scheduler import Scheduler, scheduler_of
from search.spaces import Space
from search.spaces.space import Function
from trainables.data.images import Images
from trainables.data.load import load

HERE = Machine(slots=1, threads=1, num_gpus=0, device="cpu", precision="float32")

#: Times, speeds, hosts and attempts may differ; everything else is the same to the bit.
MAY_DIFFER = ["seconds", "images_per_second", "attempt", "host", "pid", "time"]


def listed(folder: Path, lines: Sequence[dict[str, Any]], **words: Any) -> Request:
    """A request for the configurations of a list, which is written to the folder, on digits that are not augmented."""
    space = folder / "space.jsonl"
    space.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    asked = {"samples": len(lines), "dataset": "digits", "data_dir": str(folder / "data"), "augment": "none"}
    return Request(space=str(space), **{**asked, **words})


class KilledError(Exception):
    """Stands for a SIGKILL of the driver: nothing after it is written."""


class Doomed(Ledger):
    """A ledger whose process is killed once so many more lines are on disk."""

    def __init__(self, path: Path, lines: int) -> None:
        super().__init__(path)
        self._left = lines

    def append(self, event: Event) -> Event:
        event = super().append(event)
        self._left -= 1
        if not self._left:
            raise KilledError
        return event


class Photographed(Ledger):
    """A ledger whose folder is copied after every line, to folders 1, 2, …: what a kill would leave there."""

    def __init__(self, path: Path, copies: Path) -> None:
        super().__init__(path)
        self._folder, self._copies = path.parent, copies

    def append(self, event: Event) -> Event:
        event = super().append(event)
        shutil.copytree(self._folder, self._copies / str(len(self.events)))
        return event


class Silent:
    """Shows nothing."""

    def say(self, line: str) -> None:
        pass

    def refresh(self) -> None:
        pass


def make_images(data_dir: Path, size: int = 120) -> Images:
    """The first of the handwritten digits."""
    return load("digits", "train", data_dir=data_dir).take(range(size))


def make_problem(function: Function, images: Images, *, samples: int = 6, epochs: int = 4) -> Problem:
    """A quarter of the images for validation."""
    request = Request(space="test", samples=samples, epochs=epochs, data_dir="", validation=0.25)
    return Problem(request, Space("test", function), images)


def work_of(problem: Problem) -> Work:
    """What every task of a problem is trained with."""
    return Work(train=problem.train, validation=problem.validation, here=HERE)


def run(
    folder: Path,
    problem: Problem,
    *,
    kill_after: int | None = None,
    copies: Path | None = None,
    deadline: float | None = None,
    listeners: Sequence[Listener] = (),
    scheduler: Scheduler | None = None,
) -> Driver:
    """Run or resume a search one trial at a time; `kill_after` lines of this session, raise KilledError.

    copies: where to copy the folder after every line.
    """
    request = problem.request
    folder.mkdir(exist_ok=True)
    path = folder / "ledger.jsonl"
    if kill_after is not None:
        book = Doomed(path, kill_after)
    else:
        book = Ledger(path) if copies is None else Photographed(path, copies)
    with book:
        driver = Driver(
            book,
            draw_trials(problem, Order(problem.order(request.samples))),
            scheduler or scheduler_of(request, request.samples),
            RunFiles(folder),
            deadline=deadline,
            listeners=listeners,
            metric=request.metric,
        )
        driver.append(Opened(samples=request.samples, slots=1))
        inline.train(driver, work_of(problem), Silent())
        if driver.finished:
            driver.files.release_paused(driver.record.trials)
        driver.append(Closed(reason="finished" if driver.finished else driver.pausing or "interrupted"))
        return driver


def killed_anywhere(
    copies: Path, problem: Problem, make_scheduler: Callable[[], Scheduler] | None = None
) -> list[Path]:
    """The folder of a search as a kill leaves it, for every line but the last after which it may come."""
    run(copies / "whole", problem, copies=copies, scheduler=make_scheduler and make_scheduler())
    return [copies / str(lines) for lines in range(1, len(ledger.read(copies / "whole" / "ledger.jsonl")))]


def read(folder: Path) -> Record:
    """The record as it is on disk."""
    return Record(parse(ledger.read(folder / "ledger.jsonl")))


def final_tables(folder: Path) -> list[pd.DataFrame]:
    """Trials and epochs, without what may differ."""
    record = read(folder)
    return [f.drop(columns=MAY_DIFFER, errors="ignore") for f in (tables.trials(record, False), tables.epochs(record))]


def assert_same_tables(folder: Path, other: Path) -> None:
    """Hold everything that two runs of one search must have in common, to the bit."""
    for ours, theirs in zip(final_tables(folder), final_tables(other), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)
