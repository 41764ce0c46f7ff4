"""What Ray's metrics are told of a search is what its record says."""

from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest

from search.history import ledger
from search.history.events import Decision, Event, Measured, Opened, State, parse
from search.history.record import Key, Record, rank
from search.run import gauges
from search.run.driver import Driver
from search.run.gauges import SECONDS, Gauges, Values
from search.run.run_files import RunFiles
from search.schedulers.none import NoScheduler
from tests.search.events import asked, ended, in_order, measured, started

RECORDED = Path(__file__).parents[2] / "data" / "0.1.0"


def told(events: list[Event], before: int = 0, active: frozenset[Key] = frozenset()) -> dict[tuple[str, ...], float]:
    """What each series stands at after all events; so many of them were there before somebody listened."""
    record = Record(events[:before])
    values = Values(record, active)
    for event in events[before:]:
        assert record.apply(event)
        values.hear(event)
    return {(name, *tags.values()): value for name, tags, value in values.take()}


@pytest.mark.parametrize("before", [0, 20])
@pytest.mark.parametrize("search", ["finished", "killed"])
def test_a_recorded_searchs_metrics_are_what_its_record_says(search: str, before: int) -> None:
    events = list(parse(ledger.read(RECORDED / search / "ledger.jsonl")))
    record = Record(events)
    at_work = frozenset(run.key for run in record.trials if run.state is State.RUNNING)
    series = told(events, before, at_work)
    states = Counter(run.state for run in record.trials)
    assert {state: series["hpsearch_trials", state] for state in State} == {state: states[state] for state in State}
    best = rank(record)[0].best
    assert best
    assert series["hpsearch_best_value",] == best.value
    if not before:
        attempts = [(run.measurements[-1].images, run.attempt) for run in record.trials if run.measurements]
        assert series["hpsearch_images",] >= sum(images for images, _ in attempts) > 0
        if all(attempt == 1 for _, attempt in attempts):
            assert series["hpsearch_images",] == sum(images for images, _ in attempts)


def test_what_is_trained_twice_counts_twice_and_what_a_checkpoint_holds_does_not() -> None:
    events = in_order(
        [
            Opened(samples=1, slots=1),
            asked(),
            started(),
            measured(10, checkpoint="0-0-1-10"),
            measured(20),
            ended(State.INTERRUPTED),
            started(attempt=2, images=10),
            measured(20, attempt=2),
            measured(25, attempt=2, state=State.DONE),
        ]
    )
    series = told(events)
    assert series["hpsearch_images",] == 10 + 10 + 10 + 5
    assert series["hpsearch_epochs",] == pytest.approx(3.5)
    assert told(events, before=5)["hpsearch_images",] == 15, "an earlier session's are not counted again"


def test_a_trial_that_diverges_takes_its_best_value_with_it() -> None:
    events = in_order([asked(0), asked(1), started(0), started(1), measured(10, 0.4), measured(10, 0.9, trial=1)])
    assert told(events)["hpsearch_best_value",] == 0.9
    assert told([*events, ended(State.INFEASIBLE, trial=1)])["hpsearch_best_value",] == 0.4
    lost = measured(20, None, trial=1, state=State.DIVERGED)
    assert told([*events, lost])["hpsearch_best_value",] == 0.4
    assert ("hpsearch_best_value",) not in told(events[:4]), "there is none before the first measurement"


def test_retrains_train_and_are_no_trials() -> None:
    search = [asked(), started(), measured(10, 0.4, state=State.DONE)]
    again = [asked(repeat=1), started(repeat=1), measured(10, None, repeat=1, images_per_second=7.0)]
    series = told(in_order([*search, *again]), before=len(search), active=frozenset({(0, 1)}))
    assert series["hpsearch_trials", State.DONE] == 1
    assert series["hpsearch_trials", State.RUNNING] == 0
    assert series["hpsearch_images",] == 10
    assert series["hpsearch_images_per_second",] == 7
    assert series["hpsearch_best_value",] == 0.4


def test_only_runs_at_work_have_a_speed_and_what_a_killed_session_left_is_not_running() -> None:
    fast, slow = measured(10, images_per_second=100.0), measured(10, images_per_second=50.0, trial=1)
    paused = measured(20, state=State.PAUSED, decision=Decision.PAUSE, images_per_second=90.0)
    events = in_order([asked(0), asked(1), started(0), started(1), fast, slow])
    assert told(events, active=frozenset({(0, 0), (1, 0)}))["hpsearch_images_per_second",] == 150
    series = told([*events, paused], active=frozenset({(1, 0)}))
    assert series["hpsearch_images_per_second",] == 50
    assert series["hpsearch_trials", State.PAUSED] == series["hpsearch_trials", State.RUNNING] == 1
    assert told(events)["hpsearch_trials", State.INTERRUPTED] == 2


class Told:
    """Stands for a metric of Ray's, which keeps what it is told to itself. It may break."""

    reports: ClassVar[list[tuple[str, float]]] = []
    broken = False

    def __init__(self, name: str, *_: object) -> None:
        self.name = name

    def set(self, value: float, tags: dict[str, str]) -> None:
        if Told.broken:
            raise OSError("Ray's agent is away")
        assert tags["search"] == "search"
        Told.reports.append((self.name, value))


def test_reports_come_every_few_seconds_and_a_failure_ends_them_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauges, "Gauge", Told)
    now = 0.0
    (tmp_path / "search").mkdir()
    with ledger.Ledger(tmp_path / "search" / "ledger.jsonl") as book:
        driver = Driver(book, lambda _: iter(()), NoScheduler(), RunFiles(tmp_path / "search"))
        reporter = Gauges(driver, clock=lambda: now)
        for event in (Opened(samples=1, slots=1), asked(), started(), measured(10, state=State.DONE)):
            driver.append(event)
        reporter.refresh()
        first = list(Told.reports)
        assert ("hpsearch_best_value", 0.5) in first
        reporter.refresh()
        assert Told.reports == first, "it is not time yet"
        now = SECONDS
        reporter.refresh()
        assert Told.reports == [*first, *first], "Ray forgets a gauge that is not set again"
        now, Told.broken = 2 * SECONDS, True
        reporter.refresh()
        now, Told.broken = 3 * SECONDS, False
        reporter.refresh()
        assert Told.reports == [*first, *first]
        assert driver.deaf == ["OSError: Ray's agent is away"]
        assert isinstance(driver.record.runs[0, 0].measurements[-1], Measured)
