"""The driver: turns the answers of workers into events and decisions. It knows the ledger, and no engine.

The order of writes makes a kill at any time safe: a worker's checkpoint is on disk before the line that names it, the
line before the engine receives the decision, a grant before its task is handed out; the older checkpoint goes last.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from architectures.errors import one_line
from search.forecast.calibration import Calibration
from search.history.events import FINAL, Decision, Ended, Event, Granted, Measured, Opened, Started, State
from search.history.metric import ACCURACY, METRICS
from search.history.record import Key, Record, Run
from search.run.run_files import RunFiles, images_of
from search.schedulers.scheduler import Scheduler
from trainables.files import is_full
from trainables.worker.patience import patiently
from trainables.worker.speed import Speed
from trainables.worker.task import Task

RETRIES = 2
SMALLEST_PART = 8  # of a batch that does not fit into memory: a half, a quarter and an eighth are tried

Listener = Callable[[Event], None]
"""Receives every new event, once its line is on disk."""


@dataclass(frozen=True)
class Halt:
    """A failure of something that every run needs: the session ends after the current segments."""

    reason: str
    """The session's reason, as in `Closed`: "disk full", "files unavailable" or "machine unfit"."""
    detail: str
    """What failed, in one line."""


class Book(Protocol):
    """What the driver writes to: a ledger."""

    events: list[Event]

    def append(self, event: Event) -> Event:
        """Record an event, and return it with its place and time."""


