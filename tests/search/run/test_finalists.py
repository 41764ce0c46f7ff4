"""Finalists: the best of a search on folds of the images, and how the decision is recorded."""

import shutil
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner

from search.cli.retraining import retrain as retrain_command
from search.history import ledger, scores, store
from search.history.events import Measured, State, parse
from search.history.ledger import Ledger
from search.history.load import read_search
from search.history.store import retrain_folder
from search.run.finalists import Finals, choose
from search.run.launch import launch
from search.run.problem import RequestError
from search.run.retrain import Again, retrain
from search.run.retrain_plan import prepare
from search.run.session import Options
from search.show.status import status
from search.show.winners import print_retrains, retrain_report
from tests.search import events
from tests.search.run import searches
from trainables.data.images import DatasetError
from trainables.predictions import PREDICTIONS, read_predictions

LEARNS, SLOW = 0.05, 1e-6


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A finished search: 0 learns and 1 hardly does; eighty digits, of which sixteen are for validation."""
    place = tmp_path_factory.mktemp("finals")
    lines = [
        {
            "network": {"name": "cnn5", "width": 0.125},
            "optimizer": {"name": "sgd_nesterov", "lr": rate},
            "training": {"batch_size": 8},
        }
        for rate in (LEARNS, SLOW)
    ]
    request = searches.listed(place, lines, epochs=4, limit_train=80, scheduler="none")
    assert launch(request, Options(engine="inline"), results=place, name="one").reason == "finished"
    return store.find(place, "one")


@pytest.fixture(scope="module")
def judged(searched, tmp_path_factory):
    """The same after its two finalists were told apart and both retrained, twice as wide."""
    folder = tmp_path_factory.mktemp("judged")
    shutil.copytree(searched.folder, folder / "one")
    search = store.find(folder, "one")
    outcome, runs = retrain_best(search, top=2)
    assert (outcome.reason, [run.key for run in runs]) == ("finished", [(0, 4), (1, 4)])
    return search


def copy(search, folder):
    shutil.copytree(search.folder, folder / "one")
    return store.find(folder, "one")


def retrain_best(search, *, top=1, number=2, folds=3, epochs=None, width=1.0):
    how = Again(epochs=1, width=2, finals=Finals(number=number, folds=folds, epochs=epochs, width=width))
    return retrain(search, Options(engine="inline"), how, top=top, distinct=False)


def folds_of(record):
    return [run for run in record.runs.values() if run.asked.fold is not None]


def test_each_finalist_is_judged_on_every_image_by_networks_that_did_not_train_on_it(judged):
    judges = folds_of(read_search(judged.folder.parent, "one").record)
    assert [(run.key[0], run.asked.fold, run.asked.folds) for run in judges] == [
        (trial, fold, 3) for trial in (0, 1) for fold in (1, 2, 3)
    ]
    # As wide as in the search and as long, on two thirds of eighty.
    assert {run.config["network"]["width"] for run in judges} == {0.125}
    assert [run.measurements[-1].images for run in judges] == [4 * 53, 4 * 53, 4 * 54] * 2
    for trial in (0, 1):
        runs = [run for run in judges if run.key[0] == trial]
        left_out = [read_predictions(retrain_folder(judged.folder, run)) for run in runs]
        assert [len(labels) for labels, _, _ in left_out] == [27, 27, 26]
        assert [(labels == found.argmax(1)).mean() for labels, found, _ in left_out] == pytest.approx(
            [run.left_out for run in runs], abs=1e-9
        )


def test_winners_alone_are_wide_trained_on_all_images_tested_and_kept(judged):
    record = read_search(judged.folder.parent, "one").record
    winners = record.retrains
    assert [(run.key, run.config["network"]["width"], run.measurements[-1].images) for run in winners] == [
        ((0, 4), 0.25, 80),
        ((1, 4), 0.25, 80),
    ]
    assert record.test_passes == 2 and all(run.test for run in winners)
    weights = {path.parent.name for path in judged.folder.glob("retrain/*/model.safetensors")}
    assert weights == {"0-4", "1-4"}


def test_the_decision_is_recorded_and_shown(judged, capsys):
    loaded = read_search(judged.folder.parent, "one")
    chosen = loaded.record.choices[-1]
    assert (chosen.trials, chosen.finalists, chosen.images) == ([0, 1], [0, 1], 80)
    best, worst = scores.finalists(loaded.record, chosen)
    assert (best["trial"], worst["trial"]) == (0, 1) and best["mean"] > worst["mean"]
    assert best["mean"] == pytest.approx(np.mean(best["folds"]))
    assert best["std"] == pytest.approx(np.std(best["folds"], ddof=1))
    assert best["low"] < best["mean"] < best["high"]
    print_retrains(loaded, [(0, 4)], chosen)
    said = capsys.readouterr().out
    assert "finalists, cross-validated on 80 images in 3 folds" in said
    assert f"{best['mean']:.1%} ± {best['std']:.1%}" in said and "retrained" in said
    assert status(loaded)["chosen"] == [{"trials": [0, 1], "finalists": [0, 1]}]


def test_an_ensemble_is_weighed_by_predictions_on_left_out_images(judged, capsys):
    loaded = read_search(judged.folder.parent, "one")
    chosen, keys = loaded.record.choices[-1], [(0, 4), (1, 4)]
    assert chosen.weights is not None and sum(chosen.weights.values()) == pytest.approx(1)
    assert chosen.weights["0"] >= chosen.weights["1"]
    report = retrain_report(loaded, keys, chosen)
    assert report["ensemble"]["weighed_on"] == 80
    assert sum(each["weight"] for each in report["ensemble"]["members"]) == pytest.approx(1)
    print_retrains(loaded, keys, chosen)
    assert "weights from finalists' predictions for 80 left-out images" in capsys.readouterr().out
    equal = retrain_report(loaded, keys)["ensemble"]
    assert [each["weight"] for each in equal["members"]] == [0.5, 0.5] and equal["weighed_on"] is None


def test_folds_decide_whatever_the_search_found_and_are_not_trained_again(judged, tmp_path):
    found = copy(judged, tmp_path)
    lines = [
        {**line, "val_accuracy": 0.0}
        if line["event"] == "measured" and (line["trial"], line["repeat"]) == (0, 0)
        else line
        for line in ledger.read(found.ledger)
    ]
    found.ledger.unlink()
    with Ledger(found.ledger) as book:
        for event in parse(lines):
            book.append(event)
    before = len(lines)
    outcome, (winner,) = retrain_best(found)
    assert (outcome.record.choices[-1].finalists, winner.key) == ([1, 0], (0, 4))
    assert [line["event"] for line in ledger.read(found.ledger)[before:]] == ["opened", "chosen", "closed"]
    loaded = read_search(found.folder.parent, "one")
    report = retrain_report(loaded, [(1, 4), (0, 4)], loaded.record.choices[-1])
    assert [row["trial"] for row in report["finalists"]] == [0, 1], "the best on folds first"
    assert [row["trial"] for row in report["winners"]] == loaded.retrains.trial.tolist() == [0, 1]


def test_the_same_decision_is_recorded_once(judged, tmp_path):
    found = copy(judged, tmp_path)
    before = len(ledger.read(found.ledger))
    outcome, runs = retrain_best(found, top=2)
    assert len(ledger.read(found.ledger)) == before
    assert (len(outcome.record.choices), [run.key for run in runs]) == (1, [(0, 4), (1, 4)])


def test_predictions_that_are_lost_leave_equal_weights(judged, tmp_path):
    found = copy(judged, tmp_path)
    (found.folder / "retrain" / "0-2" / PREDICTIONS).write_bytes(b"x")
    outcome, runs = retrain_best(found, top=2)
    chosen = outcome.record.choices[-1]
    assert chosen.weights is None
    assert scores.ensemble(found.folder, runs, chosen)["weighed_on"] is None


def test_a_retrain_that_is_interrupted_among_folds_trains_each_once(searched, tmp_path, monkeypatch):
    found, append, ended = copy(searched, tmp_path), Ledger.append, []

    def interrupt(self, event):
        event = append(self, event)
        if isinstance(event, Measured) and event.state is State.DONE:
            ended.append(event)
            if len(ended) == 2:
                raise KeyboardInterrupt
        return event

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", interrupt)
        outcome, runs = retrain_best(found, number=1)
    assert (outcome.reason, runs, outcome.record.choices) == ("interrupted", [], [])
    outcome, (winner,) = retrain_best(found, number=1)
    assert (outcome.reason, winner.key, winner.test is not None) == ("finished", (0, 4), True)
    lines = parse(ledger.read(found.ledger))
    done = Counter((e.trial, e.repeat) for e in lines if isinstance(e, Measured) and e.repeat and e.state == "done")
    assert done == {(0, repeat): 1 for repeat in (1, 2, 3, 4)}


def test_finalists_may_be_trained_longer_and_other_folds_are_other_runs(judged, tmp_path):
    outcome, _ = retrain_best(copy(judged, tmp_path), number=1, folds=2, epochs=5)
    others = [run for run in folds_of(outcome.record) if run.asked.folds == 2]
    assert [(run.key, run.asked.fold, run.config["training"]["epochs"]) for run in others] == [
        ((0, 5), 1, 5),
        ((0, 6), 2, 5),
    ]


@pytest.mark.parametrize(("more", "width"), [((), "0.25"), (("--finalist-width", "1"), "0.125")])
def test_finalists_are_as_wide_as_the_winners_unless_told_otherwise(searched, more, width):
    words = ["one", "--finalists", "2", "--top", "1", "--width", "2", *more, "--dry-run", "--engine", "inline"]
    done = CliRunner().invoke(retrain_command, [*words, "--results", str(searched.folder.parent)])
    judged = [line for line in done.stdout.splitlines() if "3 folds" in line and "cnn5" in line]
    assert [f"cnn5 ×{width} " in line for line in judged] == [True, True], done.output


def test_recorded_speeds_are_those_of_networks_as_wide_as_in_the_search(searched):
    def recorded(width):
        how = Again(epochs=1, finals=Finals(number=2, folds=3, width=width))
        options = Options(engine="inline").settled(searched.facts)
        return prepare(searched, options, how, top=1, distinct=False).recorded()

    assert recorded(1.0) and recorded(2.0) is None


def test_finalists_may_be_as_wide_as_winners_which_are_not_trained_again(judged, tmp_path):
    outcome, (winner,) = retrain_best(copy(judged, tmp_path), width=2)
    wide = [run for run in folds_of(outcome.record) if run.config["network"]["width"] == 0.25]
    assert [(run.key[0], run.asked.fold) for run in wide] == [(trial, fold) for trial in (0, 1) for fold in (1, 2, 3)]
    assert outcome.record.choices[-1].repeats == [run.key[1] for run in wide]
    assert winner.key in {(0, 4), (1, 4)}, "trained before, after narrow folds"


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"top": 3, "number": 2}, RequestError, "--top 3 .* got 2"),
        ({"number": 3}, RequestError, "--finalists 3 exceeds the 2 trials"),
        ({"width": 0.01}, RequestError, "width 0.00125 leaves none of 32 channels"),
        ({"folds": 20}, DatasetError, r"folds cannot exceed the size of the smallest class: \d, got 20"),
    ],
)
def test_finalists_that_cannot_be_told_apart_are_refused_before_anything_is_recorded(searched, how, error, message):
    before = searched.ledger.read_bytes()
    with pytest.raises(error, match=message) as caught:
        retrain_best(searched, **how)
    assert "\n" not in str(caught.value) and searched.ledger.read_bytes() == before


def runs_of(trial, accuracies, state=State.DONE, reason=None):
    """A finalist's runs on as many folds, the last of which ended so."""
    states = [State.DONE] * (len(accuracies) - 1) + [state]
    return [
        events.run(
            trial,
            [events.measured(10, each, trial=trial, repeat=n, reason=reason)],
            ended,
            repeat=n,
            fold=n,
            folds=len(accuracies),
        )
        for n, (each, ended) in enumerate(zip(accuracies, states, strict=True), 1)
    ]


