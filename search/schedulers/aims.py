"""What trials are compared by: one value, or with `--also` a value and costs of which none counts more than another.

Of several aims, those that no other beats in all of them come first, then those that only these beat, and so on (the
non-dominated sorting of Deb et al. 2002). Within such a front the best in each aim come first, and then the trial that
adds the most volume to those before (greedy hypervolume subset selection; Guerreiro et al. 2016): one of many that are
alike is worth less than one that lies alone.
"""

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from itertools import accumulate
from math import inf, log

from search.history.events import Asked, Event, Measured

Point = tuple[float, ...]
"""A trial's value, to be maximised, and the logarithms of its costs, to be minimised."""

_BEYOND = 1.1  # where volumes end: the worst of each aim is 1, and what is worst in one still covers some
_LEAST = 1e-9  # of a cost whose logarithm is taken


class Aims:
    """Gives each trial its point, and puts points in order."""

    def __init__(self, also: Sequence[str] = ()) -> None:
        """also: costs, of `COSTS`, beside the value."""
        self.several = bool(also)
        self.depends_on_the_clock = "seconds" in also
        self._also = also
        self._asked: dict[int, Asked] = {}

    def hear(self, event: Event) -> None:
        """Note what a trial costs."""
        if self.several and isinstance(event, Asked) and not event.repeat:
            self._asked[event.trial] = event

    def point(self, measured: Measured, value: float) -> Point:
        """The point of a trial with this measurement and value."""
        return value, *(log(max(_LEAST, self._cost(measured, name))) for name in self._also)

    def _cost(self, measured: Measured, name: str) -> float:
        if name == "seconds":  # of an image
            return 1 / measured.images_per_second if measured.images_per_second else 0.0
        return float(getattr(self._asked[measured.trial], name)) if measured.trial in self._asked else 0.0


def worths(points: Mapping[int, Point]) -> dict[int, float]:
    """What each trial is worth beside the others, by number: its value, or of several aims minus its place from 0."""
    if all(len(point) == 1 for point in points.values()):
        return {trial: value for trial, (value,) in points.items()}
    return {trial: -float(place) for place, trial in enumerate(in_order(points))}


def in_order(points: Mapping[int, Point]) -> list[int]:
    """Trials with several aims, the best first, the lowest number among equals."""
    import numpy as np  # imported late: the command line lists schedulers without it

    trials = sorted(points)
    losses = np.array([points[trial] for trial in trials], float)
    losses[:, 0] *= -1
    lows, spans = losses.min(axis=0), np.ptp(losses, axis=0)
    losses = (losses - lows) / np.where(spans, spans, 1.0)
    no_worse = (losses[:, None] <= losses).all(axis=2)
    beats = no_worse & ~no_worse.T
    beaten_by = beats.sum(axis=0)
    order: list[int] = []
    while len(order) < len(trials):
        front = np.flatnonzero(beaten_by == 0)
        beaten_by = beaten_by - beats[front].sum(axis=0)
        beaten_by[front] = -1
        order += [trials[front[i]] for i in _spread([tuple(each) for each in losses[front].tolist()])]
    return order


def _spread(front: Sequence[Point]) -> list[int]:
    """The points of a front by their places: the best in each aim, then whatever adds the most volume to those before.

    What a point adds only shrinks as others come before it, so that few of them are worked out again each time.
    """
    ends = dict.fromkeys(
        min(range(len(front)), key=lambda i: (front[i][aim], front[i])) for aim in range(len(front[0]))
    )
    order, chosen = list(ends), [front[i] for i in ends]
    covered = volume(chosen)
    most = [(-inf, i) for i in range(len(front)) if i not in ends]
    while most:
        _, i = heappop(most)
        added = volume([*chosen, front[i]]) - covered
        if most and (-added, i) > most[0]:
            heappush(most, (-added, i))
            continue
        order.append(i)
        chosen.append(front[i])
        covered += added
    return order


def volume(points: Sequence[Point]) -> float:
    """The volume between losses and the corner where each is `_BEYOND`, by slices along the last of them."""
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
