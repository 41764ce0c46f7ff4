"""Ray metrics of a running search; Ray exports them on the driver's node, for Prometheus to collect.

Memory and load of workers are among Ray's own metrics.
"""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Set

from search.history.events import Ended, Event, Measured, OfRun, State
from search.history.record import UNRANKED, Key, Record, Run, rank
from search.machines import ray_variables as ray_variables  # before Ray
from search.run.driver import Driver

# isort: split
from ray.util.metrics import Counter, Gauge

SECONDS = 2  # between two reports; Ray drops a gauge that is not set again within 20 s

#: Each name, before which Ray puts "ray_", and what it is.
GAUGES = {
    "hpsearch_best_value": "Best validation value of any trial so far, a fraction of one.",
    "hpsearch_trials": "Trials in each state.",
    "hpsearch_images_per_second": "Training images a second, by the last measurement of each run at work, summed.",
}
#: The same; Ray adds "_total" too.
COUNTERS = {
    "hpsearch_epochs": "Epochs trained since this session of the search began, also in retraining.",
    "hpsearch_images": "Training images seen since this session of the search began, also in retraining.",
}
Value = tuple[str, dict[str, str], float]
"""A series: its name, its tags beside the search's name, and its value or, for a counter, the amount to add."""


class Values:
    """The values of a search's metrics. An event costs a few operations, not a pass over the record."""

    def __init__(self, record: Record, active: Set[Key]) -> None:
        """record, active: the driver's own objects, which keep changing."""
        self._record, self._active = record, active
        self._best_of = {run.key[0]: run.best.value or 0.0 for run in rank(record) if run.best}
        self._epochs, self._images = 0.0, 0

    def hear(self, event: Event) -> None:
        """A listener of the driver: take an event, which is already in its record."""
        if not isinstance(event, Measured | Ended):
            return
        run = self._record.runs[event.trial, event.repeat]
        if not event.repeat:
            self._judge(run, event)
        if isinstance(event, Measured):
            before = run.measurements[-2] if len(run.measurements) > 1 else None
            self._epochs += event.epoch - (before.epoch if before else 0.0)
            self._images += event.images - (before.images if before else 0)

    def _judge(self, run: Run, event: OfRun) -> None:
        trial = run.key[0]
        if run.state in UNRANKED:
            self._best_of.pop(trial, None)
        elif isinstance(event, Measured) and event.value is not None:
            self._best_of[trial] = max(event.value, self._best_of.get(trial, 0.0))

    def take(self) -> Iterator[Value]:
        """All gauges, and what the counters have gained since the last call."""
        states = Tally(self._state(run) for run in self._record.runs.values() if not run.key[1])
        for state in State:
            yield "hpsearch_trials", {"state": state}, states[state]
        last = [each for key in self._active for each in self._record.runs[key].measurements[-1:]]
        yield "hpsearch_images_per_second", {}, sum(each.images_per_second or 0.0 for each in last)
        if self._best_of:
            yield "hpsearch_best_value", {}, max(self._best_of.values())
        yield "hpsearch_epochs", {}, self._epochs
        yield "hpsearch_images", {}, self._images
        self._epochs, self._images = 0.0, 0

    def _state(self, run: Run) -> State:
        """A run's state; interrupted if a killed session left it as running."""
        return State.INTERRUPTED if run.state is State.RUNNING and run.key not in self._active else run.state


class Gauges:
    """Reports the metrics of a driver's search to Ray. An error here ends the reports, not the search."""

    def __init__(self, driver: Driver, clock: Callable[[], float] = time.monotonic) -> None:
        self._driver, self._clock = driver, clock
        self._values = Values(driver.record, driver.active)
        self._series: dict[str, Gauge | Counter] = {}
        self._next: float | None = clock()
        driver.listen(self._values.hear)

    def refresh(self) -> None:
        """Report if it is time to; call this often."""
        if self._next is None or self._clock() < self._next:
            return
        self._next = self._clock() + SECONDS
        try:
            self._report()
        except Exception as error:
            self._next = None
            self._driver.deaf.append(f"{type(error).__name__}: {error}")

    def _report(self) -> None:
        self._series = self._series or _series()
        for name, tags, value in self._values.take():
            series, tags = self._series[name], tags | {"search": self._driver.files.search}
            if isinstance(series, Gauge):
                series.set(value, tags)
            elif value > 0:
                series.inc(value, tags)


def _series() -> dict[str, Gauge | Counter]:
    tags = dict.fromkeys((*GAUGES, *COUNTERS), ("search",)) | {"hpsearch_trials": ("search", "state")}
    gauges = {name: Gauge(name, text, tags[name]) for name, text in GAUGES.items()}
    return gauges | {name: Counter(name, text, tags[name]) for name, text in COUNTERS.items()}
