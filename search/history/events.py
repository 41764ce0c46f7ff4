"""Events: one frozen class for each kind of line in the ledger, used to write, to check and to compute the record.

A line's checksum shows that it is unchanged since it was written; these classes check that its content is valid. Each
field has a check of its values, and only these fields are written.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar

from architectures.errors import HpsearchError
from search.history.fields import (
    is_checkpoint,
    is_config,
    is_count,
    is_counts,
    is_flag,
    is_keys,
    is_mapping,
    is_metric,
    is_number,
    is_share,
    is_shares,
    is_text,
    is_texts,
    may,
    needs,
    one_of,
)
from search.history.metric import ACCURACY, METRICS


class State(StrEnum):
    """The state of a run."""

    WAITING = "waiting"
    """It has been drawn or may continue, and no worker has started it."""
    RUNNING = "running"
    """A worker trains it, or trained it when its session was killed."""
    PAUSED = "paused"
    """The scheduler has not decided yet whether it continues."""
    INTERRUPTED = "interrupted"
    """Its training must be continued, by this session or by the next one."""
    DONE = "done"
    """It reached its last epoch."""
    STOPPED = "stopped"
    """The scheduler ended it."""
    DIVERGED = "diverged"
    """Its loss is not finite."""
    INFEASIBLE = "infeasible"
    """It does not fit into memory."""
    FAILED = "failed"
    """Its worker failed, through no fault of its configuration."""


#: A run ends in one of these; only a failed one is trained again, by the next resume.
FINAL = (State.DONE, State.STOPPED, State.DIVERGED, State.INFEASIBLE, State.FAILED)


class Decision(StrEnum):
    """The result of a measurement."""

    CONTINUE = "continue"
    """The run continues in its worker."""
    PAUSE = "pause"
    """The worker is free; the run may continue later."""
    STOP = "stop"
    """The scheduler ends the run."""
    END = "end"
    """There is nothing to decide: the run has ended by itself."""


class EventError(HpsearchError):
    """A ledger line that hpsearch would not write: one line with its number."""


# ---- the kinds


@dataclass(frozen=True, kw_only=True)
class Event:
    """The fields of every line."""

    kind: ClassVar[str]
    """The word in the line's field `event`."""
    seq: int = -1
    """The line's place in the ledger, from 0; given when it is written."""
    time: float = 0.0
    """Unix seconds; given when it is written."""

    def to_json(self) -> dict[str, Any]:
        """Its own fields, without those that are optional and absent."""
        return {name: value for name in self.names() if (value := getattr(self, name)) is not None or name in _NULLS}

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of its own fields."""
        return _NAMES[cls]


@dataclass(frozen=True, kw_only=True)
class Opened(Event):
    """A session began: one process that runs the search."""

    kind = "opened"
    slots: int = needs(is_count)
    """Trials at a time."""
    samples: int | None = may(is_count)
    """How many trials the search has by now; None when the session retrains."""
    threads: int | None = may(is_count)
    """Threads of each slot on the CPU."""
    device: str | None = may(is_text)
    """The kind of device: "cpu" or "cuda"."""
    host: str | None = may(is_text)
    """The driver's machine."""
    pid: int | None = may(is_count)
    """The driver's process."""


@dataclass(frozen=True, kw_only=True)
class Closed(Event):
    """A session ended by itself."""

    kind = "closed"
    reason: str = needs(is_text)
    """Why: "finished", "interrupted", "out of time", "disk full", "files unavailable", "machine unfit", "taken over" or
    "failed"."""


@dataclass(frozen=True, kw_only=True)
class Cut(Event):
    """The ledger was cut off here, before a damaged line."""

    kind = "cut"
    lines: int = needs(is_count)
    """How many lines were lost."""
    tested: int = needs(is_count)
    """How many test passes those lines recorded."""


@dataclass(frozen=True, kw_only=True)
class OfRun(Event):
    """An event of one run."""

    trial: int = needs(is_count)
    """The trial's number."""
    repeat: int = needs(is_count)
    """0 for the search's own training, from 1 for retrains and for finalists on folds."""


