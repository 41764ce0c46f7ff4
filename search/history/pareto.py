"""Trials that are worth their cost: the Pareto front of value and costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.history.events import Asked, Measured
    from search.history.record import Run

#: The costs of a trial, by the names that users give: the words that are shown for them.
COSTS = {"parameters": "parameters", "flops": "FLOPs per image", "seconds": "training time per image"}

_LONG = 1e9  # seconds
_LEAST = 1e-9  # lower limit of a cost whose logarithm is taken

KNEE = "knee"
"""What a user may give instead of the number of the trial that `knee` finds."""


def in_words(costs: Sequence[str]) -> str:
    """The costs in words, for a sentence."""
    return " and ".join(COSTS[name] for name in costs)


def cost_of(asked: Asked, last: Measured | None, name: str) -> float:
    """One of `COSTS` of a run, from its event `asked` and its last measurement. An unknown time counts as very long."""
    if name != "seconds":
        return float(getattr(asked, name))
    return 1 / last.images_per_second if last and last.images_per_second else _LONG


def log_cost(cost: float) -> float:
    """A cost's logarithm, so that ratios are compared: 10,000 to 1,000 is the same as 10 to 1."""
    return math.log(max(_LEAST, cost))


def front(runs: Sequence[Run], costs: Sequence[str]) -> list[Run]:
    """The Pareto front of trials with a value: none is as good or better in value and all costs, and better in one."""
    points = [_point(run, costs) for run in runs]
    kept = unbeaten(points)
    return [run for run, point in zip(runs, points, strict=True) if point in kept]


def unbeaten(points: Iterable[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """The points that no other is as good as or better than in everything, and better in one thing; less is better."""
    best: list[tuple[float, ...]] = []
    for point in sorted(set(points)):  # what beats a point comes before it, and is in `best` or beaten by one there
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in best):
            best.append(point)
    return set(best)


def knee(runs: Sequence[Run], costs: Sequence[str]) -> Run | None:
    """The trial of a front that is nearest to one as good as the best and as cheap as the cheapest.

    Values and logarithms of costs are scaled to their range on the front. None for a front of fewer than three.
    """
    if len(runs) < 3:
        return None
    points = [_point(run, costs) for run in runs]
    scaled = [(minus_value, *map(log_cost, paid)) for minus_value, *paid in points]
    distances = [0.0] * len(runs)
    for axis in zip(*scaled, strict=True):
        low, span = min(axis), (max(axis) - min(axis)) or 1.0
        distances = [sofar + ((each - low) / span) ** 2 for sofar, each in zip(distances, axis, strict=True)]
    return runs[distances.index(min(distances))]


def _point(run: Run, costs: Sequence[str]) -> tuple[float, ...]:
    """A trial's negated value and its costs: smaller is better in each."""
    return -(run.at_best("value") or 0.0), *(cost_of(run.asked, run.last, name) for name in costs)
