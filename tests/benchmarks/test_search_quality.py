"""Searches that are played on recorded curves: what a row of the table holds, and what may not be played."""

import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from search.experience.recordings import read_recordings
from search.history.load import read_search
from search.history.request import Request
from search.run.launch import launch
from search.run.session import Options

ROOT = Path(__file__).parents[2]
EPOCHS = (0.5, 1.0, 2.0, 3.0, 4.0)


def pool(folder: Path, number: int = 24, *, has_flops: bool = False) -> str:
    """Trainings that are the better the nearer a learning rate is to a hundredth, and better with adam."""
    rng, lines = random.Random(0), []
    for _ in range(number):
        optimizer, rate = rng.choice(("adam", "sgd")), 10 ** rng.uniform(-4, 0)
        end = 0.9 - 0.2 * abs(math.log10(rate) + 2) + 0.05 * (optimizer == "adam")
        curve = [[epoch, end * (1 - 0.5**epoch), epoch] for epoch in EPOCHS]
        config = {f"{optimizer}/lr": rate, "batch_size": rng.choice((32, 64, 128))}
        what = {"network": "cnn5", "optimizer": optimizer, "parameters": rng.randint(1000, 10**6)}
        if has_flops:
            what["flops"] = 1000 if optimizer == "sgd" else 3000
        lines.append({**what, "config": config, "curves": [curve]})
    path = folder / "pool.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def play(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/search_quality.py", "play", "--max-t", "4", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


@pytest.mark.slow
def test_every_scheduler_is_played_with_every_sampler_and_number_of_samples(tmp_path: Path) -> None:
    schedulers = ("--scheduler", "asha", "--scheduler", "halving:keep=0.5")
    samplers = ("--sampler", "random", "--sampler", "tpe", "--hears", "both")
    sizes = ("--samples", "16", "--samples", "12", "--slots", "2", "--replays", "3")
    plot = tmp_path / "curves.svg"
    done = play("--pool", pool(tmp_path, has_flops=True), *schedulers, *samplers, *sizes, "--json", "--plot", str(plot))
    assert done.returncode == 0, done.stderr[-2000:]
    assert plot.read_text().rstrip().endswith("</svg>")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert [(row["scheduler"], row["sampler"], row["hears"], row["samples"]) for row in rows] == [
        (scheduler, sampler, hears, samples)
        for scheduler in ("asha", "halving:keep=0.5")
        for sampler, heard in (("random", (None,)), ("tpe", ("everything", "waves")))
        for samples in (16, 12)
        for hears in heard
    ]
    base = rows[0]
    assert (base["epochs_of_base"], base["difference"]) == (1, 0)
    assert base["reached"] < len(base["anytime"])
    for row in rows:
        assert (row["pool"], row["slots"]) == ("pool", 2)
        assert row["wall"] >= row["epochs"] / 2, "an epoch takes a second, and there are two slots"
        assert 0 <= row["regret"] <= row["short"]
        assert row["epochs_of_base"] == pytest.approx(row["epochs"] / base["epochs"])
        assert 1 / 3 <= row["flops_of_base"] / row["epochs_of_base"] <= 3
        assert row["anytime"] == sorted(row["anytime"]), "the best so far"
        if row["reached"] is not None:
            assert row["reached_of_base"] == pytest.approx(row["reached"] / base["epochs"])
        assert row["reached"] is None or row["anytime"][round(row["reached"])] >= base["anytime"][-1] - 1e-4
    assert base["flops_of_base"] == 1 and rows[-1]["flops_of_base"] > rows[-1]["epochs_of_base"], "adam's last longer"
    halving = [row for row in rows if row["scheduler"] != "asha" and row["samples"] == 16]
    assert len({row["epochs"] for row in halving}) == 1, "its epochs do not depend on what is drawn"