@dataclass(frozen=True, kw_only=True)
class Asked(OfRun):
    """A run was drawn, or asked for by a retrain."""

    kind = "asked"
    config: Mapping[str, Any] = needs(is_config)
    """The configuration, as `Config.to_json` writes it, with its number of epochs."""
    params: Mapping[str, Any] = needs(is_mapping)
    """Optuna's flat parameters."""
    distributions: Mapping[str, str] = needs(is_texts)
    """Their distributions, as Optuna's JSON."""
    redrawn: int = needs(is_count)
    """Impossible draws before this one."""
    parameters: int = needs(is_count)
    """The network's parameters."""
    flops: int = needs(is_count)
    """Floating-point operations of a forward pass of one image."""
    seed: int = needs(is_count)
    """The training's seed."""
    with_validation: bool | None = may(is_flag)
    """Whether a retrain also trains on the dataset's own validation images."""
    fold: int | None = may(is_count)
    """The fold, from 1, that a finalist's run leaves out of its images and is validated on; None for other runs."""
    folds: int | None = may(is_count)
    """How many folds there are."""
    kept: bool | None = may(is_flag)
    """Whether its network is kept, and tested when all are trained, as in a study."""
    teachers: list[list[int]] | None = may(is_keys)
    """The retrains, [trial, repeat] each, whose networks teach it; None if it learns the labels."""


@dataclass(frozen=True, kw_only=True)
class Granted(OfRun):
    """The scheduler lets a paused run continue; its task is given to a worker after this."""

    kind = "granted"


@dataclass(frozen=True, kw_only=True)
class OfAttempt(OfRun):
    """An event of one attempt at a run."""

    attempt: int = needs(is_count)
    """From 1; every task of the run that is given to a worker is another attempt."""


@dataclass(frozen=True, kw_only=True)
class Started(OfAttempt):
    """A worker began with a run."""

    kind = "started"
    images: int = needs(is_count)
    """Training images that its checkpoint has seen; 0 without a checkpoint."""


@dataclass(frozen=True, kw_only=True)
class Measured(OfAttempt):
    """A segment of a run ended: its measurement, and what follows from it."""

    kind = "measured"
    images: int = needs(is_count)
    """Training images seen since the run's start."""
    epoch: float = needs(is_number)
    """The same in epochs, which may be a fraction."""
    val_accuracy: float | None = needs(is_share, none=True)
    """Fraction of one; None in a retrain."""
    seconds: float | None = needs(is_number, none=True)
    """Seconds of training and validation of this segment."""
    checkpoint: str | None = needs(is_checkpoint, none=True)
    """The checkpoint that was written, if one was."""
    state: State = needs(one_of(State))
    """How the run stands now."""
    reason: str | None = needs(is_text, none=True)
    """Why it ended, if it did."""
    decision: Decision = needs(one_of(Decision))
    """What follows from it."""
    train_loss: float | None = may(is_number)
    """Mean over the segment, nats an image."""
    train_accuracy: float | None = may(is_share)
    """Mean over the segment, fraction of one."""
    val_loss: float | None = may(is_number)
    """Nats an image."""
    val_balanced_accuracy: float | None = may(is_share)
    """Mean recall of the classes that occur in the validation images."""
    learning_rate: float | None = may(is_number)
    """Learning rate of the segment's last step."""
    images_per_second: float | None = may(is_number)
    """Speed of training alone."""
    checkpoint_seconds: float | None = may(is_number)
    """Seconds that writing the checkpoint took."""
    began: float | None = may(is_number)
    """Unix seconds at which the worker began the segment, by its clock."""
    host: str | None = may(is_text)
    """The worker's machine."""
    pid: int | None = may(is_count)
    """The worker's process."""
    trouble: str | None = may(is_text)
    """Why a checkpoint could not be written."""
    full: str | None = may(is_text)
    """The error message of a full disk."""
    metric: str | None = may(is_metric)
    """The metric by which the search compares trials; None for accuracy."""

    @property
    def value(self) -> float | None:
        """The metric's value, a fraction of one; None in a retrain. All comparisons of trials use this."""
        found: float | None = getattr(self, METRICS[self.metric or ACCURACY])
        return found


@dataclass(frozen=True, kw_only=True)
class Ended(OfAttempt):
    """An attempt ended without a measurement."""

    kind = "ended"
    state: State = needs(one_of(State))
    """How the run stands now."""
    reason: str | None = needs(is_text, none=True)
    """Why."""
    micro_batch: int | None = may(is_count)
    """Images whose gradients are computed at a time from now on."""


@dataclass(frozen=True, kw_only=True)
class Chosen(Event):
    """The trials to retrain were chosen among a search's finalists, each trained on every fold."""

    kind = "chosen"
    trials: list[int] = needs(is_counts)
    """The chosen trials, the best first."""
    finalists: list[int] = needs(is_counts)
    """All finalists, in the order in which the search ranks them."""
    repeats: list[int] = needs(is_counts)
    """The repeats of their runs on folds: those of the first finalist by fold, then those of the next."""
    images: int = needs(is_count)
    """Images on which each finalist was validated, all folds together."""
    weights: Mapping[str, float] | None = may(is_shares)
    """Weights by trial, with which the mean prediction of the chosen is best on the left-out images."""

    def same_as(self, other: "Chosen") -> bool:
        """Whether both are equal, apart from their place and time in the ledger."""
        return self.to_json() == other.to_json()


