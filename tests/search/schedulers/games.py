"""Searches that are played: the real driver, ledger and scheduler on the simulated engine, with curves from a table."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from search.history.events import Event, Opened, State
from search.history.ledger import MemoryLedger
from search.history.record import Record, Run
from search.run.driver import Driver
from search.run.engines.simulated import Clock, Step, simulate
from search.run.run_files import NoFiles
from search.schedulers.scheduler import make_scheduler
from tests.search.events import CONFIG, asked
from trainables.worker.task import Task

MAX_T = 8
IMAGES = 1000  # an epoch
ENDS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)  # where a trial is measured: at rungs and whole epochs
COARSE = ENDS[1:]  # where a batch holds more than half an epoch


class KilledError(Exception):
    """Stands for a SIGKILL of the driver: nothing after it is written."""


class Doomed(MemoryLedger):
    """A ledger whose process is killed once so many more lines are written; goes on from earlier events."""

    def __init__(self, events: Sequence[Event], lines: int | None, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.events = list(events)
        self._left = lines

    def append(self, event: Event) -> Event:
        event = super().append(event)
        if self._left is not None:
            self._left -= 1
            if not self._left:
                raise KilledError
        return event


@dataclass(frozen=True, kw_only=True)
class Game:
    """A search to play."""

    values: Sequence[Sequence[float]]
    """Of each trial, at each of `ENDS`."""
    deaths: Mapping[int, tuple[float, str]] = field(default_factory=dict)
    """The epoch before whose end a trial dies, and what it then is."""
    ends: Sequence[float] = ENDS
    """Where trials are measured."""
    epochs: Mapping[int, int] = field(default_factory=dict)
    """The epochs of trials that have fewer than the others."""
    parameters: Sequence[int] = ()
    """Of each trial's network, where they count as well."""

    @property
    def also(self) -> tuple[str, ...]:
        """The costs that count."""
        return ("parameters",) if self.parameters else ()

    def last(self, trial: int) -> int:
        """A trial's last epoch."""
        return self.epochs.get(trial, MAX_T)

    def play(
        self,
        scheduler: str = "halving",
        *,
        slots: int = 1,
        seed: int = 0,
        samples: int | None = None,
        more: int = 0,
        before: Sequence[Event] = (),
        kill_after: int | None = None,
        **options: float,
    ) -> Driver:
        """Begin the search, or go on after some events; segments take random times.

        samples: the first trials; None for all. more: trials that are asked for and that the sampler cannot draw.
        kill_after: lines after which the driver is killed, and resumed.
        """
        rng, clock, samples = random.Random(seed), Clock(), samples or len(self.values)

        def source(driver: Driver) -> Iterator[Run]:
            yield from driver.unfinished(driver.record.trials)
            for trial in range(samples):
                if (trial, 0) not in driver.record.runs:
                    training = {**CONFIG["training"], "epochs": self.last(trial)}
                    parameters = self.parameters[trial] if self.parameters else 10
                    driver.append(asked(trial, config={**CONFIG, "training": training}, parameters=parameters))
                    yield driver.record.runs[trial, 0]

        def steps(task: Task) -> Iterator[Step]:
            begins = int(task.resume_from.rpartition("-")[2].removesuffix(".pt")) if task.resume_from else 0
            for end in self.ends:
                if begins < end * IMAGES and end <= self.last(task.trial):
                    yield rng.expovariate(1.0), self._answer(task, end)

        book = Doomed(before, kill_after, clock)
        made = make_scheduler(scheduler, max_t=MAX_T, samples=samples + more, also=self.also, **options)
        driver = Driver(book, source, made, NoFiles(), clock=clock)
        try:
            driver.append(Opened(samples=samples + more, slots=slots))
            simulate(driver, steps, slots=slots, clock=clock)
        except KilledError:
            again = {"samples": samples, "more": more, "before": book.events}
            return self.play(scheduler, slots=slots, seed=seed + 1, **again, **options)
        assert driver.finished
        return driver

    def _answer(self, task: Task, end: float) -> dict[str, object]:
        dies, state = self.deaths.get(task.trial, (MAX_T + 1.0, ""))
        if end >= dies and state != State.DIVERGED:
            return {"state": state, "reason": "as the game has it"}
        images, is_last = round(end * IMAGES), end == self.last(task.trial)
        answer: dict[str, object] = {
            "state": State.DONE if is_last else State.RUNNING,
            "images": images,
            "epoch": end,
            "val_accuracy": self.values[task.trial][ENDS.index(end)],
            "seconds": 1.0,
            "checkpoint": f"{task.prefix}-{images}.pt" if not is_last else None,
        }
        return answer | ({"state": State.DIVERGED, "val_accuracy": None, "checkpoint": None} if end >= dies else {})


def outcome(record: Record) -> dict[int, tuple[State, list[tuple[float, float | None]]]]:
    """How each trial stands in the end, and its curve."""
    return {
        run.key[0]: (run.state, [(each.epoch, each.val_accuracy) for each in run.measurements]) for run in record.trials
    }


def reached(record: Record, epoch: float) -> set[int]:
    """The trials that were trained that far."""
    return {run.key[0] for run in record.trials if run.epochs >= epoch}
