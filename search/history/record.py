"""The record: every run with its configuration, its curve and its state, computed from the events of a ledger.

A run is a (trial, repeat): repeat 0 is the search's own training; from 1 they are retrains, and finalists on folds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from search.history import events
from search.history.events import Asked, Chosen, Cut, Ended, Event, Looked, Measured, Opened, State, Tested

Key = tuple[int, int]


def is_family(network: str) -> bool:
    """Whether a network is a built-in family, whose hyperparameters have known names and types."""
    return ":" not in network


def in_words(network: Mapping[str, Any]) -> str:
    """A configuration's network: its name, with a family's width where that is not 1."""
    width = network.get("width", 1.0) if is_family(network["name"]) else 1.0
    return network["name"] + (f" ×{width:g}" if isinstance(width, int | float) and width != 1.0 else "")


@dataclass
class Run:
    """One training and what is known about it."""

    asked: Asked
    """The event that asked for it."""
    attempt: int = 0
    """The number of its last attempt."""
    state: State = State.WAITING
    """Its state; a run that the last session left "running" was interrupted if no process has the ledger open."""
    reason: str | None = None
    """The reason for its state, if it has one."""
    measurements: list[Measured] = field(default_factory=list)
    """One for each segment, in order."""
    checkpoint: str | None = None
    """The name of its last checkpoint."""
    ends: list[Ended] = field(default_factory=list)
    """Attempts that ended without a measurement."""
    micro_batch: int | None = None
    """Images whose gradients are computed at a time, where memory was too small for a batch."""
    test: Tested | None = None
    """The result of its test pass."""

    @property
    def key(self) -> Key:
        """(trial, repeat)."""
        return self.asked.trial, self.asked.repeat

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration as plain data."""
        return self.asked.config

    @property
    def network(self) -> str:
        """The network's name, with a family's width where it is not 1."""
        return in_words(self.config["network"])

    @property
    def is_kept(self) -> bool:
        """Whether its network is kept and tested, as those of retrains and of a study's trials are."""
        return self.asked.fold is None and (self.key[1] > 0 or bool(self.asked.kept))

    @property
    def teachers(self) -> tuple[Key, ...]:
        """The retrains whose networks teach this one; empty if it learns the labels."""
        return tuple((trial, repeat) for trial, repeat in self.asked.teachers or ())

    @property
    def retrained(self) -> bool:
        """Whether its network is on disk and can be tested; it is written before the run's last line."""
        return self.is_kept and self.state is State.DONE

    @property
    def last(self) -> Measured | None:
        """The measurement of its final or current network: with early stopping (`patience`), that of the best epoch."""
        if self.config["training"].get("patience") is not None and self.best is not None:
            return self.best
        return self.measurements[-1] if self.measurements else None

    @property
    def left_out(self) -> float | None:
        """For a finalist's run that is done, the value of its network on the fold that was left out."""
        if self.state is not State.DONE or self.asked.fold is None:
            return None
        return self.last.value if self.last else None

    @property
    def best(self) -> Measured | None:
        """The measurement with the highest value; the earliest if several are equal."""
        measured = [m for m in self.measurements if m.value is not None]
        return max(measured, key=lambda m: m.value or 0.0, default=None)

    def at_best(self, name: str) -> Any:
        """A field of the best measurement; None before the first one."""
        return getattr(self.best, name) if self.best else None

    @property
    def epochs(self) -> float:
        """Epochs trained so far that count towards its curve."""
        return self.measurements[-1].epoch if self.measurements else 0.0

    @property
    def seconds(self) -> float:
        """Seconds of training and validation that count towards this run's curve."""
        return sum(m.seconds or 0.0 for m in self.measurements)


def state_of(run: Run, running: bool) -> State:
    """The state that is shown: a running run that no process trains is interrupted."""
    return run.state if running or run.state is not State.RUNNING else State.INTERRUPTED