@dataclass(frozen=True, kw_only=True)
class Testing(OfRun):
    """A test pass of a retrained network begins; it counts from here on."""

    kind = "testing"


@dataclass(frozen=True, kw_only=True)
class Tested(OfRun):
    """A test pass ended, and its predictions are on disk."""

    kind = "tested"
    correct: int = needs(is_count)
    """Images that were classified correctly."""
    images: int = needs(is_count)
    """Images in the test set."""
    balanced_accuracy: float | None = may(is_share)
    """Mean recall of the classes that occur in the test images."""
    fingerprint: str | None = may(is_text)
    """The test images' fingerprint."""
    flips: bool | None = may(is_flag)
    """Whether predictions are means over each image and its mirror image."""


@dataclass(frozen=True, kw_only=True)
class Looked(Event):
    """Test images are only looked at, outside any session: no network is measured on them, so it is no test pass."""

    kind = "looked"
    images: int = needs(is_count)
    """How many images."""
    why: str = needs(is_text)
    """The purpose."""


_OWN: dict[type[Event], Mapping[str, Any]] = {}
KINDS: dict[str, type[Event]] = {}
"""Every class of events by its `kind`."""
for _class in (Opened, Closed, Cut, Asked, Granted, Started, Measured, Ended, Chosen, Testing, Tested, Looked):
    KINDS[_class.kind] = _class
    _OWN[_class] = {each.name: each for each in fields(_class) if each.name not in ("seq", "time")}
_NAMES = {kind: tuple(own) for kind, own in _OWN.items()}
_NULLS = {each.name for own in _OWN.values() for each in own.values() if each.default is MISSING}


# ---- from lines to events


def parse(entries: Iterable[Mapping[str, Any]]) -> Iterator[Event]:
    """The events of a ledger's lines, in order; raises EventError at the first that hpsearch would not write."""
    asked: set[tuple[int, int]] = set()
    opened = False
    for entry in entries:
        try:
            event = _event(entry)
            _check_order(event, asked, opened)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            lacks = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            line = entry["seq"] + 1
            raise EventError(
                f"ledger.jsonl, line {line}: its checksum is right, but {lacks}; "
                f"continue from before it with --until {line}"
            ) from error
        opened = opened or isinstance(event, Opened)
        if isinstance(event, Asked):
            asked.add((event.trial, event.repeat))
        yield event


def _event(entry: Mapping[str, Any]) -> Event:
    if not is_number(entry["time"]):
        raise ValueError(f"time is {entry['time']!r:.60}")
    kind = KINDS.get(entry["event"])
    if kind is None:
        raise ValueError(f"there is no event {entry['event']!r}")
    found = {}
    for name, own in _OWN[kind].items():
        value = entry[name] if own.default is MISSING else entry.get(name)
        if not (value is None and own.metadata["none"]) and not own.metadata["fits"](value):
            raise ValueError(f"{name} is {value!r:.60}")
        found[name] = value
    return kind(seq=entry["seq"], time=entry["time"], **_with_enums(found))


def _with_enums(found: dict[str, Any]) -> dict[str, Any]:
    if "state" in found:
        found["state"] = State(found["state"])
    if "decision" in found:
        found["decision"] = Decision(found["decision"])
    return found


def _check_order(event: Event, asked: set[tuple[int, int]], opened: bool) -> None:
    """Raise ValueError for an event that is not possible at its place."""
    if isinstance(event, Closed) and not opened:
        raise ValueError("no session was opened")
    if isinstance(event, OfRun) and not isinstance(event, Asked) and (event.trial, event.repeat) not in asked:
        raise ValueError(f"run {event.trial}-{event.repeat} was never asked for")
    for trial, repeat in (event.teachers or ()) if isinstance(event, Asked) else ():
        if (trial, repeat) not in asked:
            raise ValueError(f"its teacher {trial}-{repeat} was never asked for")
    if isinstance(event, Measured) and not event.repeat and event.decision is not Decision.END:
        for name in (METRICS[ACCURACY], METRICS[event.metric or ACCURACY]):
            if getattr(event, name) is None:
                raise ValueError(f"{name} is missing")
