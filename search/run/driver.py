"""The driver: turns what workers answer into events and decisions. Knows the ledger, not Ray.

Order, whatever is killed when: a worker's checkpoint is on disk before the line that names it; the line is on disk
before Tune hears the decision; the older checkpoint goes last.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from search.forecast.calibration import Calibration
from search.history.ledger import Event, Ledger
from search.history.record import FINAL, Key, Record, Run
from search.history.store import retrain_folder
from search.schedulers.asha import Scheduler
from search.storage.mirror import Mirror
from trainables import files
from trainables.files import Folder
from trainables.worker.speed import Speed
from trainables.worker.task import Task

RETRIES = 2
SMALLEST_PART = 8  # of a batch that memory is too small for: a half, a quarter and an eighth are tried


class Driver:
    """One session of a search or of its retrains: hands out tasks, hears results, writes the ledger.

    full: what a full disk said.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        source: Callable[["Driver"], Iterator[Run]],
        scheduler: Scheduler,
        *,
        checkpoints: Folder | None = None,
        mirror: Mirror | None = None,
        retries: int = RETRIES,
        deadline: float | None = None,
        listen: Callable[[Event], None] = lambda _: None,
        calibration: Calibration | None = None,
    ) -> None:
        """source: yields the runs to train, in order. checkpoints: a place that all machines share, by default the
        search's folder on this one. mirror: what copies the record to a storage, if anything does. retries: further
        attempts for a run whose worker fails. deadline: Unix seconds, after which runs pause at an epoch's end.
        listen: called with every new event, for display. calibration: what the first workers measure first.
        """
        self.ledger, self.scheduler, self.retries = ledger, scheduler, retries
        self.folder = folder.absolute()  # workers stand elsewhere
        self.checkpoints = checkpoints or Folder(str(self.folder / "checkpoints"))
        self.shared = checkpoints is not None  # by all machines
        self.record = Record(ledger.events)
        self.deadline, self._listen, self._calibration = deadline, listen, calibration
        self._source = source(self)
        self.active: set[Key] = set()
        self.full: str | None = None
        self._mirror = mirror
        self._handed_out: set[Key] = set()
        self._again: list[Run] = []
        self._failures: Counter[Key] = Counter()
        self._unreadable: set[str] = set()
        self._exhausted = False
        self._paused = 0
        self._sweep()

    @property
    def finished(self) -> bool:
        """Whether everything that the source had to train has ended."""
        return self._exhausted and not self._handed_out and not self._again and not self._paused

    @property
    def superseded(self) -> str | None:
        """Who has taken the search over from another machine, if anyone has."""
        return self._mirror.superseded if self._mirror else None

    @property
    def pausing(self) -> str | None:
        """Why no run goes beyond its epoch's end any more; None while all go on."""
        if self.superseded:
            return "taken over"
        if self.full is not None:
            return "disk full"
        return "out of time" if self.deadline is not None and time.time() > self.deadline else None

    @property
    def num_handed_out(self) -> int:
        """Tasks that have not ended."""
        return len(self._handed_out)

    @property
    def waiting(self) -> bool:
        """Whether there is nothing to hand out now but may be later, when a run at work fails."""
        return self.pausing is None and bool(self._handed_out)

    def append(self, event: str, **fields: Any) -> Event:
        """Record an event in the ledger and in the fold."""
        entry = self.ledger.append(event, **fields)
        self.record.apply(entry)
        self._listen(entry)
        return entry

    def next_task(self) -> Task | None:
        """The next run as a task for a worker, or None when there is none now; see `waiting`."""
        if self.pausing:
            return None
        run = self._again.pop(0) if self._again else next(self._source, None)
        if run is None:
            self._exhausted = True
            return None
        trial, repeat = run.key
        self._handed_out.add(run.key)
        return Task(
            trial=trial,
            repeat=repeat,
            attempt=run.attempt + 1,
            config=run.config,
            seed=run.asked["seed"],
            resume_from=self._usable_checkpoint(run),
            weights=repeat > 0,
            deadline=self.deadline,
            micro_batch=run.micro_batch,
            calibrate=self._calibration.share(trial) if self._calibration else (),
        )

    def started(self, task: Task) -> None:
        """A worker has begun the task."""
        run = self.record.runs[task.trial, task.repeat]
        images = _images_of(task.resume_from) if task.resume_from else 0
        self.active.add(run.key)
        self.append("started", **_who(task), images=images)
        # What this trial reached beyond its checkpoint is judged afresh.
        self.scheduler.forget(task.trial, max((m["epoch"] for m in run.measurements), default=0.0))

    def measured(self, task: Task, result: dict[str, Any]) -> bool:
        """Take a worker's answer; whether the run goes on now. Measurement, decision and end are one line."""
        state = result["state"]
        if state == "calibrated":
            assert self._calibration is not None
            self._calibration.hear(task.trial, [each and Speed(**each) for each in result["speeds"]])
            return True
        run = self.record.runs[task.trial, task.repeat]
        if self._is_superseded(task, run):
            return False
        if self._calibration:
            self._calibration.conclude()
        self.full = result.get("full") or self.full
        if result.get("images") is None:
            self._end(task, run, state, result["reason"])
            return False
        older = run.checkpoint
        decision = "end" if state != "running" else self._judge(run, result)
        reason = result.get("reason")
        if decision == "stop":
            state, reason = "stopped", f"below the others at epoch {result['epoch']:g}"
        if state == "done" and task.weights:
            self._collect(task, run)
        self.append("measured", **_who(task), **{**result, "state": state, "reason": reason}, decision=decision)
        if result["checkpoint"] and older:
            self._remove(older)
        if decision == "continue":
            return True
        self._paused += decision == "pause"
        self._release(run)
        return False

    def failed(self, task: Task, reason: str) -> None:
        """The worker died or raised, which was not the configuration's fault; it is tried again where that can help."""
        if self._calibration:
            self._calibration.hear(task.trial)
        run = self.record.runs[task.trial, task.repeat]
        if self._is_superseded(task, run) or (run.state in FINAL and run.attempt == task.attempt):
            return
        self._failures[run.key] += 1
        again = self._failures[run.key] <= self.retries
        self._end(task, run, "interrupted" if again else "failed", self._note(task) or reason)

    def unfinished(self, runs: list[Run]) -> list[Run]:
        """The runs that still have to be trained, interrupted ones first; what failed before gets another attempt."""
        left = (run for run in runs if run.state not in FINAL or run.state == "failed")
        return sorted(left, key=lambda run: (run.state == "waiting", run.key))

    def _is_superseded(self, task: Task, run: Run) -> bool:
        """Whether another attempt has replaced this one: what it says then changes nothing."""
        return task.attempt < run.attempt

    def _judge(self, run: Run, result: dict[str, Any]) -> str:
        if result["val_accuracy"] is not None and not self.scheduler.judge(
            run.asked["trial"], result["epoch"], result["val_accuracy"]
        ):
            return "stop"
        why = self.pausing
        if why == "out of time" and result["checkpoint"] is None:
            return "continue"  # by the worker's clock it was not: its next epoch leaves a checkpoint to pause at
        return "pause" if why else "continue"

    def _end(self, task: Task, run: Run, state: str, reason: str) -> None:
        """Record an end without a measurement; an interrupted run is handed out again."""
        fields: dict[str, Any] = {}
        if state == "unreadable":
            assert task.resume_from is not None
            self._unreadable.add(task.resume_from)
            state, reason = "interrupted", f"{reason}; begins anew from its seed"
        if state == "out of memory":
            batch = run.config["training"]["batch_size"]
            part = (run.micro_batch or batch) // 2
            state = "interrupted" if part >= max(2, batch // SMALLEST_PART) else "infeasible"
            if state == "interrupted":
                fields["micro_batch"] = part
                reason = f"{reason}; goes on {part} images at a time"
        self.append("ended", **_who(task), state=state, reason=reason, **fields)
        if state == "interrupted":
            self._again.append(run)
        self._release(run)

    def _collect(self, task: Task, run: Run) -> None:
        """Put a trained network, which a worker wrote under its attempt's name, in its place."""
        for name in _names_of(self.checkpoints, f"{task.prefix}+"):
            files.write(retrain_folder(self.folder, run) / name.partition("+")[2], self.checkpoints.read(name))

    def _release(self, run: Run) -> None:
        """A slot is free; what has ended needs its files no more, nor those that older attempts may have left."""
        self.active.discard(run.key)
        self._handed_out.discard(run.key)
        if run.state not in FINAL:
            return
        if run.checkpoint:
            self._remove(run.checkpoint)
        if run.attempt > 1 or run.key[1]:
            trial, repeat = run.key
            with suppress(OSError):  # a storage that is away keeps them until the next sweep
                for name in _names_of(self.checkpoints, f"{trial}-{repeat}-"):
                    self._remove(name)

    def _remove(self, name: str) -> None:
        """Delete a checkpoint, once what makes it needless is recorded wherever a resume may begin."""
        if self._mirror is None:
            self.checkpoints.remove(name)
        else:
            self._mirror.when_stored(lambda: self.checkpoints.remove(name))

    def _usable_checkpoint(self, run: Run) -> str | None:
        name = run.checkpoint
        if not name or name in self._unreadable:
            return None
        with suppress(OSError):  # a storage that is away now may be back when the worker reads
            return name if self.checkpoints.has(name) else None
        return name

    def _note(self, task: Task) -> str | None:
        """What a worker wrote down before it ended itself."""
        try:
            return self.checkpoints.read(f"{task.prefix}.reason").decode()
        except OSError:
            return None

    def _sweep(self) -> None:
        """Remove what a killed session left: checkpoints that no unfinished run names, and half-written files."""
        needed = {run.checkpoint for run in self.record.runs.values() if run.state not in FINAL}
        for name in self.checkpoints.names():
            if name not in needed and re.match(r"\d+-\d+-\d+[-+.]", name):  # nothing that somebody else has put there
                self._remove(name)
        for path in self.folder.rglob("*.tmp"):
            files.remove(path)


def fill_rungs(scheduler: Scheduler, trials: list[Run]) -> None:
    """Give a scheduler what it judged in earlier sessions."""
    for run in trials:
        for measurement in run.measurements:
            if measurement["decision"] != "end":
                scheduler.judge(run.asked["trial"], measurement["epoch"], measurement["val_accuracy"])


def _who(task: Task) -> dict[str, int]:
    return {"trial": task.trial, "repeat": task.repeat, "attempt": task.attempt}


def _images_of(checkpoint: str) -> int:
    """The images that a checkpoint's training has seen, which its name ends with."""
    return int(Path(checkpoint).stem.rpartition("-")[2])


def _names_of(folder: Folder, prefix: str) -> list[str]:
    return [name for name in folder.names() if name.startswith(prefix)]
