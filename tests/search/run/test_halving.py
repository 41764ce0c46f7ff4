"""Halving in real trainings: whatever event the driver dies after, the search ends as the undisturbed one."""

import pytest

from search.history import ledger
from search.schedulers.halving import Halving
from tests.search.run import searches


@pytest.fixture(scope="module")
def whole(tmp_path_factory, problem):
    folder = tmp_path_factory.mktemp("halving") / "search"
    searches.run(folder, problem, scheduler=Halving(4, 6))
    return folder


def test_every_trial_begins_and_two_are_trained_to_the_end(whole):
    record = searches.read(whole)
    assert sorted(run.state for run in record.trials) == ["done"] * 2 + ["paused"] * 4
    lines = ledger.read(whole / "ledger.jsonl")
    assert sum(line["event"] == "granted" for line in lines) == 4 + 3 + 2, "to 1, 2 and 4 epochs"
    assert list((whole / "checkpoints").iterdir()) == [], "the search is finished"


@pytest.mark.slow
def test_a_kill_after_any_event_changes_nothing_in_the_end(tmp_path, problem, whole):
    for kill_after in range(2, len(ledger.read(whole / "ledger.jsonl")), 5):
        folder = tmp_path / str(kill_after)
        with pytest.raises(searches.KilledError):
            searches.run(folder, problem, scheduler=Halving(4, 6), kill_after=kill_after)
        searches.run(folder, problem, scheduler=Halving(4, 6))
        searches.assert_same_tables(folder, whole)
