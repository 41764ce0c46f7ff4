"""Trials that are worth their cost: those that no other beats for less."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.history.record import Run

#: What a trial costs, by the name that a user gives it, and what it is called.
COSTS = {"parameters": "parameters", "flops": "FLOPs of an image", "seconds": "time"}


def cost_of(run: Run, name: str) -> float:
    """One of `COSTS`: seconds are those of all its training in the search."""
    return float(run.seconds if name == "seconds" else getattr(run.asked, name))


def front(runs: Sequence[Run], costs: Sequence[str]) -> list[Run]:
    """Of trials with a value, those that none beats: at least as good, at most as costly in all, and better in one."""
    points = [(-(run.at_best("value") or 0.0), *(cost_of(run, name) for name in costs)) for run in runs]
    return [
        run
        for run, mine in zip(runs, points, strict=True)
        if not any(other != mine and all(a <= b for a, b in zip(other, mine, strict=True)) for other in points)
    ]


def knee(runs: Sequence[Run], costs: Sequence[str]) -> Run | None:
    """Of a front of three or more, the trial nearest to one as good as the best and as cheap as the cheapest.

    Values and logarithms of costs are scaled to the range that the front has.
    """
    if len(runs) < 3:
        return None
    axes = [[-(run.at_best("value") or 0.0) for run in runs]]
    axes += [[math.log(max(1e-9, cost_of(run, name))) for run in runs] for name in costs]
    distances = [0.0] * len(runs)
    for axis in axes:
        low, span = min(axis), (max(axis) - min(axis)) or 1.0
        distances = [sofar + ((each - low) / span) ** 2 for sofar, each in zip(distances, axis, strict=True)]
    return runs[distances.index(min(distances))]
