"""Asynchronous successive halving (ASHA; Li et al. 2020, "A system for massively parallel hyperparameter tuning").

Like Tune's, it only stops: the first trial to reach a rung passes it, and a later one passes when its value is at least
the (1 - 1 / reduction_factor) quantile of the other trials' values at the rung. Unlike in Tune's, a trial that is
trained again replaces its own values, and the rungs are rebuilt from the ledger.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from math import isnan

from search.history.events import Decision, Event, Measured, Started
from search.history.rungs import num_reached
from search.schedulers.objectives import Objectives, Point, worths
from search.schedulers.scheduler import ladder, scheduler


@scheduler("asha")
class Asha:
    """Stops the worst trials at each rung."""

    pauses = False
    same_on_any_slots = False

    def __init__(
        self, max_t: int, also: Sequence[str] = (), *, grace_period: float = 1.0, reduction_factor: float = 2.0
    ) -> None:
        """max_t, grace_period: epochs (R and r in the paper). also: further objectives. reduction_factor: η."""
        self._objectives = Objectives(also)
        self._share = 1 - 1 / reduction_factor
        self.rungs = tuple(ladder(grace_period, reduction_factor, max_t))
        self._points: list[dict[int, tuple[int, Point]]] = [{} for _ in self.rungs]
        self._values: list[list[float]] = [[] for _ in self.rungs]  # those of the points, ascending

    def points(self, rung: int) -> dict[int, Point]:
        """Each trial's point at a rung. rung: its index."""
        return {trial: point for trial, (_, point) in self._points[rung].items()}

    def decide(self, measured: Measured) -> Decision:
        """Stop a trial whose worth at a rung is below the quantile of the others'."""
        rung = self._rung_due(measured)
        if rung is None or not self._points[rung]:
            return Decision.CONTINUE
        if self._objectives.several:
            found = worths({**self.points(rung), measured.trial: self._point(measured)})
            own = found.pop(measured.trial)
            others = sorted(found.values())
        else:
            assert measured.value is not None
            own, others = measured.value, self._values[rung]
        return Decision.CONTINUE if own >= quantile(others, self._share) else Decision.STOP

    def choose(self) -> None:
        """No trial is ever paused."""

    def hear(self, event: Event) -> None:
        """Keep a trial's value at a rung; drop those after the checkpoint that a trial starts from."""
        self._objectives.hear(event)
        match event:
            case Measured(repeat=0) if event.decision is not Decision.END:
                rung = self._rung_due(event)
                if rung is not None and event.value is not None:
                    self._points[rung][event.trial] = (event.images, self._point(event))
                    insort(self._values[rung], event.value, key=_nan_last)
            case Started(repeat=0):
                for points, values in zip(self._points, self._values, strict=True):
                    if event.trial in points and points[event.trial][0] > event.images:
                        _, (value, *_) = points.pop(event.trial)
                        del values[bisect_left(values, _nan_last(value), key=_nan_last)]

    def _point(self, measured: Measured) -> Point:
        assert measured.value is not None
        return self._objectives.point(measured, measured.value)

    def _rung_due(self, measured: Measured) -> int | None:
        """The index of the rung that a trial has just reached; None if it has reached no new one."""
        reached = num_reached(measured.epoch, self.rungs)
        return reached - 1 if reached and measured.trial not in self._points[reached - 1] else None


def quantile(values: Sequence[float], share: float) -> float:
    """The quantile of ascending values as NumPy computes it, to the last bit, without sorting them again.

    Values that are not numbers come last; if there is one, no value reaches the result.
    """
    if isnan(values[-1]):
        return values[-1]
    place = (len(values) - 1) * share
    before = int(place)
    rest, low, high = place - before, values[before], values[min(before + 1, len(values) - 1)]
    return low + (high - low) * rest if rest < 0.5 else high - (high - low) * (1 - rest)


def _nan_last(value: float) -> tuple[bool, float]:
    return isnan(value), value
