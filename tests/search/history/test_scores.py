import json

import numpy as np
import pandas as pd
import pytest

from search.history import scores
from search.history.events import State, Tested
from search.history.record import Record, rank
from tests.search import events
from tests.search.events import CONFIG, measured, record
from trainables.predictions import PredictionsError, write_predictions


def run(trial, accuracies, state=State.DONE, network="cnn5"):
    more = {"val_loss": 1.0, "train_loss": 1.0, "seconds": 2.0, "time": 3.0}
    curve = [measured(10 * e, a, trial=trial, **more) for e, a in enumerate(accuracies, 1)]
    return events.run(trial, curve, state, config={**CONFIG, "network": {"name": network}})


def test_trials_rank_by_their_best_epoch_and_the_lower_number_wins_a_tie():
    found = record(run(0, [0.2, 0.9, 0.1]), run(1, [0.5, 0.6]), run(2, [0.9]), run(3, []))
    assert [r.key[0] for r in rank(found)] == [0, 2, 1]


def test_a_diverged_trial_does_not_win_whatever_it_had_before():
    assert rank(record(run(0, [0.9], State.DIVERGED), run(1, [0.1]))) == [run(1, [0.1])]


def test_distinct_takes_the_best_of_each_family():
    found = record(run(0, [0.9]), run(1, [0.8]), run(2, [0.7], network="cnn6"))
    assert [r.key[0] for r in rank(found, distinct=True)] == [0, 2]


def test_a_score_is_accuracy_with_its_interval_and_loss():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]], dtype=np.float32)
    score = scores.score(np.array([0, 1, 1, 0]), probabilities)
    assert score["test_accuracy"] == 0.75
    assert score["test_low"] < 0.75 < score["test_high"]
    assert score["test_loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.5]).mean(), rel=1e-6)


def test_repeats_are_summed_up_by_trial_and_training_where_there_are_two_or_more():
    rows = [(0, 5, "", 0.5), (0, 5, "", 0.7), (0, 5, "0-1, 0-2", 0.8), (0, 9, "", 0.9), (1, 5, "", 0.1)]
    alike = pd.DataFrame(rows, columns=["trial", "epochs", "teachers", "test_accuracy"])
    alike = alike.assign(config="narrow", with_validation=False, flips=False, test_set=1)
    others = [alike.iloc[:1].assign(**{name: value}) for name, value in
              (("config", "wide"), ("with_validation", True), ("flips", True), ("test_set", 2))]  # fmt: skip
    frame = pd.concat([alike, *others], ignore_index=True)
    (row,) = scores.over_repeats(frame).to_dict("records")
    assert (row["trial"], row["count"]) == (0, 2)
    assert row["mean"] == pytest.approx(0.6)
    assert row["std"] == pytest.approx(0.1 * 2**0.5)


def test_repeats_of_one_trial_are_told_apart_by_what_differs():
    def row(trial=0, *, width=0.5, epochs=5, teachers="", flips=False, with_validation=False, test_set=1, **training):
        config = {
            **CONFIG,
            "network": {"name": "cnn5", "width": width},
            "training": {**CONFIG["training"], "epochs": epochs, **training},
        }
        return {
            "trial": trial,
            "epochs": epochs,
            "config": json.dumps(config),
            "with_validation": with_validation,
            "teachers": teachers,
            "flips": flips,
            "test_set": test_set,
        }

    rows = [row(), row(epochs=9, width=1.0, flips=True), row(1), row(2, mixup=0.2), row(2, with_validation=True)]
    assert scores.distinctions(rows) == [
        "cnn5 ×0.5, 5 epochs",
        "cnn5, 9 epochs, averaged with the mirror image",
        "",
        "mixup 0.2",
        "trained on validation images too",
    ]
    assert scores.distinctions([row(), row(test_set=2)]) == ["test set 1", "test set 2"]
    students = [row(teachers="0-1, 1-1"), row(teachers="0-1, 1-1, 2-1")]
    assert scores.distinctions(students) == ["distilled from 0-1, 1-1", "distilled from 0-1, 1-1, 2-1"]


def with_test(folder, trial, labels, **test):
    """The events of a tested retrain, whose predictions are of images with these labels."""
    place = folder / "retrain" / f"{trial}-1"
    place.mkdir(parents=True)
    write_predictions(place, np.array(labels), np.full((len(labels), 2), 0.5, np.float32), ("a", "b"))
    passed = Tested(trial=trial, repeat=1, correct=1, **{"images": len(labels), **test})
    return [events.asked(trial), events.asked(trial, 1), passed]


@pytest.mark.parametrize(
    ("labels", "test", "has_one"),
    [
        ([0, 1], {}, True),
        ([0, 1], {"fingerprint": "x", "flips": True}, False),
        ([1, 0], {"fingerprint": "y"}, False),
        ([0, 1, 1], {}, False),
    ],
)
def test_an_ensemble_has_members_that_were_tested_alike(tmp_path, labels, test, has_one):
    first = with_test(tmp_path, 0, [0, 1], fingerprint="x")
    found = Record(events.in_order([*first, *with_test(tmp_path, 1, labels, **test)]))
    assert (scores.ensemble(tmp_path, found.retrains) is not None) == has_one


def test_predictions_of_other_images_than_recorded_have_no_mean(tmp_path):
    """Of 0.1.0, which recorded only how many there were."""
    found = Record(events.in_order([*with_test(tmp_path, 0, [0, 1]), *with_test(tmp_path, 1, [1, 0])]))
    with pytest.raises(PredictionsError, match="the predictions of 0-1, 1-1 are for different test images"):
        scores.ensemble(tmp_path, found.retrains)


def test_only_the_tests_with_mirrored_images_are_named_unless_all_have_them():
    rows = {"1-1": {"flips": True, "test_set": 1}, "2-1": {"flips": False, "test_set": 1}}
    assert scores.cautions(rows) == ["Predictions of 1-1 are averaged over each test image and its mirror image."]
    del rows["2-1"]
    assert scores.cautions(rows) == ["Predictions are averaged over each test image and its mirror image."]
