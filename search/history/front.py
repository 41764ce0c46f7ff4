"""Trials that are worth their cost: those that no other beats for less."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.history.events import Asked, Measured
    from search.history.record import Run

#: What a trial costs, by the name that a user gives it, and what it is called.
COSTS = {"parameters": "parameters", "flops": "FLOPs of an image", "seconds": "time to train an image"}

_LONG = 1e9  # seconds
_LEAST = 1e-9  # of a cost whose logarithm is taken

KNEE = "knee"
"""What a user may say for the number of the trial that `knee` finds."""


def in_words(costs: Sequence[str]) -> str:
    """Costs as a sentence names them."""
    return " and ".join(COSTS[name] for name in costs)


def cost_of(asked: Asked, last: Measured | None, name: str) -> float:
    """One of `COSTS` of a run, by what was asked for and its last measurement. A time that is not known is long."""
    if name != "seconds":
        return float(getattr(asked, name))
    return 1 / last.images_per_second if last and last.images_per_second else _LONG


def log_cost(cost: float) -> float:
    """What costs are compared by: ten thousand to a thousand is as ten to one."""
    return math.log(max(_LEAST, cost))


def front(runs: Sequence[Run], costs: Sequence[str]) -> list[Run]:
    """Of trials with a value, those that none beats: at least as good, at most as costly in all, and better in one."""
    points = [_point(run, costs) for run in runs]
    best: list[tuple[float, ...]] = []
    for point in sorted(set(points)):  # what beats a point comes before it, and is beaten itself or among the best
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in best):
            best.append(point)
    kept = set(best)
    return [run for run, point in zip(runs, points, strict=True) if point in kept]


def knee(runs: Sequence[Run], costs: Sequence[str]) -> Run | None:
    """Of a front of three or more, the trial nearest to one as good as the best and as cheap as the cheapest.

    Values and logarithms of costs are scaled to the range that the front has.
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
    """A trial's value, negative, and its costs: less is better in each."""
    return -(run.at_best("value") or 0.0), *(cost_of(run.asked, run.last, name) for name in costs)
