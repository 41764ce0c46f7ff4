"""Texts and values that all sinks share: a run's name, its hyperparameters, its curves and its final values."""

import zlib
from dataclasses import replace
from typing import Any

from search.history.events import Measured, State
from search.history.hyperparameters import hyperparameters_of
from search.history.record import Run
from search.history.store import Search

_CURVES = (
    *("train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy"),
    *("learning_rate", "images_per_second"),
)

#: The reason of a trial that was paused when the search finished.
_FINISHED = "the search finished before it continued"


def identity(search: Search) -> str:
    """A name that no other search has, even one of the same name in another folder or on another machine."""
    return f"{search.name[:80]}-{int(search.created * 1000):x}"


def name(run: Run) -> str:
    """The run's name, such as trial-0003, trial-0003-retrain-1 or, for its run 7 on fold 2, trial-0003-7-fold-2."""
    trial, repeat = run.key
    stem = f"trial-{trial:04}"
    if run.asked.fold:
        return f"{stem}-{repeat}-fold-{run.asked.fold}"
    return f"{stem}-retrain-{repeat}" if repeat else stem


def as_given(run: Run, *, finished: bool) -> Run:
    """The run as sinks get it: one that was paused when the search finished has ended, as if it were stopped."""
    is_over = finished and run.state is State.PAUSED
    return replace(run, state=State.STOPPED, reason=_FINISHED) if is_over else run


def state(run: Run) -> str:
    """The run's state in words."""
    return "not continued" if run.reason == _FINISHED else str(run.state)


def hyperparameters(run: Run) -> dict[str, float | str | None]:
    """The drawn configuration, as values by name."""
    config = run.config
    return {
        "network": config["network"]["name"],
        "optimizer": config["optimizer"]["name"],
        "batch_size": config["training"]["batch_size"],
        "max_epochs": config["training"]["epochs"],
        **hyperparameters_of(config),
    }


def curves(measured: Measured) -> dict[str, float]:
    """The values of a measurement; those that are missing are left out."""
    return _there({name: getattr(measured, name) for name in _CURVES})


def finals(run: Run) -> dict[str, float]:
    """The final values of a run that has ended; those that are missing are left out."""
    return _there(
        {
            "best_val_accuracy": run.at_best("val_accuracy"),
            "best_val_balanced_accuracy": run.at_best("val_balanced_accuracy"),
            "seconds": run.seconds,
            "test_accuracy": run.test.correct / run.test.images if run.test else None,
            "test_balanced_accuracy": run.test.balanced_accuracy if run.test else None,
        }
    )


def is_well(run: Run) -> bool:
    """Whether a run that has ended did so normally: after its last epoch, or stopped by the scheduler."""
    return run.state in (State.DONE, State.STOPPED)


def last_time(run: Run) -> float:
    """When the last of the run was recorded, in Unix seconds."""
    return max(event.time for event in (run.asked, *run.measurements[-1:], *run.ends[-1:]))


def past(run: Run) -> list[tuple[int, int]]:
    """The attempt and the images of each measurement; if these have changed, the values may have changed too."""
    return [(each.attempt, each.images) for each in run.measurements]


def end(run: Run) -> tuple[Any, ...]:
    """What a run's final values depend on, besides its measurements."""
    return state(run), (run.test.correct, run.test.flips) if run.test else None


def digest(*of: Any) -> str:
    """A short hash of the arguments, the same in every process."""
    return f"{zlib.crc32(repr(of).encode()):08x}"


def _there(values: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}
