"""The base of schedulers that promote: every trial pauses at each rung, and the scheduler picks those that continue.

A trial's level is the rung that it was last promoted to: level 0 leads to the first rung, the last to its last epoch.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isnan

from search.history.events import FINAL, Asked, Decision, Ended, Event, Granted, Measured, Opened, Started, State
from search.history.rungs import has_reached
from search.schedulers.objectives import Objectives, Point, Ranking

Place = tuple[float, int]
"""Sorts a trial among others by one objective: minus its value, then its number."""


@dataclass
class Level:
    """The trials of one level."""

    entered: int = 0
    """How many trials have ever been at this level or above."""
    busy: set[int] = field(default_factory=set)
    """Trials on their way to the rung, whether or not a worker is training them now."""
    points: dict[int, Point] = field(default_factory=dict)
    """Points at the rung of all trials that have ever paused there."""
    waiting: set[int] = field(default_factory=set)
    """Trials paused at the rung."""
    ended: set[int] = field(default_factory=set)
    """Trials that ended before the rung: diverged, infeasible, failed, or done because they have fewer epochs."""
    _places: list[Place] = field(default_factory=list)  # of all points, in order, while each is a single number
    _queue: list[Place] = field(default_factory=list)  # of those waiting
    _are_numbers: bool = True  # else a point may change the order of the others, so they are ranked together
    _ranking: Ranking | None = None  # of all points until one changes

    def pause(self, trial: int, point: Point) -> None:
        """Add a trial that has reached the rung."""
        self._are_numbers = self._are_numbers and len(point) == 1 and not isnan(point[0])
        if self._are_numbers:
            if trial in self.points:
                _remove(self._places, self._place(trial))
            if trial in self.waiting:
                _remove(self._queue, self._place(trial))
        self.points[trial] = point
        self.waiting.add(trial)
        self._ranking = None
        if self._are_numbers:
            insort(self._places, self._place(trial))
            insort(self._queue, self._place(trial))

    def leave(self, trial: int) -> None:
        """Take out a trial that no longer waits."""
        if self._are_numbers and trial in self.waiting:
            _remove(self._queue, self._place(trial))
        self.waiting.discard(trial)

    def best(self) -> tuple[int, int]:
        """The best waiting trial, and how many of those that have ever paused there, promoted or not, are before it."""
        if self._are_numbers:
            return self._queue[0][1], bisect_left(self._places, self._queue[0])
        if self._ranking is None:
            self._ranking = Ranking(self.points)
        return self._ranking.first(self.waiting)

    def _place(self, trial: int) -> Place:
        return -self.points[trial][0], trial


def _remove(places: list[Place], place: Place) -> None:
    del places[bisect_left(places, place)]


class Promoting(ABC):
    """Keeps the levels; a subclass says what a trial is worth at a rung and when the best one there is promoted."""

    pauses = True

    def __init__(self, rungs: tuple[float, ...], samples: int, also: Sequence[str] = ()) -> None:
        """rungs: epochs. samples: trials, until an opened session says otherwise. also: further objectives."""
        self.objectives = Objectives(also)
        self.rungs = rungs
        self.samples = samples
        self.levels = [Level() for _ in range(len(rungs) + 1)]
        self._level_of: dict[int, int] = {}
        self._measured: dict[int, list[Measured]] = {}  # those with a value
        self._is_done = False

    @abstractmethod
    def worth(self, values: list[float]) -> float:
        """A trial's worth at a rung. values: its own up to the rung, in order."""

    @abstractmethod
    def promotes(self, level: int) -> bool:
        """Whether the best trial waiting at a level's rung is promoted now; at least one is waiting there."""

    def decide(self, measured: Measured) -> Decision:
        """Pause at the rung of the trial's level."""
        level = self._level_of.get(measured.trial, 0)
        here = level < len(self.rungs) and self._reached(measured.epoch, level)
        return Decision.PAUSE if here else Decision.CONTINUE

    def choose(self) -> int | None:
        """The trial to promote, from the deepest rung possible.

        When all trials have begun, none is on its way to a rung and none has been trained to its end, the best at the
        deepest rung is promoted.
        """
        places = [level for level in reversed(range(len(self.rungs))) if self.levels[level].waiting]
        for level in places:
            if self.promotes(level):
                return self.levels[level].best()[0]
        all_begun = self.levels[0].entered >= self.samples
        if places and all_begun and not self._is_done and not any(level.busy for level in self.levels):
            return self.levels[places[0]].best()[0]
        return None

    def hear(self, event: Event) -> None:
        """Update the levels."""
        self.objectives.hear(event)
        match event:
            case Opened(samples=int(samples)):
                self.samples = samples
            case Asked(repeat=0, trial=trial):
                self._level_of[trial], self._measured[trial] = 0, []
                self.levels[0].entered += 1
                self.levels[0].busy.add(trial)
            case Granted(repeat=0, trial=trial):
                self._promote(trial)
                # A granted trial is trained. If it waits again, the session that granted it had promoted it before
                # without training, as it knew that the sampler has no more trials, which the ledger does not say.
                while trial in self.levels[self._level_of[trial]].waiting:
                    self._promote(trial)
            case Started(repeat=0, trial=trial):
                # Measurements after its checkpoint are made again.
                self._measured[trial] = [each for each in self._measured[trial] if each.images <= event.images]
                self._stand(trial, State.RUNNING)
            case Measured(repeat=0, trial=trial):
                if event.value is not None:
                    self._measured[trial].append(event)
                self._stand(trial, event.state)
            case Ended(repeat=0, trial=trial):
                self._stand(trial, event.state)
            case _:
                return
        self._settle()

    def _stand(self, trial: int, state: State) -> None:
        """Set a trial's state at its level."""
        level = self._level_of[trial]
        here = self.levels[level]
        here.busy.discard(trial)
        here.ended.discard(trial)
        if state is State.PAUSED:
            measured = self._measured[trial]
            value = self.worth([each.value for each in measured if each.value is not None])
            here.pause(trial, self.objectives.point(measured[-1], value))
        elif state in FINAL:
            here.ended.add(trial)
            self._is_done = self._is_done or state is State.DONE
        else:
            here.busy.add(trial)

    def _promote(self, trial: int) -> None:
        """Promote a waiting trial to the next level; if already trained that far, it waits there at once."""
        level = self._level_of[trial]
        here, above = self.levels[level], self.levels[level + 1]
        here.leave(trial)
        self._level_of[trial] = level + 1
        above.entered += 1
        above.busy.add(trial)
        if self._is_past(trial, level + 1):
            self._stand(trial, State.PAUSED)

    def _settle(self) -> None:
        """Promote trials that need no training for it: two rungs may lie within one batch."""
        while (trial := self.choose()) is not None and self._is_past(trial, self._level_of[trial] + 1):
            self._promote(trial)

    def _is_past(self, trial: int, level: int) -> bool:
        """Whether a paused trial has already been trained to the rung of a level."""
        return level < len(self.rungs) and self._reached(self._measured[trial][-1].epoch, level)

    def _reached(self, epoch: float, level: int) -> bool:
        return has_reached(epoch, self.rungs[level])
