"""How trials are compared: by one value, or with `--also` by a value and costs that are equally important.

With several objectives, the trials that no other trial dominates come first (the Pareto front), then those that only
these dominate, and so on (non-dominated sorting; Deb et al. 2002). Within a front the best by value comes first, then
the trial that adds the most volume to those before (greedy hypervolume subset selection; Guerreiro et al. 2016). So one
of many similar trials is worth less than an isolated one, and a tiny network that only guesses is worth little.
"""

from bisect import bisect_right
from collections.abc import Container, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import accumulate
from math import inf
from typing import Any

from search.history.events import Asked, Event, Measured
from search.history.pareto import cost_of, log_cost

Point = tuple[float, ...]
"""A trial's value, to be maximised, and the logarithms of its costs, to be minimised."""

_BEYOND = 1.1  # where volumes end: the worst loss is 1, and a trial that is worst in one objective still has a volume
_MOST = 32  # trials of a front that are ordered by volume, as the time for it grows with their number


class Objectives:
    """Computes each trial's point."""

    def __init__(self, also: Sequence[str] = ()) -> None:
        """also: names of `COSTS`, as objectives beside the value."""
        self.several = bool(also)
        self.depends_on_the_clock = "seconds" in also
        self._also = also
        self._asked: dict[int, Asked] = {}

    def hear(self, event: Event) -> None:
        """Keep what was asked for, from which a trial's costs are computed."""
        if self.several and isinstance(event, Asked) and not event.repeat:
            self._asked[event.trial] = event

    def point(self, measured: Measured, value: float) -> Point:
        """The point of a trial with this measurement and value."""
        asked = self._asked.get(measured.trial)
        return value, *(log_cost(cost_of(asked, measured, name)) for name in self._also if asked)


def worths(points: Mapping[int, Point]) -> dict[int, float]:
    """The worth of each trial among these: its value, or with several objectives minus the number of its front."""
    if _is_one_objective(points):
        return {trial: value for trial, (value,) in points.items()}
    return {trial: -float(number) for number, front in enumerate(_fronts(points)) for trial in front}


def in_order(points: Mapping[int, Point]) -> list[int]:
    """The trials, best first; among equals the lowest number first."""
    if _is_one_objective(points):
        return sorted(points, key=lambda trial: (-points[trial][0], trial))
    return [trial for front in _fronts(points) for trial in _spread(front)]


class Ranking:
    """The order of `in_order`; of several fronts, each is sorted once something in it is asked for."""

    def __init__(self, points: Mapping[int, Point]) -> None:
        self._sort = in_order if _is_one_objective(points) else _spread
        self._fronts = [points] if _is_one_objective(points) else list(_fronts(points))
        self._sorted: dict[int, list[int]] = {}

    def first(self, among: Container[int]) -> tuple[int, int]:
        """The first trial that is among some, and its place in the order; raises ValueError if there is none."""
        before = 0
        for number, front in enumerate(self._fronts):
            if any(trial in among for trial in front):
                if number not in self._sorted:
                    self._sorted[number] = self._sort(front)
                order = enumerate(self._sorted[number], before)
                return next((trial, place) for place, trial in order if trial in among)
            before += len(front)
        raise ValueError("none of the trials is ranked")


def _is_one_objective(points: Mapping[int, Point]) -> bool:
    return all(len(point) == 1 for point in points.values())


def _fronts(points: Mapping[int, Point]) -> Iterator[dict[int, Point]]:
    """The Pareto front, then the front of the remaining trials, and so on; points are losses from 0 (best) to 1."""
    import numpy as np  # imported late: the command line lists schedulers without it

    trials = sorted(points)
    losses = np.array([points[trial] for trial in trials], float)
    losses[:, 0] *= -1
    lows, spans = losses.min(axis=0), np.ptp(losses, axis=0)
    losses = (losses - lows) / np.where(spans, spans, 1.0)
    are_pairs = losses.shape[1] == 2 and np.isfinite(losses).all()
    for front in _sweep(losses.tolist()) if are_pairs else _peel(losses):
        yield {trials[i]: tuple(losses[i].tolist()) for i in front}


def _sweep(losses: list[list[float]]) -> list[list[int]]:
    """The indices of each front, for two losses each: in ascending order, only the second one is left to compare."""
    ends: list[float] = []  # of each front, its least second loss so far, which ascends from front to front
    numbers = [0] * len(losses)
    before, number = None, 0
    for i in sorted(range(len(losses)), key=losses.__getitem__):
        if losses[i] != before:  # equal ones do not beat each other
            before, number = losses[i], bisect_right(ends, losses[i][1])
            ends[number : number + 1] = [losses[i][1]]
        numbers[i] = number
    fronts: list[list[int]] = [[] for _ in ends]
    for i, number in enumerate(numbers):
        fronts[number].append(i)
    return fronts


def _peel(losses: Any) -> Iterator[list[int]]:
    """The indices of each front, from comparisons of all with all. losses: an array with a row for each."""
    import numpy as np

    no_worse = (losses[:, None] <= losses).all(axis=2)
    beats = no_worse & ~no_worse.T
    beaten_by = beats.sum(axis=0)
    while (front := np.flatnonzero(beaten_by == 0)).size:
        beaten_by = beaten_by - beats[front].sum(axis=0)
        beaten_by[front] = -1
        yield front.tolist()


def _spread(front: Mapping[int, Point]) -> list[int]:
    """The trials of a front: the best by value, then each time the one that adds the most volume to those before.

    So `_MOST` are ordered; the others follow by their values. The volume that a trial adds only shrinks as more trials
    come before it, so each time only a few volumes are computed again.
    """
    first = min(front, key=lambda trial: (front[trial], trial))
    order, chosen = [first], [front[first]]
    covered = volume(chosen)
    most = [(-inf, trial) for trial in front if trial != first]
    heapify(most)
    while most and len(order) < _MOST:
        _, trial = heappop(most)
        added = volume([*chosen, front[trial]]) - covered
        if most and (-added, trial) > most[0]:
            heappush(most, (-added, trial))
            continue
        order.append(trial)
        chosen.append(front[trial])
        covered += added
    return order + sorted((trial for _, trial in most), key=lambda trial: (front[trial], trial))


def volume(points: Sequence[Point]) -> float:
    """The volume between points and the corner where each loss is `_BEYOND`, by slices along the last loss."""
    if not points:
        return 0.0
    deep = sorted(points, key=lambda point: point[-1])
    ends = [*(point[-1] for point in deep[1:]), _BEYOND]
    if len(points[0]) == 2:
        least = accumulate((first for first, _ in deep), min)
        return sum((_BEYOND - low) * (end - begin) for low, (_, begin), end in zip(least, deep, ends, strict=True))
    return sum(
        (end - point[-1]) * volume([each[:-1] for each in deep[: i + 1]])
        for i, (point, end) in enumerate(zip(deep, ends, strict=True))
        if end > point[-1]
    )