class Driver:
    """One session of a search or of its retrains: hands out tasks, receives answers, writes the ledger."""

    def __init__(
        self,
        ledger: Book,
        source: Callable[["Driver"], Iterator[Run | None]],
        scheduler: Scheduler,
        files: RunFiles,
        *,
        retries: int = RETRIES,
        deadline: float | None = None,
        superseded: Callable[[], str | None] = lambda: None,
        listeners: Sequence[Listener] = (),
        calibration: Calibration | None = None,
        metric: str = ACCURACY,
        split_seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """source: yields the runs to train, in order, and None while it waits for running ones. retries: further
        attempts for a run whose worker fails. deadline: a time of the clock, after which runs pause at a segment's end.
        superseded: a line that names the driver that took the search over, or None. calibration: what the first workers
        time before they train. metric: by which trials are compared. split_seed: of the assignment of images to folds.
        """
        self.ledger, self.scheduler, self.files, self.retries = ledger, scheduler, files, retries
        self.record = Record()
        for event in ledger.events:
            self._fold(event)
        self.deadline, self._superseded, self._clock = deadline, superseded, clock
        self._listeners = list(listeners)
        self._calibration = calibration
        self._metric = None if metric == ACCURACY else metric
        self._split_seed = split_seed
        self._source = source(self)
        self._source_is_empty = False
        self.active: set[Key] = set()
        self.halt: Halt | None = None
        """The first failure that ends the session; None while there is none."""
        self.interrupted = False
        """Whether the user has asked to end the session."""
        self.is_undisturbed = False
        """Whether a Ctrl-C is only noted now, in `interrupted`: see `undisturbed`."""
        self.deaf: list[str] = []
        """The errors of listeners that were removed."""
        self._handed_out: set[Key] = set()
        self._again: list[Run] = []
        self._failures: Counter[Key] = Counter()
        self._suspects: dict[Key, float] = {}
        self._cut_short = 0
        files.sweep(self.record)

    @property
    def finished(self) -> bool:
        """Whether every run has ended or stays paused; not once another driver goes on with the search."""
        is_left = self._handed_out or self._again or self._cut_short or self.scheduler.choose() is not None
        return self._source_is_empty and not is_left and not self.superseded

    @property
    def superseded(self) -> str | None:
        """A line that names the driver on another machine that has taken the search over; None if none has."""
        return self._superseded()

    @property
    def pausing(self) -> str | None:
        """Why all runs end after their current segment; None while they continue."""
        if self.superseded:
            return "taken over"
        if self.halt is not None:
            return self.halt.reason
        if self.interrupted:
            return "interrupted"
        return "out of time" if self.deadline is not None and self._clock() > self.deadline else None

    @property
    def num_handed_out(self) -> int:
        """Tasks that have not ended."""
        return len(self._handed_out)

    @property
    def waiting(self) -> bool:
        """Whether a running task may, when it ends, bring another task to hand out."""
        return self.pausing is None and bool(self._handed_out)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Within this a Ctrl-C raises nothing: see `pausing` afterwards.

        For starts and imports of libraries, which lose its exception, make another of it, or stay half imported.
        """
        self.is_undisturbed = True
        try:
            yield
        finally:
            self.is_undisturbed = False

    def listen(self, listener: Listener) -> None:
        """Add a listener, which receives every event from now on."""
        self._listeners.append(listener)

    def append(self, event: Event) -> Event:
        """Write an event to the ledger, apply it to record and scheduler, then pass it to the listeners."""
        event = self.ledger.append(event)
        self._fold(event)
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception as error:  # a listener must not end a search
                self._listeners.remove(listener)
                self.deaf.append(f"{type(error).__name__}: {error}")
        return event

    def next_task(self) -> Task | None:
        """The next run as a task for a worker, or None when there is none now; see `waiting`."""
        if self.pausing:
            return None
        run = self._next_again() or self._chosen() or self._next_of_source()
        if run is None:
            return None
        try:
            teachers = patiently(partial(self.files.lend, run, [self.record.runs[key] for key in run.teachers]))
        except OSError as error:
            self._stop_for(error)
            self._again.append(run)
            return None
        (trial, repeat), asked = run.key, run.asked
        self._handed_out.add(run.key)
        return Task(
            trial=trial,
            repeat=repeat,
            attempt=run.attempt + 1,
            config=run.config,
            seed=asked.seed,
            resume_from=self.files.usable(run),
            weights=run.is_kept,
            fold=(asked.fold, asked.folds, self._split_seed) if asked.fold and asked.folds else None,
            teachers=teachers,
            deadline=self.deadline,
            micro_batch=run.micro_batch,
            calibrate=self._calibration.share(run.key) if self._calibration else (),
            judged_by=METRICS[self._metric or ACCURACY],
            marks=self.scheduler.rungs,
            pauses=self.scheduler.pauses,
        )

    def started(self, task: Task) -> None:
        """A worker has begun the task."""
        images = images_of(task.resume_from) if task.resume_from else 0
        self.active.add((task.trial, task.repeat))
        self.append(Started(**_who(task), images=images))

    def measured(self, task: Task, answer: dict[str, Any]) -> bool:
        """Take a worker's answer; returns whether the run continues. Measurement, decision and end are one line."""
        if answer["state"] == "calibrated":
            assert self._calibration is not None
            self._calibration.hear((task.trial, task.repeat), [each and Speed(**each) for each in answer["speeds"]])
            return True
        run = self.record.runs[task.trial, task.repeat]
        if self._is_superseded(task, run):
            return False
        if self._calibration:
            self._calibration.conclude()
        if answer.get("full"):
            self._halt("disk full", answer["full"])
        if answer.get("images") is None:
            if answer["state"] == State.INTERRUPTED:
                self._halt("files unavailable", answer["reason"])
            self._end(task, run, answer["state"], answer["reason"], answer.get("batch"))
            return False
        if answer["epoch"] > self._suspects.get(run.key, answer["epoch"]):
            del self._suspects[run.key]
        return self._measured(task, run, answer)

    def _measured(self, task: Task, run: Run, answer: dict[str, Any]) -> bool:
        older, found = run.checkpoint, State(answer["state"])
        fields = {"reason": None, **answer, "state": found, "decision": Decision.END, "metric": self._metric}
        event = Measured(**_who(task), **fields)
        decision, state = self._judge(event) if found is State.RUNNING else (Decision.END, found)
        reason = event.reason
        if decision is Decision.STOP:
            reason = f"below the others at epoch {event.epoch:g}"
        if state is State.DONE and (task.weights or task.fold is not None):
            try:
                self._fetch(partial(self.files.collect, task, run))
            except OSError as error:
                self._stop_for(error)
                self._end(task, run, State.INTERRUPTED, f"its network cannot be fetched: {one_line(error)}")
                return False
        self.append(replace(event, state=state, reason=reason, decision=decision))
        if event.checkpoint and older:
            self.files.remove(older)
        if decision is Decision.CONTINUE:
            return True
        self._cut_short += state is State.INTERRUPTED
        self._release(run)
        return False

    def failed(self, task: Task, reason: str, *, is_shared: bool = False, is_unfit: bool = False) -> None:
        """The worker died or raised, not because of its configuration; the run is retried while retries are left.

        is_shared: whether it is a fault of a GPU that ends every run on it, of which any may have caused it. Then no
        retry is spent, and the run is a suspect until it gets further than before. Meanwhile it is the only suspect at
        work, and another fault counts as its own, although a run that has just begun may have caused that one.

        is_unfit: whether the worker's machine cannot train anything. Then no retry is spent, and the session pauses: as
        that machine is always free, it would get one run after the other.
        """
        if self._calibration:
            self._calibration.hear((task.trial, task.repeat))
        run = self.record.runs[task.trial, task.repeat]
        if self._is_superseded(task, run) or (run.state in FINAL and run.attempt == task.attempt):
            return
        if is_unfit:
            self._halt("machine unfit", reason)
        elif is_shared and run.key not in self._suspects:
            self._suspects[run.key] = run.epochs
        else:
            self._failures[run.key] += 1
        again = self._failures[run.key] <= self.retries
        self._end(task, run, State.INTERRUPTED if again else State.FAILED, self.files.note(task) or reason)

    def unfinished(self, runs: list[Run]) -> list[Run]:
        """The runs that still have to be trained, interrupted ones first; without those handed out, now or again.

        Failed ones get another attempt, unless the search must be the same on any slots.
        """
        over = (*FINAL, State.PAUSED)
        handed_out = {*self._handed_out, *(run.key for run in self._again)}
        left = [run for run in runs if run.state not in over and run.key not in handed_out]
        if not self.scheduler.same_on_any_slots:
            left += [run for run in runs if run.state is State.FAILED]
        return sorted(left, key=lambda run: (run.state is State.WAITING and not run.attempt, run.key))

    def _fold(self, event: Event) -> None:
        if self.record.apply(event):
            self.scheduler.hear(event)

    def _next_again(self) -> Run | None:
        """The next interrupted run; a suspect only when no other is at work."""
        held = self._suspects if self._suspects.keys() & self._handed_out else ()
        run = next((run for run in self._again if run.key not in held), None)
        if run is not None:
            self._again.remove(run)
        return run

    def _next_of_source(self) -> Run | None:
        """The next run of the source; None if there is none, or none before a running one ends."""
        try:
            return next(self._source)
        except StopIteration:
            self._source_is_empty = True
            if len(self.record.trials) >= (self.record.samples or 0):
                return None
            # A sampler that finds no more trials: those there are compared as if no more had been asked for.
            self.scheduler.hear(Opened(samples=len(self.record.trials), slots=0))
            return self._chosen()

    def _chosen(self) -> Run | None:
        """The paused run that the scheduler continues now, if there is one."""
        trial = self.scheduler.choose()
        if trial is None:
            return None
        self.append(Granted(trial=trial, repeat=0))
        return self.record.runs[trial, 0]

    def _is_superseded(self, task: Task, run: Run) -> bool:
        """Whether another attempt has replaced this one, whose answers are then ignored."""
        return task.attempt < run.attempt

    def _judge(self, event: Measured) -> tuple[Decision, State]:
        """The decision after a measurement, and the run's new state."""
        decision = Decision.CONTINUE
        if event.value is not None:
            decision = self.scheduler.decide(event)
        if decision is Decision.STOP:
            return decision, State.STOPPED
        if decision is Decision.PAUSE:
            return decision, State.PAUSED
        why = self.pausing
        # By the worker's clock the deadline may not have passed: its next segment writes a checkpoint to pause at,
        # unless none can be written.
        if why is None or (why == "out of time" and event.checkpoint is None and event.trouble is None):
            return Decision.CONTINUE, State.RUNNING
        return Decision.PAUSE, State.INTERRUPTED

    def _end(self, task: Task, run: Run, state: str, reason: str, batch: int | None = None) -> None:
        """Record an end without a measurement; an interrupted run is handed out again.

        batch: the images of a whole batch, if the worker's memory ran out.
        """
        micro_batch = None
        if state == "unreadable":
            assert task.resume_from is not None
            self.files.refuse(task.resume_from)
            state, reason = State.INTERRUPTED, f"{reason}; restarting from its seed"
        if state == "out of memory":
            assert batch is not None
            part = (run.micro_batch or batch) // 2
            state = State.INTERRUPTED if part >= max(2, batch // SMALLEST_PART) else State.INFEASIBLE
            if state is State.INTERRUPTED:
                micro_batch = part
                reason = f"{reason}; continuing with micro-batches of {part}"
        self.append(Ended(**_who(task), state=State(state), reason=reason, micro_batch=micro_batch))
        if run.state is State.INTERRUPTED:
            self._again.append(run)
        self._release(run)

    def _fetch(self, attempt: Callable[[], None]) -> None:
        """Call this patiently, or only once if the session ends: it would wait again for each run still at work."""
        if self.halt is None:
            patiently(attempt)
        else:
            attempt()

    def _stop_for(self, error: OSError) -> None:
        """End the session after the current segments, since files cannot be read or written."""
        self._halt("disk full" if is_full(error) else "files unavailable", one_line(error))

    def _halt(self, reason: str, detail: str) -> None:
        """Note the first failure that ends the session."""
        self.halt = self.halt or Halt(reason, detail)

    def _release(self, run: Run) -> None:
        """Free the run's slot; a run that has ended no longer needs its files."""
        self.active.discard(run.key)
        self._handed_out.discard(run.key)
        if run.state in FINAL:
            self.files.release(run)


def _who(task: Task) -> dict[str, Any]:
    return {"trial": task.trial, "repeat": task.repeat, "attempt": task.attempt}
