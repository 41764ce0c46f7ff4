"""The parameters of a space, found by drawing from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

from search.spaces.drawing import Choice
from search.spaces.explorer import explore, value_at
from search.spaces.space import Function


@dataclass(frozen=True)
class Parameter:
    """A parameter that a space draws."""

    name: str
    """Its flat name, such as `sgd/lr`."""
    distribution: BaseDistribution
    """What it is drawn from."""
    conditions: tuple[tuple[str, tuple[Any, ...]], ...]
    """Other parameters, with those of their choices without which it is not drawn."""
    depends: bool = False
    """Whether draws differ in what it is drawn from; then `distribution` is that of one of them."""
    sometimes: bool = False
    """Whether some draws that meet its conditions are without it, as other draws decide that."""


def parameters(function: Function, draws: int = 2000) -> list[Parameter]:
    """Every parameter that a space draws, in the order of drawing, with the conditions found by `draws` random draws.

    Raises SpaceError when the space fails.
    """
    return parameters_of(some_draws(function, draws))


def some_draws(function: Function, draws: int) -> list[Choice]:
    """So many random draws, the same each time. Raises SpaceError when the space fails."""
    rng = np.random.default_rng(0)
    return [explore(function, lambda _, distribution: value_at(distribution, rng.random())) for _ in range(draws)]


def parameters_of(seen: Sequence[Choice]) -> list[Parameter]:
    """Every parameter of some draws, as `parameters` gives them."""
    distributions: dict[str, BaseDistribution] = {}
    for each in seen:
        distributions |= {k: v for k, v in each.distributions.items() if k not in distributions}
    drawn = [each.params for each in seen]
    depends = {k for each in seen for k, v in each.distributions.items() if v != distributions[k]}
    found = []
    for name, distribution in distributions.items():
        conditions = _conditions(name, drawn, distributions)
        met = (each for each in drawn if all(k in each and each[k] in v for k, v in conditions))
        found.append(Parameter(name, distribution, conditions, name in depends, any(name not in each for each in met)))
    longest = max(drawn, key=len)
    order = {name: i for i, name in enumerate(longest)}
    return sorted(found, key=lambda p: order.get(p.name, len(order)))


def _conditions(
    name: str, drawn: list[dict[str, Any]], distributions: dict[str, BaseDistribution]
) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """The choices of other parameters with which a parameter occurs in the draws, unless these are all choices."""
    present = [params for params in drawn if name in params]
    if len(present) == len(drawn):
        return ()
    conditions = []
    for other, distribution in distributions.items():
        if not isinstance(distribution, CategoricalDistribution) or other == name:
            continue
        if not all(other in params for params in present):
            continue
        chosen = [params[other] for params in present]  # no set: a choice may be a list
        kept = tuple(choice for choice in distribution.choices if choice in chosen)
        if len(kept) < len(distribution.choices):
            conditions.append((other, kept))
    return tuple(conditions)
