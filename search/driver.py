"""The driver: turns what workers answer into events and decisions. Knows the ledger, not Ray.

Order, whatever is killed when: a worker's checkpoint is on disk before the line that names it; the line is on disk
before Tune hears the decision; the older checkpoint goes last.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from search.calibration import Calibration
from search.ledger import Event, Ledger
from search.record import FINAL, Record, Run
from search.scheduler import Scheduler
from search.store import retrain_folder
from trainables import files
from trainables.speed import Speed
from trainables.task import Task


class Driver:
    """One session of a search or of its retrains: hands out tasks, hears results, writes the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        source: Callable[["Driver"], Iterator[Run]],
        scheduler: Scheduler,
        *,
        deadline: float | None = None,
        listen: Callable[[Event], None] = lambda _: None,
        calibration: Calibration | None = None,
    ) -> None:
        """source: yields the runs to train, in order. deadline: Unix seconds, after which runs pause at an epoch's end.
        listen: called with every new event, for display. calibration: what the first workers measure first.
        """
        self.ledger, self.scheduler = ledger, scheduler
        self.folder = folder.absolute()  # workers stand elsewhere
        self.record = Record(ledger.events)
        self.deadline, self._listen, self._calibration = deadline, listen, calibration
        self._source = source(self)
        self.active: set[tuple[int, int]] = set()
        self._exhausted = False
        self._paused = 0
        self._sweep()

    @property
    def finished(self) -> bool:
        """Whether everything that the source had to train has ended."""
        return self._exhausted and not self.active and not self._paused

    @property
    def late(self) -> bool:
        """Whether the deadline has passed."""
        return self.deadline is not None and time.time() > self.deadline

    def append(self, event: str, **fields: Any) -> Event:
        """Record an event in the ledger and in the fold."""
        entry = self.ledger.append(event, **fields)
        self.record.apply(entry)
        self._listen(entry)
        return entry

    def next_task(self) -> Task | None:
        """The next run as a task for a worker, or None when there is nothing more to train."""
        run = None if self.late else next(self._source, None)
        if run is None:
            self._exhausted = self._exhausted or not self.late
            return None
        trial, repeat = run.key
        resume_from = self._checkpoint_path(run.checkpoint) if run.checkpoint else None
        return Task(
            trial=trial,
            repeat=repeat,
            attempt=run.attempt + 1,
            config=run.config,
            seed=run.asked["seed"],
            resume_from=str(resume_from) if resume_from and resume_from.exists() else None,
            checkpoints=str(self.folder / "checkpoints" / f"{trial}-{repeat}"),
            weights=str(retrain_folder(self.folder, run)) if repeat else None,
            deadline=self.deadline,
            calibrate=self._calibration.share(trial) if self._calibration else (),
        )

    def started(self, task: Task) -> None:
        """A worker has begun the task."""
        run = self.record.runs[task.trial, task.repeat]
        images = 0
        if task.resume_from:
            images = int(Path(task.resume_from).stem.rpartition("-")[2])
        self.active.add(run.key)
        self.append("started", **_who(task), images=images)

    def measured(self, task: Task, result: dict[str, Any]) -> bool:
        """Take a worker's answer; whether the run goes on now. Measurement, decision and end are one line."""
        if result["state"] == "calibrated":
            assert self._calibration is not None
            self._calibration.hear(task.trial, [each and Speed(**each) for each in result["speeds"]])
            return True
        if self._calibration:
            self._calibration.conclude()
        run = self.record.runs[task.trial, task.repeat]
        state = result["state"]
        reason = result.get("reason")
        if result.get("images") is not None:
            older = run.checkpoint
            decision = "end" if state != "running" else self._judge(run, result)
            if decision == "stop":
                state, reason = "stopped", f"below the others at epoch {result['epoch']:g}"
            self.append("measured", **_who(task), **{**result, "state": state, "reason": reason}, decision=decision)
            if result["checkpoint"] and older:
                files.remove(self._checkpoint_path(older))
            self._paused += decision == "pause"
            if decision == "continue":
                return True
        else:
            self.append("ended", **_who(task), state=state, reason=reason)
        self._release(run)
        return False

    def failed(self, task: Task, reason: str) -> None:
        """The worker died or raised, which was not the configuration's fault."""
        if self._calibration:
            self._calibration.hear(task.trial)
        run = self.record.runs[task.trial, task.repeat]
        if run.state not in FINAL:
            self.append("ended", **_who(task), state="failed", reason=reason)
        self._release(run)

    def unfinished(self, runs: list[Run]) -> list[Run]:
        """The runs that still have to be trained, interrupted ones first; what failed before gets another attempt."""
        left = (run for run in runs if run.state not in FINAL or run.state == "failed")
        return sorted(left, key=lambda run: (run.state == "waiting", run.key))

    def _judge(self, run: Run, result: dict[str, Any]) -> str:
        if result["val_accuracy"] is not None and not self.scheduler.judge(
            run.asked["trial"], result["epoch"], result["val_accuracy"]
        ):
            return "stop"
        return "pause" if self.late else "continue"

    def _release(self, run: Run) -> None:
        """A slot is free; what has ended needs its checkpoint no more."""
        self.active.discard(run.key)
        if run.state in FINAL and run.checkpoint:
            files.remove(self._checkpoint_path(run.checkpoint))

    def _sweep(self) -> None:
        """Remove what a killed session left: checkpoints that no unfinished run names, and half-written files."""
        needed = {run.checkpoint for run in self.record.runs.values() if run.state not in FINAL}
        for path in (self.folder / "checkpoints").glob("*"):
            if path.name not in needed:
                files.remove(path)

    def _checkpoint_path(self, name: str) -> Path:
        return self.folder / "checkpoints" / name


def fill_rungs(scheduler: Scheduler, trials: list[Run]) -> None:
    """Give a scheduler what it judged in earlier sessions."""
    for run in trials:
        for measurement in run.measurements:
            if measurement["decision"] != "end":
                scheduler.judge(run.asked["trial"], measurement["epoch"], measurement["val_accuracy"])


def _who(task: Task) -> dict[str, int]:
    return {"trial": task.trial, "repeat": task.repeat, "attempt": task.attempt}
