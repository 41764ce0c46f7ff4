"""Halving in real trainings: whatever event the driver dies after, the search ends as the undisturbed one."""

from dataclasses import replace

import pytest

from search.history import ledger, store
from search.history.events import Opened
from search.history.load import Loaded
from search.schedulers.halving import Halving
from search.show import ranking
from search.show.status import print_status, status
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


def test_the_status_counts_trials_by_the_rungs_of_the_scheduler_and_says_that_none_goes_on(whole, problem, capsys):
    request = replace(problem.request, scheduler="halving")
    search = store.Search(folder=whole, request=request, created=0.0, facts={"data": {"num_validation": 30}})
    found = Loaded(search, searches.read(whole), running=False)
    assert not found.epochs.epoch.isin([0.5]).any(), "a mark that lies within a batch is reached at its end"
    assert [(row["epoch"], row["reached"], row["paused"]) for row in status(found)["rungs"]] == [
        (0.5, 6, 2),
        (1.0, 4, 1),
        (2.0, 3, 1),
    ]
    print_status(status(found))
    shown = capsys.readouterr().out
    assert "2 done, 4 not continued; of 6 in all" in shown
    assert "epoch 0.5  6 reached it, 2 not continued there\n" in shown
    ranking.print_top(found, ranking.top(found, None))
    title, *table = capsys.readouterr().out.splitlines()
    assert title.endswith("accuracies with their 95 % interval on 30 images")
    assert sum("not continued" in line for line in table) == 4 and not any("paused" in line for line in table)
    found.record.apply(Opened(samples=6, slots=1))
    print_status(status(replace(found, running=True)))
    assert "2 done, 4 paused; of 6 in all" in capsys.readouterr().out


@pytest.mark.slow
def test_a_kill_after_any_event_changes_nothing_in_the_end(tmp_path, problem, whole):
    killed = searches.killed_anywhere(tmp_path, problem, lambda: Halving(4, 6))
    assert len(killed) == len(ledger.read(whole / "ledger.jsonl")) - 1
    for folder in killed[1::5]:
        searches.run(folder, problem, scheduler=Halving(4, 6))
        searches.assert_same_tables(folder, whole)
