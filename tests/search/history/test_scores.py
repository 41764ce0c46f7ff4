import numpy as np
import pandas as pd
import pytest

from search.history import scores
from search.history.record import Record, Run, rank

CONFIG = {
    "network": {"name": "cnn5", "width": 0.5},
    "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.0, "momentum": 0.2},
    "training": {"batch_size": 8, "epochs": 4, "label_smoothing": 0.0, "schedule": "constant", "augment": "none"},
}


def run(trial, accuracies, state="done", network="cnn5"):
    asked = {"trial": trial, "repeat": 0, "parameters": 10, "flops": 20, "redrawn": 0, "seed": trial}
    made = Run(asked | {"config": CONFIG | {"network": {"name": network}}}, state=state, attempt=1)
    made.measurements = [
        {
            "images": 10 * e,
            "epoch": float(e),
            "val_accuracy": a,
            "val_loss": 1.0,
            "train_loss": 1.0,
            "seconds": 2.0,
            "time": 3.0,
        }
        for e, a in enumerate(accuracies, 1)
    ]
    return made


def record(*runs):
    made = Record()
    made.runs = {r.key: r for r in runs}
    return made


def test_trials_rank_by_their_best_epoch_and_the_lower_number_wins_a_tie():
    found = record(run(0, [0.2, 0.9, 0.1]), run(1, [0.5, 0.6]), run(2, [0.9]), run(3, []))
    assert [r.key[0] for r in rank(found)] == [0, 2, 1]


def test_a_diverged_trial_does_not_win_whatever_it_had_before():
    assert rank(record(run(0, [0.9], "diverged"), run(1, [0.1]))) == [run(1, [0.1])]


def test_distinct_takes_the_best_of_each_family():
    found = record(run(0, [0.9]), run(1, [0.8]), run(2, [0.7], network="cnn6"))
    assert [r.key[0] for r in rank(found, distinct=True)] == [0, 2]


def test_a_score_is_accuracy_with_its_interval_and_loss():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], dtype=np.float32)
    score = scores.score(np.array([0, 1, 1, 0]), probabilities)
    assert score["test_accuracy"] == 0.75
    assert score["test_low"] < 0.75 < score["test_high"]
    assert score["test_loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.5]).mean(), rel=1e-6)


def test_repeats_are_summed_up_by_trial_and_epochs_where_there_are_two_or_more():
    rows = [(0, 5, 0.5), (0, 5, 0.7), (0, 9, 0.9), (1, 5, 0.1)]
    frame = pd.DataFrame(rows, columns=["trial", "epochs", "test_accuracy"])
    (row,) = scores.over_repeats(frame).to_dict("records")
    assert (row["trial"], row["count"]) == (0, 2)
    assert row["mean"] == pytest.approx(0.6)
    assert row["std"] == pytest.approx(0.1 * 2**0.5)
