"""The interface of schedulers, and their registry.

A scheduler has three answers (continue, pause, stop) and names the paused trial that continues when a slot is free. It
is a deterministic function of the ledger's events in their order: `hear` applies them, and the other methods change
nothing, so its whole state can be rebuilt from the ledger.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from inspect import signature
from typing import Protocol

from architectures.errors import HpsearchError, instead
from search.history.events import Decision, Event, Measured
from search.history.request import Request
from search.schedulers import SCHEDULERS


class SchedulerError(HpsearchError):
    """A scheduler that does not exist, or an option that it does not take: one line."""


class Scheduler(Protocol):
    """Compares trials by values, which are fractions of one, to be maximised, whatever the metric.

    With several objectives (see `search.schedulers.objectives`), costs count as much as the value.
    """

    @property
    def rungs(self) -> tuple[float, ...]:
        """The epochs, perhaps fractions, at which it is asked; ascending and below max_t."""

    @property
    def pauses(self) -> bool:
        """Whether it may pause a trial; each then has a checkpoint at every rung."""

    @property
    def same_on_any_slots(self) -> bool:
        """Whether it guarantees the same search on any number of slots, whatever their speeds.

        If so, a slot has one thread unless more are asked for, a resume does not try failed trials again, and the
        number of samples can grow only after the search has finished.
        """

    def decide(self, measured: Measured) -> Decision:
        """What a trial does after a measurement that has a value: `CONTINUE`, `PAUSE` or `STOP`; `CONTINUE` off rungs.

        The measurement's own fields for state and decision are ignored: they are set from this result.
        """

    def choose(self) -> int | None:
        """The paused trial that continues now that a slot is free; None when a new one may begin instead.

        If all have begun, the slot waits, and this is called again when another trial reports.
        """

    def hear(self, event: Event) -> None:
        """Apply the next event that the record accepts; the value of a measurement is `event.value`."""


Make = Callable[..., Scheduler]
"""Makes a scheduler; its arguments are what it needs of `GIVEN`, and its own options with their defaults."""

GIVEN = ("max_t", "samples", "also")
"""Arguments that a scheduler may have: the epochs of the longest trial, the number of trials of the search, and the
costs that are objectives beside the value."""

_MADE_BY: dict[str, Make] = {}


def scheduler(name: str) -> Callable[[type], type]:
    """Register a class as the scheduler with this name; raises ValueError on a duplicate.

    The arguments of its constructor are what it needs of `GIVEN`, and its options, which are fields of the request.
    """

    def register(made: type) -> type:
        if name in _MADE_BY:
            raise ValueError(f"the scheduler '{name}' exists already")
        _MADE_BY[name] = made
        return made

    return register


def options_of(name: str) -> Mapping[str, float]:
    """The options that a scheduler takes, with their defaults; raises SchedulerError for an unknown name."""
    arguments = signature(_made_by(name)).parameters.values()
    return {each.name: each.default for each in arguments if each.name not in GIVEN}


def make_scheduler(
    name: str, *, max_t: int, samples: int, also: Sequence[str] = (), **options: float | None
) -> Scheduler:
    """The scheduler with this name, for `samples` trials of at most `max_t` epochs. options: None for the default.

    Raises SchedulerError for an unknown name, for an option that is not the scheduler's, for rungs above max_t, and for
    several objectives if it compares only one.
    """
    made, taken = _made_by(name), options_of(name)
    asked = {option: value for option, value in options.items() if value is not None}
    for option in asked:
        if option not in taken:
            takers = [each for each in SCHEDULERS if option in options_of(each)]
            own = ", ".join(map(_flag, taken)) or "no option"
            raise SchedulerError(f"{_flag(option)} applies only to --scheduler {', '.join(takers)}; {name} takes {own}")
    given = {"max_t": max_t, "samples": samples, "also": also}
    needed = {each: given[each] for each in GIVEN if each in signature(made).parameters}
    if also and "also" not in needed:
        raise SchedulerError(
            f"--also needs a scheduler that compares trials by several objectives; --scheduler {name} does not"
        )
    return made(**needed, **asked)


def scheduler_of(request: Request, samples: int) -> Scheduler:
    """The request's scheduler, for `samples` trials; raises SchedulerError as `make_scheduler` does."""
    options = request.scheduler_options
    return make_scheduler(request.scheduler, max_t=request.epochs, samples=samples, also=request.costs, **options)


def ladder(grace_period: float, factor: float, max_t: int) -> Iterator[float]:
    """The epochs grace_period, grace_period · factor and so on, below max_t; raises SchedulerError for none."""
    if grace_period > max_t:
        raise SchedulerError(
            f"--grace-period must be at most the epochs of a trial (--epochs {max_t}); got {grace_period:g}"
        )
    rung = float(grace_period)
    while rung < max_t:
        yield rung
        rung *= factor


def _made_by(name: str) -> Make:
    if name in SCHEDULERS:
        import_module(f"search.schedulers.{name.replace('-', '_')}")
    if name not in _MADE_BY:
        raise SchedulerError(f"unknown scheduler '{name}'{instead(name, SCHEDULERS)}")
    return _MADE_BY[name]


def _flag(option: str) -> str:
    return f"--{option.replace('_', '-')}"
