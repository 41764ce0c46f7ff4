"""Whatever event the driver dies after, the resumed search ends with the tables of the undisturbed one."""

import time

import pytest

from search.history import ledger, store
from search.spaces import config_of
from search.storage import claims, mirror, takeover
from tests.search.run import searches
from trainables.worker import slot

pytestmark = pytest.mark.usefixtures("checkpoints_always")


def test_the_same_search_twice_gives_the_same_tables(tmp_path, problem, undisturbed):
    searches.run(tmp_path / "again", problem)
    searches.assert_same_tables(tmp_path / "again", undisturbed)


@pytest.mark.slow
def test_a_kill_after_any_event_changes_nothing_in_the_end(tmp_path, problem, undisturbed):
    killed = searches.killed_anywhere(tmp_path, problem)
    assert len(killed) == len(ledger.read(undisturbed / "ledger.jsonl")) - 1
    for folder in killed:
        before = searches.read(folder)
        record = searches.run(folder, problem).record
        for run in before.trials:
            if run.state in ("done", "stopped"):
                assert record.runs[run.key].attempt == run.attempt, "a finished trial ran again"
        searches.assert_same_tables(folder, undisturbed)
        assert list((folder / "checkpoints").glob("*")) == []


def test_a_checkpoint_is_there_before_its_line_and_the_older_one_until_after_it(tmp_path, problem):
    checkpoints = tmp_path / "search" / "checkpoints"
    seen, failures = [], []

    def observe(event):
        if event.kind == "measured" and event.checkpoint:
            older = seen[-1] if seen and seen[-1].split("-")[0] == str(event.trial) else None
            present = {path.name for path in checkpoints.iterdir()}
            if event.checkpoint not in present:
                failures.append(f"{event.checkpoint} is not there")
            if older is not None and older not in present:
                failures.append("a kill now would find neither")
            if ledger.read(tmp_path / "search" / "ledger.jsonl")[-1] != ledger.entry_of(event):
                failures.append("the line is not on disk")
            seen.append(event.checkpoint)

    driver = searches.run(tmp_path / "search", problem, listeners=[observe])
    assert (failures, driver.deaf) == ([], [])
    assert len(seen) >= 6
    assert list(checkpoints.iterdir()) == []


def test_many_kills_in_a_row_change_nothing_either(tmp_path, problem, undisturbed):
    folder = tmp_path / "search"
    for _ in range(30):
        try:
            searches.run(folder, problem, kill_after=4)
        except searches.KilledError:
            continue
        break
    searches.run(folder, problem)
    searches.assert_same_tables(folder, undisturbed)


def test_a_lost_checkpoint_costs_time_and_nothing_else(tmp_path, problem, undisturbed):
    folder = tmp_path / "search"
    with pytest.raises(searches.KilledError):
        searches.run(folder, problem, kill_after=6)
    for path in (folder / "checkpoints").glob("*"):
        path.unlink()
    searches.run(folder, problem)
    searches.assert_same_tables(folder, undisturbed)


def test_at_the_deadline_a_trial_pauses_with_a_checkpoint_and_continues_from_it(tmp_path, problem, images, monkeypatch):
    monkeypatch.setattr(slot, "CHECKPOINT_SHARE", 0.0)  # the deadline's checkpoint is the only one
    folder = tmp_path / "paused"
    long = searches.make_problem(problem.space.function, images, samples=1, epochs=500)
    (run,) = searches.run(folder, long, deadline=time.time() + 0.5).record.trials
    reached = run.measurements[-1].images
    assert (run.measurements[-1].decision, run.state) == ("pause", "interrupted")
    assert (folder / "checkpoints" / run.checkpoint).exists()
    assert 0 < reached < 500 * 90
    (run,) = searches.run(folder, long, deadline=time.time() + 0.5).record.trials
    assert run.measurements[-1].images > reached
    starts = [e["images"] for e in ledger.read(folder / "ledger.jsonl") if e["event"] == "started"]
    assert starts == [0, reached]


def test_more_samples_continue_the_same_stream_of_draws(tmp_path, problem, images):
    fewer = searches.make_problem(problem.space.function, images, samples=3)
    searches.run(tmp_path / "grown", fewer)
    searches.run(tmp_path / "grown", problem)
    searches.run(tmp_path / "whole", problem)
    searches.assert_same_tables(tmp_path / "grown", tmp_path / "whole")


def test_a_diverging_trial_ends_as_diverged_and_the_next_begins_clean(tmp_path, images):
    def wild(trial):
        trial.suggest_categorical("network", ("cnn5",))
        trial.suggest_categorical("cnn5/width", (0.125,))
        trial.suggest_categorical("optimizer", ("sgd",))
        trial.suggest_categorical("sgd/lr", (1e30, 1e-2))
        return config_of(trial.params)

    record = searches.run(tmp_path / "search", searches.make_problem(wild, images)).record
    ends = {run.config["optimizer"]["lr"]: run for run in record.trials}
    assert ends[1e30].state == "diverged"
    assert ends[1e30].reason == "the loss is not finite"
    assert ends[1e-2].state in ("done", "stopped")
    assert ends[1e-2].measurements[0].train_loss < 10


def test_a_search_that_moves_to_another_machine_through_its_storage_ends_with_the_same_tables(
    tmp_path, problem, undisturbed
):
    here = store.create(tmp_path / "here", "search", problem.request, 1.0, {})
    claims.begin(str(tmp_path / "storage"), here)
    with pytest.raises(searches.KilledError):
        searches.run(here.folder, problem, kill_after=15)
    with ledger.Ledger(here.ledger) as book:
        mirror.Mirror(book, here.folder, print, sleep=lambda _: None).copy()
    there = takeover.take_over(str(tmp_path / "storage"), None, tmp_path / "there", sleep=lambda _: None)
    searches.run(there, problem)
    searches.assert_same_tables(there, undisturbed)
