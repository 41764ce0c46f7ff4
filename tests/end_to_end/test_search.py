"""The installed command with a real Ray: a search, its winners, and what a kill does to it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import search
from search.history import ledger
from search.history.ledger import LedgerError
from trainables.predictions import read_predictions
from trainables.saved_network import load_network

COMMAND = str(Path(sys.executable).with_name("hpsearch"))


def hpsearch(*arguments, cwd, check=True):
    return subprocess.run([COMMAND, *arguments], cwd=cwd, capture_output=True, text=True, check=check, timeout=240)


def small_search(name, *more):
    return (
        *("launch", "--dataset", "digits", "--data-dir", "data", "--limit-train", "300", "--space", "small:space"),
        *("--samples", "8", "--epochs", "4", "--seed", "3", "--name", name, *more),
    )


SPACE = """
from torch import nn
from search.spaces import config_of

def linear(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], num_classes))

def space(trial):
    if trial.suggest_categorical("network", ("cnn5", "small:linear")) == "cnn5":
        trial.suggest_categorical("cnn5/width", (0.25, 0.5))
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_float("sgd/lr", 1e-4, 1e-1, log=True)
    trial.suggest_float("sgd/momentum", 0.0, 0.4)
    trial.suggest_categorical("batch_size", (16, 32))
    return config_of(trial.params)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a user's own space and network and a finished search in it."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "small.py").write_text(SPACE)
    sys.path.append(str(folder))  # load_network rebuilds a user's own network by running its code
    done = hpsearch(*small_search("first"), cwd=folder)
    assert "http://127.0.0.1:" in done.stderr
    assert done.stderr.index("forecast: about") < done.stderr.index("trial 0: ")
    return folder


def loaded(home, name):
    return search.load(name, results=str(home / "results"))


@pytest.mark.slow
def test_a_search_judges_at_two_rungs_stops_the_worse_trials_and_finishes(home):
    trials = loaded(home, "first").trials
    assert len(trials) == 8
    assert set(trials.state) == {"done", "stopped"}
    assert trials.query("state == 'stopped'").epoch.isin([1, 2]).all()
    assert (trials.query("state == 'done'").epoch == 4).all()
    reached = loaded(home, "first").epochs.groupby("epoch").size()
    assert reached[1] == 8
    assert reached[1] > reached[2] >= reached[4]
    assert trials.best_val_accuracy.max() > 0.2


@pytest.mark.slow
def test_the_forecast_was_made_in_the_workers_before_the_first_measurement(home):
    found = json.loads((home / "results" / "first" / "search.json").read_text())["forecast"]
    assert 8 <= found["epochs"]["low"] <= found["epochs"]["middle"] <= found["epochs"]["high"] <= 32
    assert 0 < found["seconds"]["low"] <= found["seconds"]["middle"]
    assert {row["network"] for row in found["families"]} == {"cnn5", "small:linear"}
    assert sum(row["trials"] for row in found["families"]) == 8
    status = hpsearch("status", "first", "--json", cwd=home)
    assert json.loads(status.stdout)["forecast"]["epochs"] == found["epochs"]
    assert "forecast   about" in hpsearch("status", "first", cwd=home).stdout


@pytest.mark.slow
def test_workers_stay_warm(home):
    first = loaded(home, "first")
    # Fewer than slots where the second one's start takes longer than the search.
    assert first.epochs.pid.nunique() <= first.search.facts["slots"] < len(first.trials)


@pytest.mark.slow
def test_the_tables_on_disk_are_typed_for_pandas_duckdb_and_polars(home):
    import duckdb
    import polars

    path = home / "results" / "first" / "trials.parquet"
    frame = pd.read_parquet(path)
    assert frame.lr.dtype == np.float64
    assert duckdb.sql(f"select max(best_val_accuracy) from '{path}'").fetchall()[0][0] == frame.best_val_accuracy.max()
    assert polars.read_parquet(path)["trial"].to_list() == frame.trial.tolist() == list(range(8))
    epochs = pd.read_parquet(path.with_name("epochs.parquet"))
    assert epochs.groupby("trial").epoch.max().to_dict() == frame.set_index("trial").epoch.to_dict()


