"""What the ledger says, folded: every run with its configuration, its curve and how it stands.

A run is a (trial, repeat): repeat 0 is the search's own training, 1 and on are retrains, and finalists on folds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from search.history import events
from search.history.events import Asked, Chosen, Ended, Event, Looked, Measured, Opened, State, Tested

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
    """One training and what is known of it."""

    asked: Asked
    """What was asked for."""
    attempt: int = 0
    """The number of its last attempt."""
    state: State = State.WAITING
    """How it stands; a run that is "running" while no process has the ledger open is an interrupted one."""
    reason: str | None = None
    """Why it stands so, if that needs a reason."""
    measurements: list[Measured] = field(default_factory=list)
    """One for each segment, in order."""
    checkpoint: str | None = None
    """The name of its last checkpoint."""
    ends: list[Ended] = field(default_factory=list)
    """Attempts that ended without a measurement."""
    micro_batch: int | None = None
    """Images whose gradients are computed at a time, where memory was too small for a batch."""
    test: Tested | None = None
    """What its test pass found."""

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
        """Whether its network is kept and tested: of retrains, and of a study's trials."""
        return self.asked.fold is None and (self.key[1] > 0 or bool(self.asked.kept))

    @property
    def retrained(self) -> bool:
        """Whether its network is on disk, to be tested: it is written before the run's last line."""
        return self.is_kept and self.state is State.DONE

    @property
    def last(self) -> Measured | None:
        """The measurement of the network that it left, or has by now: the best epoch's where it stops early."""
        if self.config["training"].get("patience") is not None and self.best is not None:
            return self.best
        return self.measurements[-1] if self.measurements else None

    @property
    def left_out(self) -> float | None:
        """Of a finalist's run that is done, the value of the network that it left, on the fold that was left out."""
        if self.state is not State.DONE or self.asked.fold is None:
            return None
        return self.last.value if self.last else None

    @property
    def best(self) -> Measured | None:
        """The measurement with the highest value, the earliest of equals."""
        measured = [m for m in self.measurements if m.value is not None]
        return max(measured, key=lambda m: m.value or 0.0, default=None)

    def at_best(self, name: str) -> Any:
        """A field of that measurement; None before the first."""
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
    """A run's state in the words for people: a run that no process trains is interrupted."""
    return run.state if running or run.state is not State.RUNNING else State.INTERRUPTED


@dataclass
class Session:
    """One process at work on the search: from its opening to its closing, or to its last event when it was killed."""

    opened: Opened
    """How it began."""
    last: float
    """Unix seconds of its last event."""
    reason: str = "killed"
    """How it ended."""

    @property
    def seconds(self) -> float:
        """Wall clock in seconds."""
        return self.last - self.opened.time


class Record:
    """The fold over a ledger's events; apply them in order."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.runs: dict[Key, Run] = {}
        self.sessions: list[Session] = []
        self.choices: list[Chosen] = []
        self.test_passes = 0
        self.looks: list[Looked] = []
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> bool:
        """Take one more event. Returns whether it counts: lines of a superseded attempt change nothing."""
        if isinstance(event, Opened):
            self.sessions.append(Session(event, event.time))
            return True
        if isinstance(event, Looked):  # by no session, so it makes none longer
            self.looks.append(event)
            return True
        if self.sessions:
            self.sessions[-1].last = event.time
        match event:
            case events.Closed():
                self.sessions[-1].reason = event.reason
            case events.Cut():
                self.test_passes += event.tested
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
                # What the last attempt measured after the checkpoint is measured again.
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
    def samples(self) -> int | None:
        """How many trials the latest search session asked for; None before the first."""
        asked = [session.opened.samples for session in self.sessions if session.opened.samples]
        return asked[-1] if asked else None

    @property
    def finished(self) -> bool:
        """Whether the latest search session, no retrain, ended because nothing was left to train."""
        searched = [session for session in self.sessions if session.opened.samples]
        return bool(searched) and searched[-1].reason == "finished"

    @property
    def trials(self) -> list[Run]:
        """The search's own runs, by trial number."""
        return [run for (_, repeat), run in sorted(self.runs.items()) if repeat == 0]

    @property
    def retrains(self) -> list[Run]:
        """The retrains, by trial and repeat, without those of finalists on folds."""
        return [run for (_, repeat), run in sorted(self.runs.items()) if repeat > 0 and run.asked.fold is None]


def rank(record: Record, *, distinct: bool = False) -> list[Run]:
    """Trials by the best value of each, best first, the lower number first among equals.

    distinct: only the best of each network family. Runs without a measurement are left out.
    """
    never = (State.DIVERGED, State.INFEASIBLE)
    measured = [(run.best, run) for run in record.trials if run.best is not None and run.state not in never]
    ranked = [run for best, run in sorted(measured, key=lambda pair: (-(pair[0].value or 0.0), pair[1].key))]
    if not distinct:
        return ranked
    best_of: dict[str, Run] = {}
    for run in ranked:
        best_of.setdefault(run.config["network"]["name"], run)
    return list(best_of.values())