@pytest.mark.slow
def test_with_a_cost_every_search_is_played_with_one_and_with_two_objectives(tmp_path: Path) -> None:
    ways = ("--scheduler", "none", "--samples", "24", "--slots", "2", "--replays", "2")
    done = play("--pool", pool(tmp_path), *ways, "--also", "parameters", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    assert [(row["also"], row["flops_of_base"]) for row in rows] == [([], None), (["parameters"], None)]
    # All was drawn and trained to the end, so its front is the pool's.
    assert [row["front"] for row in rows] == pytest.approx([1, 1])
    done = play("--pool", pool(tmp_path), *ways, "--also", "flops")
    assert done.returncode == 1 and "does not say the flops of its configurations" in done.stderr


def test_a_pool_that_does_not_say_what_its_configurations_are_is_drawn_from_at_random_only(tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    path.write_text('{"curves": [[[0.5, 0.1, 1], [1, 0.2, 2], [2, 0.3, 3], [4, 0.4, 4]]]}\n' * 8)
    ways = ("--scheduler", "halving", "--samples", "8", "--slots", "1", "--replays", "1")
    assert play("--pool", str(path), *ways).returncode == 0
    done = play("--pool", str(path), *ways, "--sampler", "gp")
    assert (done.returncode, done.stdout) == (1, "")
    assert "only --sampler random can draw from it" in done.stderr


@pytest.mark.slow
def test_a_pool_is_recorded_with_a_second_seed_of_its_best_and_can_be_played(tmp_path: Path) -> None:
    out = tmp_path / "pool.parquet"
    sizes = ("--samples", "4", "--max-t", "1", "--limit-train", "1000", "--again", "0.5", "--engine", "inline")
    command = [sys.executable, "benchmarks/search_quality.py", "record", "--out", str(out), "--space", "modern_small"]
    done = subprocess.run([*command, "--data-dir", str(tmp_path), *sizes], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    recorded = pd.read_parquet(out)
    best = recorded[recorded.repeat == 0].groupby("trial").val_accuracy.max().nlargest(2)
    again = recorded[recorded.repeat == 1]
    assert set(again.trial) == set(best.index)
    assert recorded.groupby(["trial", "repeat"]).epoch.max().eq(1).all()
    assert recorded.epoch.min() < 0.5, "early rungs can be played"
    assert recorded.groupby("trial").config.nunique().eq(1).all(), "a second seed trains the same configuration"
    tests = recorded.groupby(["trial", "repeat"]).test_accuracy
    assert tests.nunique().eq(1).all() and tests.first().nunique() > 1, "each trained network is tested once"
    ways = ("--samples", "4", "--max-t", "1", "--replays", "2", "--scheduler", "none", "--scheduler", "asha")
    rows = json.loads(play("--pool", str(out), *ways, "--json").stdout)
    assert {row["pool"] for row in rows} == {"pool"}
    assert all(tests.first().min() <= row["tested"] <= tests.first().max() for row in rows)
    once = recorded[recorded.repeat == 0]
    once.to_parquet(tmp_path / "once.parquet")
    (whole,) = json.loads(play("--pool", str(tmp_path / "once.parquet"), *ways[:-2], "--slots", "1", "--json").stdout)
    winner = once.loc[once.val_accuracy.idxmax()]
    assert whole["tested"] == pytest.approx(winner.test_accuracy), "all were drawn and trained to the end"
    both = play("--pool", pool(tmp_path), "--pool", str(out), *ways)
    assert both.returncode == 0, both.stderr[-2000:]
    assert both.stdout.count("| – | – |") == 4, "one of the pools has no test accuracies"


@pytest.mark.slow
def test_a_search_is_written_as_a_recording_in_the_order_in_which_it_compared_its_trials(tmp_path: Path) -> None:
    asked = {"space": "cnn5", "samples": 9, "epochs": 1, "dataset": "digits", "limit_train": 100, "scheduler": "none"}
    request = Request(data_dir=str(tmp_path), augment="none", **asked)  # type: ignore[arg-type]
    launch(request, Options(engine="inline"), results=tmp_path, name="one")
    out = tmp_path / "recording.jsonl"
    command = [sys.executable, "benchmarks/search_quality.py", "remember", "--search", str(tmp_path / "one")]
    command += ["--dataset", "digits", "--what", "nine draws", "--out", str(out)]
    subprocess.run(command, check=True, cwd=ROOT)
    (recording,) = read_recordings(out.read_text())
    assert (recording.dataset, recording.what, recording.size, len(recording.tried)) == ("digits", "nine draws", 16, 9)
    trials = read_search(tmp_path, "one").trials
    best = recording.tried[recording.values.index(max(recording.values))]
    assert best["batch_size"] == trials.batch_size[trials.best_val_accuracy.idxmax()]
    assert recording.values == (trials.best_val_accuracy.rank(method="dense") - 1).tolist()
