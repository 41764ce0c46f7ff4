"""Finalists: the best of a search on folds of the images, and how the decision is recorded."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from search.history import ledger, scores, store
from search.history.events import Measured, State, parse
from search.history.ledger import Ledger
from search.history.load import read_search
from search.history.record import Record
from search.history.store import Request, retrain_folder
from search.run.finalists import Finals, choose
from search.run.launch import launch
from search.run.problem import RequestError
from search.run.retrain import Again, retrain
from search.run.session import Options
from search.show.winners import print_retrains, retrain_report
from tests.search import events
from trainables.data.images import DatasetError
from trainables.predictions import PREDICTIONS, read_predictions

LEARNS, SLOW = 0.05, 1e-6


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A finished search: 0 hardly learns and 1 learns; sixty digits, of which twelve are for validation."""
    place = tmp_path_factory.mktemp("finals")
    space = place / "space.jsonl"
    lines = [
        {
            "network": {"name": "cnn5", "width": 0.125},
            "optimizer": {"name": "sgd_nesterov", "lr": rate},
            "training": {"batch_size": 8},
        }
        for rate in (SLOW, LEARNS)
    ]
    space.write_text("".join(json.dumps(line) + "\n" for line in lines))
    request = Request(
        space=str(space),
        samples=2,
        epochs=3,
        dataset="digits",
        data_dir=str(place / "data"),
        limit_train=60,
        augment="none",
        scheduler="none",
    )
    assert launch(request, Options(engine="inline"), results=place, name="one").reason == "finished"
    return store.find(place, "one")


@pytest.fixture
def found(searched, tmp_path):
    """A copy of the search, for one test."""
    shutil.copytree(searched.folder, tmp_path / "one")
    return store.find(tmp_path, "one")


def retrain_best(search, *, top=1, number=2, folds=3, epochs=None, **how):
    finals = Finals(number=number, folds=folds, epochs=epochs)
    again = Again(epochs=1, finals=finals, **how)
    return retrain(search, Options(engine="inline"), again, top=top, distinct=False)


def folds_of(record):
    return [run for run in record.runs.values() if run.asked.fold is not None]


def test_each_finalist_is_judged_on_every_image_by_networks_that_did_not_train_on_it(found):
    outcome, (winner,) = retrain_best(found, width=2)
    record = outcome.record
    assert outcome.reason == "finished"
    judges = folds_of(record)
    assert [(run.key[0], run.asked.fold, run.asked.folds) for run in judges] == [
        (trial, fold, 3) for trial in (1, 0) for fold in (1, 2, 3)
    ]
    assert {run.measurements[-1].images for run in judges} == {3 * 40}  # the search's epochs on two thirds of sixty
    assert {run.config["network"]["width"] for run in judges} == {0.125}
    for trial in (0, 1):
        left_out = [read_predictions(retrain_folder(found.folder, run)) for run in judges if run.key[0] == trial]
        assert [len(of) for of, _, _ in left_out] == [20, 20, 20]
        values = [(of == found.argmax(1)).mean() for of, found, _ in left_out]
        assert values == pytest.approx([run.left_out for run in judges if run.key[0] == trial], abs=1e-9)
    # The winner is wide, trained on all images, and alone is tested and kept as a network.
    assert (winner.key[0], winner.config["network"]["width"], winner.measurements[-1].images) == (1, 0.25, 60)
    assert record.test_passes == 1 and winner in record.retrains and len(record.retrains) == 1
    assert not any((retrain_folder(found.folder, run) / "model.safetensors").exists() for run in judges)


def test_the_best_mean_decides_whatever_the_search_found_and_is_recorded(found, capsys):
    _, (first,) = retrain_best(found)
    loaded = read_search(found.folder.parent, "one")
    chosen = loaded.record.choices[-1]
    assert (chosen.trials, chosen.finalists, chosen.images, chosen.weights) == ([1], [1, 0], 60, None)
    best, worst = scores.finalists(loaded.record, chosen)
    assert (best["trial"], best["chosen"], worst["chosen"]) == (1, True, False)
    assert best["mean"] == pytest.approx(np.mean(best["folds"])) and best["std"] == pytest.approx(
        np.std(best["folds"], ddof=1)
    )
    assert best["low"] < best["mean"] < best["high"]
    print_retrains(loaded, [first.key], chosen)
    said = capsys.readouterr().out
    assert "finalists on 60 images, each left out of the training in one of 3 folds" in said
    assert f"{best['mean']:.1%} ± {best['std']:.1%}" in said and "retrained" in said


def test_the_search_s_first_is_not_retrained_where_folds_say_another(found):
    # What the search said of trial 1, which learns, is made worse than what it said of the other.
    lines = [
        {**line, "val_accuracy": 0.0} if line["event"] == "measured" and line["trial"] == 1 else line
        for line in ledger.read(found.ledger)
    ]
    found.ledger.unlink()
    with Ledger(found.ledger) as book:
        for event in parse(lines):
            book.append(event)
    outcome, (winner,) = retrain_best(found)
    assert (outcome.record.choices[-1].finalists, winner.key[0]) == ([0, 1], 1)


