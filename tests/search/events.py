"""Events and runs as a search writes them, for tests that need no training."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from search.history.events import Asked, Decision, Ended, Event, Measured, Started, State
from search.history.record import Record, Run

CONFIG: Mapping[str, Any] = {
    "network": {"name": "cnn5", "width": 0.5},
    "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.0, "momentum": 0.2},
    "training": {"batch_size": 32, "epochs": 4, "label_smoothing": 0.0, "schedule": "constant", "augment": "none"},
}


def asked(trial: int = 0, repeat: int = 0, **changes: Any) -> Asked:
    """A run was drawn."""
    drawn = {"config": CONFIG, "params": {}, "distributions": {}, "redrawn": 0, "parameters": 10, "flops": 20}
    return Asked(trial=trial, repeat=repeat, **{**drawn, "seed": trial, **changes})


def started(trial: int = 0, repeat: int = 0, *, attempt: int = 1, images: int = 0) -> Started:
    """A worker began, after so many images of a checkpoint."""
    return Started(trial=trial, repeat=repeat, attempt=attempt, images=images)


def measured(
    images: int,
    accuracy: float | None = 0.5,
    *,
    trial: int = 0,
    repeat: int = 0,
    attempt: int = 1,
    state: State = State.RUNNING,
    decision: Decision | None = None,
    checkpoint: str | None = None,
    **more: Any,
) -> Measured:
    """A segment ended; an epoch is ten images."""
    return Measured(
        trial=trial,
        repeat=repeat,
        attempt=attempt,
        images=images,
        epoch=images / 10,
        val_accuracy=accuracy,
        checkpoint=checkpoint,
        state=state,
        decision=decision or (Decision.CONTINUE if state is State.RUNNING else Decision.END),
        **{"seconds": 1.0, "reason": None, **more},
    )


def ended(state: State, reason: str = "why", *, trial: int = 0, attempt: int = 1) -> Ended:
    """An attempt ended without a measurement."""
    return Ended(trial=trial, repeat=0, attempt=attempt, state=state, reason=reason)


def in_order(events: Iterable[Event]) -> list[Event]:
    """Events as a ledger has them: with their places, and a second between two of them."""
    return [replace(event, seq=seq, time=float(seq)) for seq, event in enumerate(events)]


def run(trial: int, measurements: Iterable[Measured] = (), state: State = State.DONE, **changes: Any) -> Run:
    """A run as the fold leaves it. changes: of what was asked for."""
    return Run(asked(trial, **changes), state=state, attempt=1, measurements=list(measurements))


def record(*runs: Run) -> Record:
    """A record of these runs."""
    made = Record()
    made.runs = {each.key: each for each in runs}
    return made
