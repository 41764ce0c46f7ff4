"""The parameters of a space, found by drawing from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution

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
    """Other parameters, with those of their choices for which it is drawn; empty if it is always drawn."""
    depends: bool = False
    """Whether draws differ in what it is drawn from; then `distribution` is that of one of them."""


def parameters(function: Function, draws: int = 2000) -> list[Parameter]:
    """Every parameter that a space draws, in the order of drawing, with the conditions found by `draws` random draws.

    Raises SpaceError when the space fails.
    """
    rng = np.random.default_rng(0)
    seen = [explore(function, lambda _, distribution: value_at(distribution, rng.random())) for _ in range(draws)]
    distributions: dict[str, BaseDistribution] = {}
    for each in seen:
        distributions |= {k: v for k, v in each.distributions.items() if k not in distributions}
    drawn = [each.params for each in seen]
    depends = {k for each in seen for k, v in each.distributions.items() if v != distributions[k]}
    found = [
        Parameter(name, distributions[name], _conditions(name, drawn, distributions), name in depends)
        for name in distributions
    ]
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
