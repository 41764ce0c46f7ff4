"""Cheap draws from a space: a trial of Optuna without a study."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from search.spaces.drawing import Choice
from search.spaces.flat_names import flat_names_of
from search.spaces.space import Function, SpaceError, draw
from trainables.config import Config, with_tuples
from trainables.transforms import TRANSFORMS

Pick = Callable[[str, BaseDistribution], Any]
"""Gives a parameter's value, from its name and its distribution."""


class Explorer(FixedTrial):
    """Takes the place of an Optuna trial: `pick` gives each value, and all suggestions are noted."""

    def __init__(self, pick: Pick) -> None:
        super().__init__({})
        self._pick = pick

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        if name not in self.params:
            self.params[name] = self._pick(name, distribution)
            self.distributions[name] = distribution
        return self.params[name]


def explore(function: Function, pick: Pick) -> Choice:
    """The draw with the values that `pick` gives. Raises SpaceError when the space or `pick` fails."""
    explorer = Explorer(pick)
    config = draw(function, explorer)
    return Choice(config, explorer.params, explorer.distributions)


def check_explorable(function: Function) -> None:
    """Raise SpaceError for a space that needs more of its trial than an Explorer has, such as the study."""
    try:
        explore(function, lambda _, distribution: value_at(distribution, 0.0))
    except SpaceError as error:
        raise SpaceError(
            f"{error}; gp and transfer try draws out with trials that belong to no study: use --sampler random or tpe"
        ) from error


def replayed(function: Function, params: Mapping[str, Any]) -> Choice | None:
    """The draw that has exactly these parameters; None if the space cannot give it."""
    found = _replay(function, params)
    return found if found is not None and found.params.keys() == params.keys() else None


def found_in(function: Function, config: Config) -> Choice | None:
    """The draw of a space that gives a configuration; None if there is none, or none with its flat names.

    So there is none if the space computes values from what it draws. A transform that is off has no flat name.
    """
    wanted = flat_names_of(config)
    found = _replay(function, dict.fromkeys(TRANSFORMS, 0) | wanted)
    return found if found is not None and flat_names_of(found.config) == wanted else None


def _replay(function: Function, values: Mapping[str, Any]) -> Choice | None:
    """The draw that takes its values from `values`; None if one is missing or out of range."""

    def pick(name: str, distribution: BaseDistribution) -> Any:
        value = with_tuples(values[name])
        if not holds(distribution, value):
            raise ValueError(f"{name} is drawn from {distribution}, got {value!r}")
        return distribution.to_external_repr(distribution.to_internal_repr(value))  # 0.0 for 0 in a range of floats

    try:
        return explore(function, pick)
    except SpaceError:
        return None


def holds(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a distribution can give a value."""
    try:
        return distribution._contains(distribution.to_internal_repr(value))
    except ValueError:
        return False


def value_at(distribution: BaseDistribution, place: float) -> Any:
    """The value of a distribution at a place in [0, 1); places drawn uniformly give values as in a random draw."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices[int(place * len(choices))]
        case FloatDistribution(low=low, high=high, step=None, log=log):
            if log:
                return min(high, max(low, math.exp(math.log(low) + place * (math.log(high) - math.log(low)))))
            return min(high, low + place * (high - low))
        case FloatDistribution(low=low, high=high, step=float() as step):
            return float(min(high, low + step * int(place * (round((high - low) / step) + 1))))
        case IntDistribution(low=low, high=high, step=step, log=log):
            if log:
                ends = math.log(low - 0.5), math.log(high + 0.5)
                return min(high, max(low, round(math.exp(ends[0] + place * (ends[1] - ends[0])))))
            return low + step * int(place * ((high - low) // step + 1))
    raise ValueError(f"{distribution} is not a distribution of a space")


def place_of(distribution: BaseDistribution, value: Any) -> float | None:
    """Where a number lies in its range, or among three or more numeric choices: 0 to 1, logarithmic for a log scale.

    None for a choice that has no place among the others.
    """
    match distribution:
        case CategoricalDistribution(choices=choices):
            numbers = [each for each in choices if isinstance(each, int | float) and not isinstance(each, bool)]
            if len(choices) < 3 or len(numbers) < len(choices):
                return None
            return sorted(numbers).index(value) / (len(choices) - 1)
        case FloatDistribution(low=low, high=high, log=log) | IntDistribution(low=low, high=high, log=log):
            if low == high:
                return 0.5
            return float(math.log(value / low) / math.log(high / low) if log else (value - low) / (high - low))
    raise ValueError(f"{distribution} is not a distribution of a space")
