"""The installed command without Ray: a search from its draws to its winners, what it leaves, how it goes on."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tests.end_to_end.commands import INLINE, LAUNCH_INLINE, forked, hpsearch, loaded, make_home, small_search
from trainables.predictions import read_predictions
from trainables.saved_network import load_network


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a user's own space and network and a finished search in it."""
    folder = make_home(tmp_path_factory.mktemp("home"))
    done = hpsearch(*small_search("first", "--follow", "tensorboard", *LAUNCH_INLINE), cwd=folder)
    assert done.stderr.index("forecast: about") < done.stderr.index("trial 0: ")
    assert "Ray" not in done.stderr
    assert done.stderr.count("tensorboard --logdir") == 1
    return folder


@pytest.mark.slow
def test_neither_a_search_nor_its_retrains_import_ray(home):
    watched = (
        "import sys; from search.cli.main import main; sys.argv[0] = 'hpsearch'\n"
        "try: main()\nexcept SystemExit as end: print(end.code, 'ray' in sys.modules)"
    )
    for arguments in (
        small_search("unseen", "--samples", "2", "--results", "elsewhere", *LAUNCH_INLINE),
        ("retrain", "unseen", "--top", "1", "--epochs", "1", "--results", "elsewhere", *INLINE),
    ):
        done = subprocess.run(
            [sys.executable, "-c", watched, *arguments], cwd=home, capture_output=True, text=True, timeout=240
        )
        assert done.stdout.splitlines()[-1] == "0 False", done.stderr[-2000:]


def test_a_sink_beside_a_search_has_every_trial_and_says_how_to_look(home):
    assert len(list((home / "results" / "first" / "follow" / "tensorboard").glob("trial-*/events*"))) == 8


def test_an_address_is_refused_in_one_line_before_anything_is_on_disk(home):
    done = forked(*small_search("far", "--address", "10.0.0.5:6379", *LAUNCH_INLINE), cwd=home, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"hpsearch: [^\n]*--engine inline[^\n]*10\.0\.0\.5:6379[^\n]*\n", done.stderr), done.stderr
    assert not (home / "results" / "far").exists()


def test_validation_images_that_a_dataset_does_not_bring_are_refused_in_one_line(home):
    done = forked("retrain", "first", "--with-validation", *INLINE, cwd=home, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"hpsearch: [^\n]*--with-validation[^\n]*\n", done.stderr), done.stderr


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
    rows = json.loads(forked("top", "first", "--json", cwd=home).stdout)
    accuracies = [row["best_val_accuracy"] for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(rows) == 8
    shown = forked("top", cwd=home).stdout
    assert "best validation accuracy" in shown
    families = [row["network"] for row in json.loads(forked("top", "--distinct", "--json", cwd=home).stdout)]
    assert sorted(families) == ["cnn5", "small:linear"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_and_curves(home):
    forked(*small_search("again", "--scheduler", "none", *LAUNCH_INLINE), cwd=home)
    first, again = loaded(home, "first"), loaded(home, "again")
    assert again.trials.config.tolist() == first.trials.config.tolist()
    columns = ["trial", "epoch", "train_loss", "val_loss", "val_accuracy"]
    longer = again.epochs[columns].merge(first.epochs[["trial", "epoch"]])
    assert len(longer) < len(again.epochs), "ASHA has stopped some"
    pd.testing.assert_frame_equal(longer, first.epochs[columns].reset_index(drop=True), check_exact=True)


@pytest.mark.slow
def test_retrain_tests_the_winners_once_and_its_weights_rebuild_the_network(home):
    shown = forked("retrain", "first", "--top", "2", "--epochs", "3", *INLINE, cwd=home)
    assert "ensemble of 2" in shown.stdout
    report = json.loads(forked("retrain", "first", "--top", "2", "--epochs", "3", "--json", *INLINE, cwd=home).stdout)
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
    options = ("retrain", "first", "--top", "1", "--epochs", "2", "--repeats", "2", "--json", *INLINE)
    report = json.loads(forked(*options, cwd=home).stdout)
    first, second = report["winners"]
    assert first["test_loss"] != second["test_loss"]
    assert report["repeats"][0]["count"] == 2


@pytest.mark.slow
def test_max_time_pauses_with_a_checkpoint_and_fails_nothing(home):
    done = forked(*small_search("timed", "--epochs", "400", "--max-time", "0.02", *LAUNCH_INLINE), cwd=home)
    assert "out of time" in done.stderr
    timed = loaded(home, "timed")
    assert len(timed.epochs)
    paused = timed.trials.query("state == 'interrupted'")
    assert len(paused) >= 1
    assert not timed.trials.state.isin(["running", "failed"]).any()
    checkpoints = {path.name.split("-")[0] for path in (timed.search.folder / "checkpoints").iterdir()}
    assert checkpoints == set(paused.trial.astype(str))


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
    refused = forked("resume", "damaged", cwd=home, check=False)
    assert refused.returncode == 2
    assert f"line {number}" in refused.stderr and f"hpsearch resume damaged --until {number}" in refused.stderr
    assert (damaged / "ledger.jsonl").read_bytes() == b"".join(lines)
    forked("resume", "damaged", "--until", str(number), *INLINE, cwd=home)
    assert loaded(home, "damaged").trials.config.tolist() == loaded(home, "first").trials.config.tolist()
    assert loaded(home, "damaged").trials.state.isin(["done", "stopped"]).all()
    assert [path.read_bytes() for path in damaged.glob("ledger-*.jsonl")] == [b"".join(lines)]
