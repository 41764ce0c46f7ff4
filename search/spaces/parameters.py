"""What a space holds, found by drawing from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from search.spaces.space import Function, draw


@dataclass(frozen=True)
class Parameter:
    """A parameter that a space draws."""

    name: str
    """Its flat name, such as `sgd/lr`."""
    distribution: BaseDistribution
    """What it is drawn from."""
    conditions: tuple[tuple[str, tuple[Any, ...]], ...]
    """Other parameters and the choices of them under which it is drawn; empty when it always is."""


class _Explorer:
    """Draws at random and notes what was suggested: the methods of an Optuna trial that a space uses."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        value = choices[int(self._rng.integers(len(choices)))]
        return self._note(name, CategoricalDistribution(choices), value)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        value = low if step else float(self._rng.uniform(low, high))
        return self._note(name, FloatDistribution(low, high, log=log, step=step), value)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        value = int(self._rng.integers(low, high + 1))
        return self._note(name, IntDistribution(low, high, log=log, step=step), value - (value - low) % step)

    def _note(self, name: str, distribution: BaseDistribution, value: Any) -> Any:
        self.params[name] = value
        self.distributions[name] = distribution
        return value


def parameters(function: Function, draws: int = 2000) -> list[Parameter]:
    """Every parameter that a space draws, in the order of drawing, with the conditions found by `draws` random draws.

    Raises SpaceError when the space fails.
    """
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(draws):
        explorer = _Explorer(rng)
        draw(function, explorer)  # type: ignore[arg-type]
        seen.append(explorer)
    distributions: dict[str, BaseDistribution] = {}
    for explorer in seen:
        distributions |= {k: v for k, v in explorer.distributions.items() if k not in distributions}
    drawn = [explorer.params for explorer in seen]
    found = [Parameter(name, distributions[name], _conditions(name, drawn, distributions)) for name in distributions]
    longest = max(drawn, key=len)
    order = {name: i for i, name in enumerate(longest)}
    return sorted(found, key=lambda p: order.get(p.name, len(order)))


def _conditions(
    name: str, drawn: list[dict[str, Any]], distributions: dict[str, BaseDistribution]
) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """The choices of other parameters with which a parameter occurs among the draws, where they are not all."""
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
