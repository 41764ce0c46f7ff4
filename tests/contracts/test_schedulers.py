"""What every scheduler keeps to, whatever it compares."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.contracts.halves  # noqa: F401  registers the scheduler that pauses
from search.history.events import Closed, Decision, Event, Granted, Measured, OfRun, Opened, Started, State
from search.history.ledger import MemoryLedger
from search.history.metric import ACCURACY, BALANCED, METRICS
from search.history.record import Record, Run
from search.run.driver import Driver
from search.run.engines.simulated import Clock, Step, simulate
from search.run.run_files import NoFiles
from search.schedulers import SCHEDULERS
from search.schedulers.scheduler import Scheduler, SchedulerError, make_scheduler
from tests.search.events import asked, measured
from trainables.worker.task import Task

MAX_T = 8
IMAGES = 1000  # an epoch
every_scheduler = pytest.mark.parametrize("name", [*SCHEDULERS, "halves", "marks"])


def make(name: str, max_t: int = MAX_T, samples: int = 1) -> Scheduler:
    return make_scheduler(name, max_t=max_t, samples=samples)


def play(name: str, values: list[list[float]], slots: int, metric: str = ACCURACY) -> Driver:
    """A search in which trial n has values[n] at its half epochs, each trial at a speed of its own.

    metric: what trials are compared by; by the other one they rank the other way round.
    """
    (other,) = METRICS.keys() - {metric}
    clock = Clock()
    config = {"training": {"batch_size": 1, "epochs": MAX_T}}

    def source(driver: Driver) -> Iterator[Run]:
        for trial in range(len(values)):
            driver.append(asked(trial, config=config, parameters=1, flops=1))
            yield driver.record.runs[trial, 0]

    def steps(task: Task) -> Iterator[Step]:
        begins = int(task.resume_from.rpartition("-")[2].removesuffix(".pt")) if task.resume_from else 0
        ends = sorted({*range(1, MAX_T + 1), *(mark for mark in task.marks if mark < MAX_T)})
        for epoch in ends:
            if (images := round(epoch * IMAGES)) <= begins:
                continue
            value = values[task.trial][int(2 * epoch) - 1]
            answer: dict[str, Any] = {
                "state": "done" if epoch == MAX_T else "running",
                "images": images,
                "epoch": float(epoch),
                METRICS[metric]: value,
                METRICS[other]: 1 - value,
                "seconds": 1.0,
                "checkpoint": f"{task.prefix}-{images}.pt" if task.pauses and epoch < MAX_T else None,
            }
            yield 1.0 + task.trial % 3, answer

    book, scheduler = MemoryLedger(clock=clock), make(name, samples=len(values))
    driver = Driver(book, source, scheduler, NoFiles(), metric=metric, clock=clock)
    driver.append(Opened(samples=len(values), slots=slots))
    simulate(driver, steps, slots=slots, clock=clock)
    driver.append(Closed(reason="finished"))
    return driver


curves = st.lists(st.lists(st.floats(0, 1, width=16), min_size=2 * MAX_T, max_size=2 * MAX_T), min_size=1, max_size=12)


@every_scheduler
@settings(deadline=None, max_examples=25)
@given(values=curves, slots=st.sampled_from([1, 2, 5]))
def test_it_is_a_function_of_the_events_in_their_order(name: str, values: list[list[float]], slots: int) -> None:
    events = play(name, values, slots).ledger.events
    rebuilt = make(name)
    for event in events:
        if isinstance(event, Measured) and event.decision is not Decision.END:
            assert rebuilt.decide(event) is event.decision
        if isinstance(event, Granted):
            assert rebuilt.choose() == event.trial
        rebuilt.hear(event)


@every_scheduler
@settings(deadline=None, max_examples=25)
@given(values=curves, slots=st.sampled_from([1, 2, 5]))
def test_it_compares_what_the_search_asks_it_to(name: str, values: list[list[float]], slots: int) -> None:
    by_accuracy, by_balanced = (play(name, values, slots, metric) for metric in (ACCURACY, BALANCED))
    decided = [
        [(e.trial, e.epoch, e.decision) for e in driver.ledger.events if isinstance(e, Measured)]
        for driver in (by_accuracy, by_balanced)
    ]
    assert decided[0] == decided[1]


@every_scheduler
@settings(deadline=None, max_examples=25)
@given(values=curves, slots=st.sampled_from([1, 2, 5]))
def test_every_search_ends_and_somebody_reaches_the_end(name: str, values: list[list[float]], slots: int) -> None:
    driver = play(name, values, slots)
    assert driver.finished
    states = [run.state for run in driver.record.trials]
    assert len(states) == len(values)
    assert State.DONE in states
    assert set(states) <= {State.DONE, State.STOPPED, State.PAUSED}


@every_scheduler
def test_asking_changes_nothing(name: str) -> None:
    scheduler = make(name)
    for _ in range(2):
        assert scheduler.decide(measured(10, 0.5)) in (Decision.CONTINUE, Decision.PAUSE)
        assert scheduler.choose() is None


@every_scheduler
def test_rungs_ascend_below_the_last_epoch(name: str) -> None:
    rungs = make(name).rungs
    assert list(rungs) == sorted(set(rungs))
    assert all(0 < rung < MAX_T for rung in rungs)
    assert all(0 < rung < 1 for rung in make(name, max_t=1).rungs)


@every_scheduler
def test_a_grant_is_written_before_its_task_begins(name: str) -> None:
    events = play(name, [[n / 10] * (2 * MAX_T) for n in range(6)], 2).ledger.events
    last: dict[int, Event] = {}
    for event in events:
        if isinstance(event, Started) and event.attempt > 1:
            assert isinstance(last[event.trial], Granted)
        if isinstance(event, OfRun):
            last[event.trial] = event


def test_a_paused_trial_continues_from_its_checkpoint() -> None:
    driver = play("halves", [[0.5] * (2 * MAX_T)] * 3, 2)
    starts = [(e.trial, e.images) for e in driver.ledger.events if isinstance(e, Started) and e.trial == 0]
    assert starts == [(0, half * IMAGES // 2) for half in range(2 * MAX_T)]
    assert [m.epoch for m in driver.record.runs[0, 0].measurements] == [half / 2 for half in range(1, 2 * MAX_T + 1)]


def test_a_fold_of_the_ledger_knows_who_is_paused() -> None:
    events = play("halves", [[0.5] * (2 * MAX_T)] * 3, 2).ledger.events
    record = Record()
    seen = set()
    for event in events:
        record.apply(event)
        seen |= {run.state for run in record.trials}
    assert {State.WAITING, State.RUNNING, State.PAUSED, State.DONE} <= seen


def test_an_unknown_scheduler_is_one_line_that_names_the_known_ones() -> None:
    with pytest.raises(SchedulerError, match="unknown scheduler 'magic'; known: asha, asha-promote, halving, none"):
        make("magic")


@every_scheduler
@settings(deadline=None, max_examples=25)
@given(values=curves, slots=st.sampled_from([2, 5]))
def test_what_promises_to_be_the_same_on_any_slots_is(name: str, values: list[list[float]], slots: int) -> None:
    if make(name).same_on_any_slots:
        one, more = (play(name, values, count).record.trials for count in (1, slots))
        assert [(run.state, run.epochs) for run in one] == [(run.state, run.epochs) for run in more]