def test_a_retrain_that_is_interrupted_among_folds_trains_each_once(found, monkeypatch):
    append, ended = Ledger.append, []

    def interrupt(self, event):
        event = append(self, event)
        if isinstance(event, Measured) and event.state is State.DONE:
            ended.append(event)
            if len(ended) == 2:
                raise KeyboardInterrupt
        return event

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "append", interrupt)
        outcome, runs = retrain_best(found)
    assert (outcome.reason, runs, outcome.record.choices) == ("interrupted", [], [])
    outcome, (winner,) = retrain_best(found)
    assert (outcome.reason, winner.key[0], winner.test is not None) == ("finished", 1, True)
    lines = list(parse(ledger.read(found.ledger)))
    done = Counter((e.trial, e.repeat) for e in lines if isinstance(e, Measured) and e.repeat and e.state == "done")
    assert set(done.values()) == {1} and len(done) == 7
    again, (same,) = retrain_best(found)
    assert (same.key, again.record.test_passes) == (winner.key, 1)
    assert [each.trials for each in again.record.choices] == [[1], [1]]


def test_finalists_may_be_trained_longer_and_other_folds_are_other_runs(found):
    outcome, _ = retrain_best(found, folds=2)
    outcome, _ = retrain_best(found, folds=2, epochs=4)
    judges = folds_of(outcome.record)
    assert Counter(run.config["training"]["epochs"] for run in judges) == {3: 4, 4: 4}
    assert len({run.key for run in judges}) == 8


def test_an_ensemble_is_weighed_by_predictions_on_left_out_images(found, capsys):
    _, runs = retrain_best(found, top=2)
    loaded = read_search(found.folder.parent, "one")
    chosen = loaded.record.choices[-1]
    assert chosen.weights is not None and sum(chosen.weights.values()) == pytest.approx(1)
    assert chosen.weights["1"] > chosen.weights["0"]
    report = retrain_report(loaded, [run.key for run in runs], chosen)
    assert report["ensemble"]["weighed_on"] == 60
    assert sum(each["weight"] for each in report["ensemble"]["members"]) == pytest.approx(1)
    print_retrains(loaded, [run.key for run in runs], chosen)
    assert "weights by the finalists' predictions for 60 left-out images" in capsys.readouterr().out
    equal = retrain_report(loaded, [run.key for run in runs])["ensemble"]
    assert [each["weight"] for each in equal["members"]] == [0.5, 0.5] and equal["weighed_on"] is None


def test_predictions_that_are_lost_leave_equal_weights(found):
    retrain_best(found, top=2)
    record = Record(parse(ledger.read(found.ledger)))
    (retrain_folder(found.folder, folds_of(record)[0]) / PREDICTIONS).write_bytes(b"x")
    outcome, runs = retrain_best(found, top=2)
    chosen = outcome.record.choices[-1]
    assert chosen.weights is None
    assert scores.ensemble(found.folder, runs, chosen)["weighed_on"] is None


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"top": 3, "number": 2}, RequestError, "--top 3 .* got 2"),
        ({"number": 3}, RequestError, "--finalists 3 are more than the 2 trials"),
        ({"folds": 7}, DatasetError, "at most as many as the smallest class has: 6, not 7"),
    ],
)
def test_finalists_that_cannot_be_told_apart_are_refused_before_anything_is_recorded(found, how, error, message):
    before = found.ledger.read_bytes()
    with pytest.raises(error, match=message) as caught:
        retrain_best(found, **how)
    assert "\n" not in str(caught.value) and found.ledger.read_bytes() == before


def judged(trial, accuracies, state=State.DONE, reason=None):
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
        *judged(5, [0.9, 0.9], State.DIVERGED),
        *judged(3, [0.4, 0.6]),
        *judged(7, [0.6, 0.4]),
        *judged(1, [0.1, 0.2]),
    ]
    record = events.record(*runs, *(events.run(trial) for trial in (5, 3, 7, 1)))
    judges = [[(trial, 1), (trial, 2)] for trial in (5, 3, 7, 1)]
    chosen = choose(tmp_path, record, judges, top=1, images=60, metric="accuracy")
    assert (chosen.trials, chosen.finalists, chosen.repeats) == ([3], [5, 3, 7, 1], [1, 2] * 4)
    assert choose(tmp_path, record, judges[:1], top=1, images=60, metric="accuracy").trials == []
    lost = scores.finalists(record, chosen)[0]
    assert (lost["mean"], lost["reason"]) == (None, "diverged")


def test_with_patience_a_finalist_counts_its_best_epoch_which_is_what_it_leaves():
    curve = [events.measured(10 * n, value, repeat=1) for n, value in enumerate((0.2, 0.8, 0.5), 1)]
    config = {**events.CONFIG, "training": {**events.CONFIG["training"], "patience": 1}}
    assert events.run(0, curve, repeat=1, fold=1, folds=2).left_out == 0.5
    assert events.run(0, curve, repeat=1, fold=1, folds=2, config=config).left_out == 0.8
