"""The simulated engine: gives answers without training, in the order in which slots would give them.

It runs the real driver, scheduler and ledger with its own clock, so hours of a search take milliseconds. The forecast
simulates the search with random accuracies; recorded curves can be used as well.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from search.run.driver import Driver
from trainables.worker.task import Task

GAP = 0.05  # seconds between two trials in a warm worker


@dataclass
class Clock:
    """Seconds since the simulation's start; pass it to the ledger and to the driver."""

    now: float = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


Step = tuple[float, dict[str, Any]]
"""Seconds that a segment takes, and the answer at its end."""

Play = Callable[[Task], Iterator[Step]]
"""Makes the steps of a task, beginning at its checkpoint."""


def simulate(driver: Driver, play: Play, *, slots: int, clock: Clock) -> None:
    """Simulate everything that the driver hands out on so many slots; afterwards `clock` shows the end."""
    busy: list[tuple[float, int, Task, dict[str, Any], Iterator[Step]]] = []  # a heap, by the end of segments
    begun = 0

    def fill() -> None:
        nonlocal begun
        while len(busy) < slots and (task := driver.next_task()) is not None:
            driver.started(task)
            steps = play(task)
            seconds, answer = next(steps)
            begun += 1
            heapq.heappush(busy, (clock.now + GAP + seconds, begun, task, answer, steps))

    fill()
    while busy:
        clock.now, number, task, answer, steps = heapq.heappop(busy)
        if driver.measured(task, answer):
            seconds, answer = next(steps)
            heapq.heappush(busy, (clock.now + seconds, number, task, answer, steps))
        fill()
