"""The order in which runs begin where none is stopped: the longest first, by measured speed where there is one.

Then no long run is alone on one slot at the end (Graham 1969). The order changes no result.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from statistics import median

from search.forecast.calibration import Speeds
from search.history.record import Record, Run
from trainables.worker.speed import Speed


class Order:
    """The trials that have not begun, in order. Iterating takes them out; meanwhile the order may change."""

    def __init__(self, trials: Iterable[int]) -> None:
        self._trials = deque(trials)

    def __iter__(self) -> Iterator[int]:
        while self._trials:
            yield self._trials.popleft()

    @property
    def first(self) -> int | None:
        """The trial that begins next, if there is one."""
        return self._trials[0] if self._trials else None

    def drop(self, begun: Collection[int]) -> None:
        """Take out trials that have begun."""
        self._trials = deque(trial for trial in self._trials if trial not in begun)

    def change(self, trials: Iterable[int]) -> None:
        """Use the order of `trials`, which holds all that have not begun."""
        left = set(self._trials)
        self._trials = deque(trial for trial in trials if trial in left)


def measured_speed(run: Run, num_train: int) -> Speed | None:
    """The usual speed of a run's epochs so far, without its start; None if none was measured.

    num_train: how many images it trains on.
    """
    pace = _images_per_second(run)
    batch = min(run.config["training"]["batch_size"], num_train)
    return Speed(batch, batch / pace, 0.0) if pace else None


def measured_speeds(trials: Sequence[Run], num_train: int) -> Speeds:
    """The speeds of those trials that have one, by number."""
    found = ((run.key[0], measured_speed(run, num_train)) for run in trials)
    return {trial: speed for trial, speed in found if speed is not None}


def longest_first(record: Record, runs: Sequence[Run]) -> list[Run]:
    """Retrains in the order in which they are trained: those that have begun, then the longest of the others.

    How long one takes follows from its FLOPs, and from how fast its trial computed in the search. If that is not known
    of each, more FLOPs are taken to last longer.
    """
    trials = {run.key[0]: record.runs[run.key[0], 0] for run in runs}
    paces = {trial: run.asked.flops * (_images_per_second(run) or 0.0) for trial, run in trials.items()}
    known = all(paces.values())

    def work(run: Run) -> float:
        epochs: float = run.config["training"]["epochs"]
        return run.asked.flops * epochs / (paces[run.key[0]] if known else 1.0)

    return sorted(runs, key=lambda run: (not run.attempt, -work(run)))


def _images_per_second(run: Run) -> float | None:
    found = [each.images_per_second for each in run.measurements if each.images_per_second]
    return median(found) if found else None
