"""What the ledger says, folded: every run with its configuration, its curve and how it stands.

A run is a (trial, repeat): repeat 0 is the search's own training, 1 and on are retrains.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from search.history.ledger import Event

#: A run ends in one of these; only a failed one is trained again, by the next resume.
FINAL = ("done", "stopped", "diverged", "infeasible", "failed")

Key = tuple[int, int]


def is_family(network: str) -> bool:
    """Whether a network is a built-in family, whose hyperparameters have known names and types."""
    return ":" not in network


@dataclass
class Run:
    """One training and what is known of it.

    state: "waiting" (asked, not started), "running" (or interrupted, when no process has the ledger open),
    "interrupted" (to be trained on), or one of `FINAL`. measurements: one an epoch, in order, each an event. ends:
    the *ended* events. micro_batch: images whose gradients are computed at a time, where memory was too small for a
    batch. test: the *tested* event.
    """

    asked: Event
    attempt: int = 0
    state: str = "waiting"
    reason: str | None = None
    measurements: list[Event] = field(default_factory=list)
    checkpoint: str | None = None
    ends: list[Event] = field(default_factory=list)
    micro_batch: int | None = None
    test: Event | None = None

    @property
    def key(self) -> Key:
        """(trial, repeat)."""
        return self.asked["trial"], self.asked["repeat"]

    @property
    def config(self) -> dict[str, Any]:
        """The configuration as plain data."""
        return self.asked["config"]

    @property
    def network(self) -> str:
        """The network's name, with a family's width where it is not 1."""
        network = self.config["network"]
        width = network.get("width", 1.0) if is_family(network["name"]) else 1.0
        return network["name"] + (f" ×{width:g}" if width != 1.0 else "")

    @property
    def retrained(self) -> bool:
        """Whether this is a retrain whose weights are on disk: they are written before its last line."""
        return self.key[1] > 0 and self.state == "done"

    @property
    def best(self) -> Event | None:
        """The measurement with the highest validation accuracy, the earliest of equals."""
        measured = [m for m in self.measurements if m.get("val_accuracy") is not None]
        return max(measured, key=lambda m: m["val_accuracy"], default=None)

    @property
    def seconds(self) -> float:
        """Seconds of training and validation that count towards this run's curve."""
        return sum(m["seconds"] or 0.0 for m in self.measurements)


@dataclass
class Session:
    """One process at work on the search: from its opening to its closing, or to its last event when it was killed."""

    opened: Event
    last: float
    reason: str = "killed"

    @property
    def seconds(self) -> float:
        """Wall clock in seconds."""
        return self.last - self.opened["time"]


class Record:
    """The fold over a ledger's events; apply them in order."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.runs: dict[Key, Run] = {}
        self.sessions: list[Session] = []
        self.test_passes = 0
        for event in events:
            self.apply(event)

    def apply(self, event: Event) -> None:
        """Take one more event; lines of a superseded attempt change nothing."""
        kind = event["event"]
        if kind == "opened":
            self.sessions.append(Session(event, event["time"]))
            return
        if self.sessions:
            self.sessions[-1].last = event["time"]
        if kind == "closed":
            self.sessions[-1].reason = event["reason"]
            return
        if kind == "cut":
            self.test_passes += event["tested"]
            return
        key = (event["trial"], event["repeat"])
        if kind == "asked":
            self.runs[key] = Run(event)
            return
        run = self.runs[key]
        if event.get("attempt", run.attempt) < run.attempt:
            return
        match kind:
            case "started":
                run.attempt, run.state, run.reason = event["attempt"], "running", None
                # What the last attempt measured after the checkpoint is measured again.
                run.measurements = [m for m in run.measurements if m["images"] <= event["images"]]
                if not event["images"]:
                    run.checkpoint = None
            case "measured":
                run.measurements.append(event)
                run.checkpoint = event["checkpoint"] or run.checkpoint
                run.state, run.reason = event["state"], event["reason"]
            case "ended":
                run.state, run.reason = event["state"], event["reason"]
                run.micro_batch = event.get("micro_batch", run.micro_batch)
                run.ends.append(event)
            case "testing":
                self.test_passes += 1
            case "tested":
                run.test = event

    @property
    def samples(self) -> int | None:
        """How many trials the latest search session asked for; None before the first."""
        asked = [session.opened["samples"] for session in self.sessions if session.opened.get("samples")]
        return asked[-1] if asked else None

    @property
    def trials(self) -> list[Run]:
        """The search's own runs, by trial number."""
        return [run for (_, repeat), run in sorted(self.runs.items()) if repeat == 0]

    @property
    def retrains(self) -> list[Run]:
        """The retrains, by trial and repeat."""
        return [run for (_, repeat), run in sorted(self.runs.items()) if repeat > 0]


def rank(record: Record, *, distinct: bool = False) -> list[Run]:
    """Trials by their best validation accuracy, best first, the lower number first among equals.

    distinct: only the best of each network family. Runs without a measurement are left out.
    """
    ranked = [run for run in record.trials if run.best is not None and run.state not in ("diverged", "infeasible")]
    ranked.sort(key=lambda run: (-run.best["val_accuracy"], run.key))  # type: ignore[index]
    if not distinct:
        return ranked
    best_of: dict[str, Run] = {}
    for run in ranked:
        best_of.setdefault(run.config["network"]["name"], run)
    return list(best_of.values())
