"""The interface of engines, and how an engine is found by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from architectures.errors import HpsearchError, instead, one_line
from search.machines import ray_needs
from search.machines.machine import Machine, StartError
from search.run.driver import Driver
from search.run.engines import ENGINES
from trainables import collection
from trainables.data.images import Images


class EngineError(HpsearchError):
    """An engine that cannot do what it is asked for: one line."""


class Watcher(Protocol):
    """Shows the progress of a session."""

    def say(self, line: str) -> None:
        """Show a line."""

    def refresh(self) -> None:
        """Update the display: something may have changed."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What all tasks of a session have in common."""

    train: Images
    """The images to train on."""
    validation: Images | None
    """The images to validate on; None in a retrain."""
    here: Machine
    """Where it runs."""
    timeout: float | None = None
    """Seconds without progress after which a worker ends itself."""


Train = Callable[[Driver, Work, Watcher], None]
"""Trains everything that the driver hands out; returns when all is trained, or when the driver pauses."""


def engine(name: str) -> Train:
    """The engine with this name, imported only now, as Ray takes seconds. Raises EngineError for an unknown name.

    Raises StartError if Ray cannot even be imported.
    """
    if name not in ENGINES:
        raise EngineError(f"unknown engine '{name}'{instead(name, ENGINES)}")
    try:
        with collection.paused():
            train: Train = import_module(f"search.run.engines.{name}").train
    except RuntimeError as error:  # Ray needs a home folder when it is imported
        raise StartError(f"Ray cannot start on this machine ({ray_needs.in_the_way() or one_line(error)})") from error
    return train
