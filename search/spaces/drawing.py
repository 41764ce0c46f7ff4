"""What a space that is a function can draw: every draw of a small one, and whether its choices stay the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)

from search.spaces.space import Function, SpaceError, draw
from trainables.config import Config

MOST = 1000  # draws that a small space has at most
TRIES = 200  # random draws of any other space, to learn its distributions


@dataclass(frozen=True)
class Choice:
    """One draw of a space."""

    config: Config
    """The configuration that it gives."""
    params: dict[str, Any]
    """Its flat parameters."""
    distributions: dict[str, BaseDistribution]
    """What each parameter was drawn from."""


def choice(function: Function, sampler: optuna.samplers.BaseSampler) -> Choice:
    """A draw of a space, independent of earlier draws. Raises SpaceError when the space fails."""
    trial = optuna.create_study(sampler=sampler).ask()
    config = draw(function, trial)
    return Choice(config, trial.params, trial.distributions)


@lru_cache(maxsize=8)
def everything(function: Function) -> tuple[Choice, ...] | None:
    """Every draw of a small space, each once; None for a space of more than `MOST` draws, and for one that fails.

    Nothing is random: all draws with a parameter's value come before those with its next value.
    """
    path = _Path()
    found: list[Choice] = []
    try:
        while len(found) < MOST:
            found.append(choice(function, path))
            if not path.turn():
                return tuple(found)
    except SpaceError:
        pass
    return None


@lru_cache(maxsize=8)
def check_constant(function: Function) -> Mapping[str, BaseDistribution]:
    """What each parameter is drawn from; raises SpaceError if its choices or kind differ between draws.

    Optuna's samplers that learn cannot learn from such draws. Every draw of a small space is checked, and `TRIES`
    random draws of any other. Of ranges that differ, the first is given.
    """
    seen: dict[str, BaseDistribution] = {}
    sampler = optuna.samplers.RandomSampler(seed=0)
    some: Iterable[Choice] = everything(function) or (choice(function, sampler) for _ in range(TRIES))
    for each in some:
        for name, distribution in each.distributions.items():
            before = seen.setdefault(name, distribution)
            try:
                check_distribution_compatibility(before, distribution)
            except ValueError as error:
                raise SpaceError(
                    f"the space draws '{name}' from {_words(before)}, and in other draws from {_words(distribution)}: "
                    "a sampler learns only from parameters that keep their choices; give each case one of its own, or "
                    "use --sampler random"
                ) from error
    return seen


class _Path(optuna.samplers.BaseSampler):
    """Gives each parameter's first value; in each later draw, the last parameter that has a next value takes it."""

    def __init__(self) -> None:
        self._path: list[int] = []
        self._sizes: list[int] = []

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        """No parameters are drawn together."""
        self._sizes = []
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The value whose turn it is; raises ValueError for a parameter of more than `MOST` values."""
        values = _values(param_distribution)
        place = len(self._sizes)
        self._sizes.append(len(values))
        if place == len(self._path):
            self._path.append(0)
        return values[self._path[place]]

    def turn(self) -> bool:
        """Advance to the next draw; returns whether there is one."""
        del self._path[len(self._sizes) :]  # for a space whose draws depend on more than its trial
        while self._path and self._path[-1] + 1 >= self._sizes[len(self._path) - 1]:
            self._path.pop()
        if not self._path:
            return False
        self._path[-1] += 1
        return True


def _values(distribution: BaseDistribution) -> list[Any]:
    """Every value of a distribution; raises ValueError when there are more than `MOST`."""
    match distribution:
        case CategoricalDistribution():
            values: Iterable[Any] = distribution.choices
        case IntDistribution():
            values = range(distribution.low, distribution.high + 1, distribution.step)
        case FloatDistribution(step=float() as step):
            low, high = distribution.low, distribution.high
            steps = min(round((high - low) / step), MOST)
            values = (float(value) for value in np.minimum(low + step * np.arange(steps + 1), high))  # as Optuna does
        case _:
            raise ValueError("a parameter has endlessly many values")
    some = list(islice(values, MOST + 1))
    if len(some) > MOST:
        raise ValueError(f"a parameter has more than {MOST} values")
    return some


def _words(distribution: BaseDistribution) -> str:
    """A distribution for people: its choices, or its range."""
    match distribution:
        case CategoricalDistribution():
            return str(distribution.choices)
        case FloatDistribution() | IntDistribution():
            scale = " on a log scale" if distribution.log else ""
            return f"{distribution.low:g} to {distribution.high:g}{scale}"
    return str(distribution)