@dataclass
class Session:
    """One process that runs the search: from its opening to its closing, or to its last event if it was killed."""

    opened: Opened
    """How it began."""
    last: float
    """Unix seconds of its last event."""
    reason: str = "killed"
    """How it ended."""

    @property
    def is_retrain(self) -> bool:
        """Whether it trained winners again, and drew no trials."""
        return not self.opened.samples

    @property
    def seconds(self) -> float:
        """Wall clock in seconds."""
        return self.last - self.opened.time


class Record:
    """The record of a ledger's events, which are applied in order."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.runs: dict[Key, Run] = {}
        self.sessions: list[Session] = []
        self.choices: list[Chosen] = []
        self.test_passes = 0
        self.looks: list[Looked] = []
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> bool:
        """Apply the next event. Returns whether it counts: events of a superseded attempt are ignored."""
        if isinstance(event, Opened):
            self.sessions.append(Session(event, event.time))
            for run in self.runs.values():
                if run.state is State.RUNNING:  # in a session that was killed
                    run.state = State.INTERRUPTED
            return True
        if self.sessions and not isinstance(event, Looked | Cut):  # these belong to no session
            self.sessions[-1].last = event.time
        match event:
            case Looked():
                self.looks.append(event)
            case Cut():
                self.test_passes += event.tested
            case events.Closed():
                self.sessions[-1].reason = event.reason
            case Chosen():
                self.choices.append(event)
            case Asked():
                self.runs[event.trial, event.repeat] = Run(event)
            case events.OfRun():
                run = self.runs[event.trial, event.repeat]
                if isinstance(event, events.OfAttempt) and event.attempt < run.attempt:
                    return False
                self._apply_to(run, event)
        return True

    def _apply_to(self, run: Run, event: Event) -> None:
        match event:
            case events.Granted():
                run.state, run.reason = State.WAITING, None
            case events.Started():
                run.attempt, run.state, run.reason = event.attempt, State.RUNNING, None
                # Measurements that the last attempt made after the checkpoint are made again.
                run.measurements = [m for m in run.measurements if m.images <= event.images]
                if not event.images:
                    run.checkpoint = None
            case Measured():
                run.measurements.append(event)
                run.checkpoint = event.checkpoint or run.checkpoint
                run.state, run.reason = event.state, event.reason
            case Ended():
                run.state, run.reason = event.state, event.reason
                run.micro_batch = event.micro_batch or run.micro_batch
                run.ends.append(event)
            case events.Testing():
                self.test_passes += 1
            case Tested():
                run.test = event

    @property
    def searched(self) -> list[Session]:
        """The sessions that were no retrains."""
        return [session for session in self.sessions if not session.is_retrain]

    @property
    def samples(self) -> int | None:
        """How many trials the latest search session asked for; None before the first."""
        return self.searched[-1].opened.samples if self.searched else None

    @property
    def finished(self) -> bool:
        """Whether the latest session that was no retrain ended because nothing was left to train."""
        return bool(self.searched) and self.searched[-1].reason == "finished"

    @property
    def trials(self) -> list[Run]:
        """The search's own runs, ordered by trial number."""
        return [run for (_, repeat), run in sorted(self.runs.items()) if repeat == 0]

    @property
    def retrains(self) -> list[Run]:
        """The retrains, ordered by trial and repeat, without finalists' runs on folds."""
        return [run for (_, repeat), run in sorted(self.runs.items()) if repeat > 0 and run.asked.fold is None]


#: States of trials that never win, whatever they had reached before.
UNRANKED = (State.DIVERGED, State.INFEASIBLE)


def rank(record: Record, *, distinct: bool = False) -> list[Run]:
    """Trials ordered by their best value, best first; of equal ones the lower number is first.

    distinct: only the best trial of each network family. Runs without a measurement are left out.
    """
    measured = [(run.best, run) for run in record.trials if run.best is not None and run.state not in UNRANKED]
    ranked = [run for best, run in sorted(measured, key=lambda pair: (-(pair[0].value or 0.0), pair[1].key))]
    if not distinct:
        return ranked
    best_of: dict[str, Run] = {}
    for run in ranked:
        best_of.setdefault(run.config["network"]["name"], run)
    return list(best_of.values())
