"""What a scheduler is, and the registry of them.

A scheduler answers in three ways (go on, pause, stop) and names the paused trial that goes on when a slot is free. It
is a deterministic function of the ledger's events in their order: `hear` folds them, the other methods change nothing,
so whatever it keeps can be rebuilt from the ledger.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from architectures.errors import HpsearchError
from search.history.events import Decision, Event
from search.schedulers import SCHEDULERS


class SchedulerError(HpsearchError):
    """A scheduler that does not exist: one line."""


class Scheduler(Protocol):
    """Compares trials by values, which are fractions of one and to be maximised, whatever they measure."""

    @property
    def rungs(self) -> tuple[float, ...]:
        """The epochs, perhaps fractions, at which it is asked; ascending and below max_t."""

    @property
    def pauses(self) -> bool:
        """Whether it may pause a trial; each then has a checkpoint at every rung."""

    def decide(self, trial: int, epoch: float, value: float) -> Decision:
        """What a trial with this value at an epoch does: `CONTINUE`, `PAUSE` or `STOP`; `CONTINUE` off the rungs."""

    def choose(self) -> int | None:
        """The paused trial that goes on now that a slot is free; None when a new one may begin instead."""

    def hear(self, event: Event) -> None:
        """Take one more of the events that count; the value of a measurement is `event.value`."""


Make = Callable[[int], Scheduler]
"""Makes a scheduler for trials of at most so many epochs."""

_MADE_BY: dict[str, Make] = {}


def scheduler(name: str) -> Callable[[type], type]:
    """Register a class, whose one argument is max_t, as the scheduler of a name; raises ValueError on a duplicate."""

    def register(made: type) -> type:
        if name in _MADE_BY:
            raise ValueError(f"the scheduler '{name}' exists already")
        _MADE_BY[name] = made
        return made

    return register


def make_scheduler(name: str, max_t: int) -> Scheduler:
    """The scheduler of a name for trials of at most `max_t` epochs; raises SchedulerError for an unknown name."""
    if name in SCHEDULERS:
        import_module(f"search.schedulers.{name}")
    if name not in _MADE_BY:
        raise SchedulerError(f"unknown scheduler '{name}'; known: {', '.join(SCHEDULERS)}")
    return _MADE_BY[name](max_t)
