"""A scheduler that pauses, also within an epoch: nothing is trained otherwise by it, whatever the driver dies after."""

from collections import defaultdict

import pandas as pd
import pytest

from search.history import ledger
from search.history.events import Asked, Decision, Granted, Measured, Opened, Started
from search.history.ledger import Ledger
from search.run.driver import Driver
from search.run.run_files import RunFiles
from search.schedulers.none import NoScheduler
from tests.search.events import asked
from tests.search.run import searches

TRIALS = 3


class Halves:
    """Pauses every trial at every half epoch, and lets the first go on when so many have begun."""

    rungs = (0.5, 1.0, 1.5)
    pauses = True
    same_on_any_slots = False

    def __init__(self, trials=TRIALS):
        self._trials, self._num_asked = trials, 0
        self._passed = defaultdict(list)  # (images, rungs) of each trial
        self._paused = set()

    def decide(self, measured):
        passed = max((rungs for _, rungs in self._passed[measured.trial]), default=0)
        return Decision.PAUSE if self._reached(measured.epoch) > passed else Decision.CONTINUE

    def choose(self):
        return min(self._paused, default=None, key=self._rank) if self._num_asked >= self._trials else None

    def hear(self, event):
        match event:
            case Asked(repeat=0):
                self._num_asked += 1
            case Measured(repeat=0):
                self._passed[event.trial].append((event.images, self._reached(event.epoch)))
                if event.decision is Decision.PAUSE and event.state == "paused":
                    self._paused.add(event.trial)
            case Granted():
                self._paused.discard(event.trial)
            case Started(repeat=0):
                self._passed[event.trial] = [each for each in self._passed[event.trial] if each[0] <= event.images]

    def _reached(self, epoch):
        return sum(rung <= epoch + 1e-9 for rung in self.rungs)

    def _rank(self, trial):
        return len(self._passed[trial]), trial


class Marks(NoScheduler):
    """The same rungs, at which nothing pauses."""

    rungs = Halves.rungs


@pytest.fixture(scope="module")
def short(problem, images):
    return searches.make_problem(problem.space.function, images, samples=TRIALS, epochs=2)


@pytest.fixture(scope="module")
def paused(tmp_path_factory, short):
    folder = tmp_path_factory.mktemp("paused") / "search"
    searches.run(folder, short, scheduler=Halves())
    return folder


def lines_of(folder):
    return ledger.read(folder / "ledger.jsonl")


def test_a_search_that_pauses_at_half_epochs_trains_what_one_that_does_not_pause_trains(tmp_path, short, paused):
    searches.run(tmp_path / "search", short, scheduler=Marks())
    for ours, theirs in zip(searches.final_tables(tmp_path / "search"), searches.final_tables(paused), strict=True):
        both = [table.drop(columns="decision", errors="ignore") for table in (ours, theirs)]
        pd.testing.assert_frame_equal(*both)
    decisions = searches.final_tables(paused)[1].groupby("decision").size().to_dict()
    assert decisions == {"pause": 3 * TRIALS, "end": TRIALS}


def test_a_grant_is_on_disk_before_its_run_goes_on_from_its_checkpoint(paused):
    lines = lines_of(paused)
    granted = [at for at, line in enumerate(lines) if line["event"] == "granted"]
    assert len(granted) == 3 * TRIALS
    for at in granted:
        then = lines[at + 1]
        assert (then["event"], then["trial"]) == ("started", lines[at]["trial"])
        assert then["images"] > 0
    assert [line["trial"] for line in lines if line["event"] == "asked"] == list(range(TRIALS))
    assert list((paused / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_a_kill_after_any_event_changes_nothing_that_a_pausing_scheduler_leads_to(tmp_path, short, paused):
    killed = searches.killed_anywhere(tmp_path, short, Halves)
    assert len(killed) == len(lines_of(paused)) - 1
    for folder in killed:
        record = searches.run(folder, short, scheduler=Halves()).record
        assert [run.state for run in record.trials] == ["done"] * TRIALS
        searches.assert_same_tables(folder, paused)
        assert list((folder / "checkpoints").glob("*")) == []


def test_a_trial_that_nothing_lets_go_on_stays_paused_and_its_search_is_finished(tmp_path, short):
    folder = tmp_path / "search"
    for _ in range(2):
        driver = searches.run(folder, short, scheduler=Halves(trials=99))
        assert driver.finished
        assert [run.state for run in driver.record.trials] == ["paused"] * TRIALS
        assert [run.attempt for run in driver.record.trials] == [1] * TRIALS
        assert list((folder / "checkpoints").glob("*")) == []


def test_a_search_whose_last_trial_pauses_when_the_time_is_over_is_not_finished(tmp_path):
    def source(driver):
        driver.append(asked())
        yield driver.record.runs[0, 0]

    with Ledger(tmp_path / "ledger.jsonl") as book:
        driver = Driver(book, source, Halves(trials=1), RunFiles(tmp_path))
        driver.append(Opened(samples=1, slots=2))
        task = driver.next_task()
        driver.started(task)
        assert driver.next_task() is None and driver.waiting
        driver.deadline = 1.0
        answer = {"images": 60, "epoch": 0.5, "val_accuracy": 0.5, "seconds": 1.0, "checkpoint": "0-0-1-60.pt"}
        assert not driver.measured(task, {"state": "running", **answer})
        assert driver.record.runs[0, 0].state == "paused"
        assert (driver.next_task(), driver.pausing, driver.finished) == (None, "out of time", False)
