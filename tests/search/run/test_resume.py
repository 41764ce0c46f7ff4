"""Whatever event the driver dies after, the resumed search ends with the tables of the undisturbed one."""

import importlib.util
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from search.history import ledger, store, tables
from search.history.record import Record
from search.spaces.space import config_of
from search.storage import claims, mirror, takeover

_spec = importlib.util.spec_from_file_location("local", Path(__file__).with_name("local.py"))
local = importlib.util.module_from_spec(_spec)
sys.modules["local"] = local
_spec.loader.exec_module(local)


def small(trial):
    trial.suggest_categorical("network", ("cnn5",))
    trial.suggest_categorical("cnn5/width", (0.125, 0.25))
    trial.suggest_float("cnn5/conv_dropout", 0.0, 0.3)
    if trial.suggest_categorical("optimizer", ("sgd", "adam")) == "sgd":
        trial.suggest_float("sgd/lr", 1e-4, 1e-1, log=True)
        trial.suggest_float("sgd/momentum", 0.0, 0.4)
    else:
        trial.suggest_float("adam/lr", 1e-5, 1e-2, log=True)
    trial.suggest_categorical("batch_size", (16, 32))
    trial.suggest_categorical("schedule", ("constant", "cosine"))
    return config_of(trial.params)


#: Times, speeds, hosts and attempts may differ; everything else is the same to the bit.
MAY_DIFFER = ["seconds", "images_per_second", "attempt", "host", "pid", "time"]


def final_tables(folder):
    record = Record(ledger.read(folder / "ledger.jsonl"))
    return [f.drop(columns=MAY_DIFFER, errors="ignore") for f in (tables.trials(record, False), tables.epochs(record))]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return local.make_images(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, images):
    folder = tmp_path_factory.mktemp("undisturbed") / "search"
    record = local.run(folder, small, images)
    states = [run.state for run in record.trials]
    assert states.count("stopped") >= 1
    assert states.count("done") >= 1
    return folder


def test_the_same_search_twice_gives_the_same_tables(tmp_path, images, undisturbed):
    local.run(tmp_path / "again", small, images)
    for ours, theirs in zip(final_tables(tmp_path / "again"), final_tables(undisturbed), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


def test_a_kill_after_any_event_changes_nothing_in_the_end(tmp_path, images, undisturbed):
    events = len(ledger.read(undisturbed / "ledger.jsonl"))
    for kill_after in range(1, events, 2):
        folder = tmp_path / str(kill_after)
        with pytest.raises(local.KilledError):
            local.run(folder, small, images, kill_after=kill_after)
        before = Record(ledger.read(folder / "ledger.jsonl"))
        record = local.run(folder, small, images)
        for run in before.trials:
            if run.state in ("done", "stopped"):
                assert record.runs[run.key].attempt == run.attempt, "a finished trial ran again"
        for ours, theirs in zip(final_tables(folder), final_tables(undisturbed), strict=True):
            pd.testing.assert_frame_equal(ours, theirs)
        assert list((folder / "checkpoints").glob("*")) == []


def test_a_checkpoint_is_there_before_its_line_and_the_older_one_until_after_it(tmp_path, images):
    checkpoints = tmp_path / "search" / "checkpoints"
    seen = []

    def observe(event):
        if event["event"] == "measured" and event["checkpoint"]:
            older = seen[-1] if seen and seen[-1].split("-")[0] == str(event["trial"]) else None
            present = {path.name for path in checkpoints.iterdir()}
            assert {event["checkpoint"]} <= present
            assert older is None or older in present, "a kill now would find neither"
            assert ledger.read(tmp_path / "search" / "ledger.jsonl")[-1] == event, "the line is on disk"
            seen.append(event["checkpoint"])

    local.run(tmp_path / "search", small, images, observe=observe)
    assert len(seen) >= 6
    assert list(checkpoints.iterdir()) == []


def test_many_kills_in_a_row_change_nothing_either(tmp_path, images, undisturbed):
    folder = tmp_path / "search"
    for _ in range(30):
        try:
            local.run(folder, small, images, kill_after=4)
        except local.KilledError:
            continue
        break
    local.run(folder, small, images)
    for ours, theirs in zip(final_tables(folder), final_tables(undisturbed), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


def test_a_lost_checkpoint_costs_time_and_nothing_else(tmp_path, images, undisturbed):
    folder = tmp_path / "search"
    with pytest.raises(local.KilledError):
        local.run(folder, small, images, kill_after=6)
    for path in (folder / "checkpoints").glob("*"):
        path.unlink()
    local.run(folder, small, images)
    for ours, theirs in zip(final_tables(folder), final_tables(undisturbed), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


def test_at_the_deadline_a_trial_pauses_with_a_checkpoint_and_continues_from_it(tmp_path, images):
    folder = tmp_path / "paused"
    record = local.run(folder, small, images, samples=1, epochs=500, deadline=time.time() + 0.5)
    (run,) = record.trials
    reached = run.measurements[-1]["images"]
    assert run.measurements[-1]["decision"] == "pause"
    assert (folder / "checkpoints" / run.checkpoint).exists()
    assert 0 < reached < 500 * 90
    local.run(folder, small, images, samples=1, epochs=500)
    starts = [e["images"] for e in ledger.read(folder / "ledger.jsonl") if e["event"] == "started"]
    assert starts == [0, reached]


def test_more_samples_continue_the_same_stream_of_draws(tmp_path, images):
    local.run(tmp_path / "grown", small, images, samples=3)
    local.run(tmp_path / "grown", small, images, samples=6)
    local.run(tmp_path / "whole", small, images, samples=6)
    for ours, theirs in zip(final_tables(tmp_path / "grown"), final_tables(tmp_path / "whole"), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


def test_a_diverging_trial_ends_as_diverged_and_the_next_begins_clean(tmp_path, images):
    def wild(trial):
        trial.suggest_categorical("network", ("cnn5",))
        trial.suggest_categorical("cnn5/width", (0.125,))
        trial.suggest_categorical("optimizer", ("sgd",))
        trial.suggest_categorical("sgd/lr", (1e30, 1e-2))
        return config_of(trial.params)

    record = local.run(tmp_path / "search", wild, images, samples=6)
    ends = {run.config["optimizer"]["lr"]: run for run in record.trials}
    assert ends[1e30].state == "diverged"
    assert ends[1e30].reason == "the loss is not finite"
    assert ends[1e-2].state in ("done", "stopped")
    assert ends[1e-2].measurements[0]["train_loss"] < 10


def test_a_search_that_moves_to_another_machine_through_its_storage_ends_with_the_same_tables(
    tmp_path, images, undisturbed
):
    request = store.Request(space="test", samples=6, epochs=4, data_dir="")
    here = store.create(tmp_path / "here", "search", request, 1.0, {})
    claims.begin(str(tmp_path / "storage"), here.folder)
    with pytest.raises(local.KilledError):
        local.run(here.folder, small, images, kill_after=15)
    with ledger.Ledger(here.ledger) as book:
        mirror.Mirror(book, here.folder, print, sleep=lambda _: None).copy()
    there = takeover.take_over(str(tmp_path / "storage"), None, tmp_path / "there", sleep=lambda _: None)
    local.run(there, small, images)
    for ours, theirs in zip(final_tables(there), final_tables(undisturbed), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)