@pytest.mark.slow
def test_top_ranks_by_the_best_validation_accuracy(home):
    rows = json.loads(hpsearch("top", "first", "--json", cwd=home).stdout)
    accuracies = [row["best_val_accuracy"] for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(rows) == 8
    shown = hpsearch("top", cwd=home).stdout
    assert "best validation accuracy" in shown
    families = [row["network"] for row in json.loads(hpsearch("top", "--distinct", "--json", cwd=home).stdout)]
    assert sorted(families) == ["cnn5", "small:linear"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_and_curves(home):
    hpsearch(*small_search("again", "--scheduler", "none"), cwd=home)
    first, again = loaded(home, "first"), loaded(home, "again")
    assert again.trials.config.tolist() == first.trials.config.tolist()
    columns = ["trial", "epoch", "train_loss", "val_loss", "val_accuracy"]
    longer = again.epochs[columns].merge(first.epochs[["trial", "epoch"]])
    assert len(longer) < len(again.epochs), "ASHA has stopped some"
    pd.testing.assert_frame_equal(longer, first.epochs[columns].reset_index(drop=True), check_exact=True)


@pytest.mark.slow
def test_retrain_tests_the_winners_once_and_its_weights_rebuild_the_network(home):
    shown = hpsearch("retrain", "first", "--top", "2", "--epochs", "3", cwd=home)
    assert "ensemble of 2" in shown.stdout
    report = json.loads(hpsearch("retrain", "first", "--top", "2", "--epochs", "3", "--json", cwd=home).stdout)
    assert report["test_passes"] == 2, "asking again must not test again"
    for row in report["winners"]:
        assert row["test_low"] < row["test_accuracy"] < row["test_high"]
        folder = home / "results" / "first" / "retrain" / f"{row['trial']}-{row['repeat']}"
        labels, probabilities, classes = read_predictions(folder)
        assert (probabilities.argmax(1) == labels).mean() == row["test_accuracy"]
        assert probabilities.shape == (row["test_images"], len(classes))
        network = load_network(folder, run_own_code=True)
        assert sum(p.numel() for p in network.model.parameters()) == row["parameters"]
        assert network.classes == classes
    assert sum(row["images"] for row in report["confusion"]) == 2 * report["winners"][0]["test_images"]


@pytest.mark.slow
def test_repeats_have_seeds_of_their_own_and_a_mean(home):
    options = ("retrain", "first", "--top", "1", "--epochs", "2", "--repeats", "2", "--json")
    report = json.loads(hpsearch(*options, cwd=home).stdout)
    first, second = report["winners"]
    assert first["test_loss"] != second["test_loss"]
    assert report["repeats"][0]["count"] == 2


def wait_for(condition, seconds=120):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "it did not happen in time"
        time.sleep(0.05)


def measured(path):
    return sum(e["event"] == "measured" for e in ledger.read(path)) if path.exists() else 0


def start(home, *arguments):
    log = (home / "log.txt").open("w")
    return subprocess.Popen([COMMAND, *arguments], cwd=home, stderr=log, stdout=log, start_new_session=True)


@pytest.mark.slow
def test_ctrl_c_closes_the_record_and_resume_grows_the_search(home):
    process = start(home, *small_search("stopped-by-hand", "--epochs", "64"))
    path = home / "results" / "stopped-by-hand" / "ledger.jsonl"
    wait_for(lambda: measured(path) >= 3)
    assert loaded(home, "stopped-by-hand").running
    with pytest.raises(LedgerError, match="running in another process"):
        ledger.Ledger(path)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert "hpsearch resume stopped-by-hand" in (home / "log.txt").read_text()
    assert json.loads(hpsearch("status", "stopped-by-hand", "--json", cwd=home).stdout)["state"] == "interrupted"
    hpsearch("resume", "stopped-by-hand", "--samples", "10", cwd=home)
    trials = loaded(home, "stopped-by-hand").trials
    assert len(trials) == 10
    assert trials.state.isin(["done", "stopped"]).all()
    columns = ["network", "optimizer", "lr", "batch_size"]
    pd.testing.assert_frame_equal(trials[columns][:8], loaded(home, "first").trials[columns])


@pytest.mark.slow
def test_max_time_pauses_with_a_checkpoint_and_fails_nothing(home):
    for minutes in ("0.4", "2"):  # the second where Ray's start takes longer than the first
        done = hpsearch(*small_search(f"timed-{minutes}", "--epochs", "100000", "--max-time", minutes), cwd=home)
        assert "out of time" in done.stderr
        timed = loaded(home, f"timed-{minutes}")
        if len(timed.epochs):
            break
    paused = timed.trials.query("state == 'interrupted'")
    assert len(paused) >= 1
    assert not timed.trials.state.isin(["running", "failed"]).any()
    checkpoints = {path.name.split("-")[0] for path in (timed.search.folder / "checkpoints").iterdir()}
    assert checkpoints == set(paused.trial.astype(str))


@pytest.mark.slow
def test_a_worker_that_dies_is_recorded_the_others_go_on_and_resume_tries_again(home):
    process = start(home, *small_search("bereaved", "--scheduler", "none", "--epochs", "12", "--retries", "0"))
    path = home / "results" / "bereaved" / "ledger.jsonl"
    wait_for(lambda: measured(path) >= 3)
    os.kill(next(e["pid"] for e in reversed(ledger.read(path)) if e["event"] == "measured"), signal.SIGKILL)
    assert process.wait(timeout=200) == 1, "something failed while running"
    trials = loaded(home, "bereaved").trials
    assert trials.state.value_counts().to_dict() == {"done": 7, "failed": 1}
    assert trials.query("state == 'failed'").reason.item() == "the worker's process died: killed, perhaps for memory"
    assert "1 of 8 trials failed" in (home / "log.txt").read_text()
    hpsearch("resume", "bereaved", cwd=home)
    assert (loaded(home, "bereaved").trials.state == "done").all(), "a resume gives what failed another attempt"


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_trial_an_attempt_and_nothing_else(home):
    search = ("--scheduler", "none", "--epochs", "24")
    process = start(home, *small_search("tried-again", *search))
    path = home / "results" / "tried-again" / "ledger.jsonl"
    wait_for(lambda: any(e.get("checkpoint") for e in ledger.read(path)) if path.exists() else False)
    killed = next(e for e in reversed(ledger.read(path)) if e["event"] == "measured" and e["state"] == "running")
    os.kill(killed["pid"], signal.SIGKILL)
    assert process.wait(timeout=200) == 0
    found = loaded(home, "tried-again")
    assert (found.trials.state == "done").all()
    assert sorted(found.trials.attempt) == [1] * 7 + [2]
    assert (found.epochs.groupby("trial").epoch.count() == 24).all(), "each epoch counts once"
    (retry,) = json.loads(hpsearch("status", "tried-again", "--json", cwd=home).stdout)["retries"]
    assert retry["reason"] == "the worker's process died: killed, perhaps for memory"
    assert list((home / "results" / "tried-again" / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_ctrl_c_while_ray_starts_ends_with_one_line_and_leaves_no_ray(home):
    process = start(home, *small_search("too-early"))
    wait_for(lambda: "starting Ray" in (home / "log.txt").read_text())
    time.sleep(1)  # into Ray's start, or the imports before it
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    log = (home / "log.txt").read_text()
    assert "hpsearch resume too-early" in log
    assert "Traceback" not in log and "Exception" not in log
    wait_for(lambda: not alive_in_session(process.pid))
    state = json.loads(hpsearch("status", "too-early", "--json", cwd=home).stdout)
    assert (state["state"], sum(state["trials"].values())) == ("interrupted", 0)


def alive_in_session(leader):
    """Ids of the processes of a session, without those that have ended and wait to be reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, _, session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once_and_loses_nothing(home):
    process = start(home, *small_search("twice", "--epochs", "3000", "--scheduler", "none"))
    path = home / "results" / "twice" / "ledger.jsonl"
    wait_for(lambda: measured(path) >= 3)
    os.kill(process.pid, signal.SIGINT)
    time.sleep(0.3)
    before = time.time()
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) == 130
    assert time.time() - before < 3
    assert "hpsearch resume twice" in (home / "log.txt").read_text()
    assert len(ledger.read(path)) == len(path.read_text().splitlines()), "no line is torn"


@pytest.mark.slow
def test_a_ledger_damaged_in_the_middle_goes_on_from_before_the_damage(home):
    source = home / "results" / "first"
    damaged = home / "results" / "damaged"
    damaged.mkdir()
    for name in ("search.json", "ledger.jsonl"):
        (damaged / name).write_bytes((source / name).read_bytes())
    lines = (source / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    number = next(i for i, line in enumerate(lines, 1) if b'"measured"' in line and i > 15)
    lines[number - 1] = lines[number - 1].replace(b'"val_accuracy":0', b'"val_accuracy":1')
    (damaged / "ledger.jsonl").write_bytes(b"".join(lines))
    refused = hpsearch("resume", "damaged", cwd=home, check=False)
    assert refused.returncode == 2
    assert f"line {number}" in refused.stderr and f"hpsearch resume damaged --until {number}" in refused.stderr
    assert (damaged / "ledger.jsonl").read_bytes() == b"".join(lines)
    hpsearch("resume", "damaged", "--until", str(number), cwd=home)
    assert loaded(home, "damaged").trials.config.tolist() == loaded(home, "first").trials.config.tolist()
    assert loaded(home, "damaged").trials.state.isin(["done", "stopped"]).all()
    assert [path.read_bytes() for path in damaged.glob("ledger-*.jsonl")] == [b"".join(lines)]