def test_a_finalist_that_diverges_on_a_fold_is_not_chosen_and_the_earlier_wins_a_tie(tmp_path):
    runs = [
        *runs_of(5, [0.9, 0.9], State.DIVERGED),
        *runs_of(3, [0.4, 0.6]),
        *runs_of(7, [0.6, 0.4]),
        *runs_of(1, [0.1, 0.2]),
    ]
    record = events.record(*runs, *(events.run(trial) for trial in (5, 3, 7, 1)))
    judges = [[(trial, 1), (trial, 2)] for trial in (5, 3, 7, 1)]
    chosen = choose(tmp_path, record, judges, top=1, images=60, metric="accuracy")
    assert (chosen.trials, chosen.finalists, chosen.repeats) == ([3], [5, 3, 7, 1], [1, 2] * 4)
    assert choose(tmp_path, record, judges[:1], top=1, images=60, metric="accuracy").trials == []
    *_, lost = rows = scores.finalists(record, chosen)
    assert [row["trial"] for row in rows] == [3, 7, 1, 5]
    assert (lost["mean"], lost["reason"]) == (None, "diverged")


def test_with_patience_a_finalist_counts_its_best_epoch_which_is_what_it_leaves():
    curve = [events.measured(10 * n, value, repeat=1) for n, value in enumerate((0.2, 0.8, 0.5), 1)]
    config = {**events.CONFIG, "training": {**events.CONFIG["training"], "patience": 1}}
    assert events.run(0, curve, repeat=1, fold=1, folds=2).left_out == 0.5
    assert events.run(0, curve, repeat=1, fold=1, folds=2, config=config).left_out == 0.8
