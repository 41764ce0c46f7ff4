import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import search
from search.history import events
from search.history.ledger import Ledger
from search.history.load import Loaded
from search.show.winners import print_retrains, retrain_report
from trainables.predictions import write_predictions

OLD = Path(__file__).parents[2] / "data" / "0.1.0"
CLASSES = ("good", "bad", "unseen")


def a_retrain(tmp_path: Path, *, train_accuracy: float | None = None, **training: float) -> Loaded:
    """A search with one retrain that mistook every bad image, no good one, and was tested on no unseen one.

    training: fields of the retrain's training that are not the trial's.
    """
    shutil.copytree(OLD / "finished", tmp_path / "one")
    labels = np.array([0, 0, 0, 1])
    with Ledger(tmp_path / "one" / "ledger.jsonl") as book:
        asked = next(event for event in book.events if isinstance(event, events.Asked))
        config = dict(asked.config)
        config["training"] = {**config["training"], **training}
        book.append(replace(asked, repeat=1, config=config))
        if train_accuracy is not None:
            measured = next(event for event in book.events if isinstance(event, events.Measured))
            book.append(replace(measured, trial=asked.trial, repeat=1, train_accuracy=train_accuracy))
        book.append(events.Testing(trial=asked.trial, repeat=1))
        book.append(events.Tested(trial=asked.trial, repeat=1, correct=3, images=4))
    folder = tmp_path / "one" / "retrain" / f"{asked.trial}-1"
    folder.mkdir(parents=True)
    write_predictions(folder, labels, np.tile(np.array([[0.8, 0.1, 0.1]], np.float32), (4, 1)), CLASSES)
    return search.load("one", results=str(tmp_path))


@pytest.fixture
def retrained(tmp_path: Path) -> Loaded:
    return a_retrain(tmp_path)


@pytest.mark.parametrize(
    ("train_accuracy", "training", "told"),
    [
        (None, {}, None),
        (0.9, {}, None),
        (0.99, {}, "such as retrain --set cutmix=0.5 --set trivial_augment=1 --set refine=0.1"),
        (0.99, {"cutmix": 0.5}, "such as retrain --set trivial_augment=1 --set refine=0.1"),
        (0.99, {"cutmix": 0.5, "trivial_augment": 1}, ""),
        (0.99, {"cutmix": 0.5, "refine": 0.1}, None),
    ],
)
def test_a_winner_that_learned_its_images_by_heart_is_told(tmp_path, capsys, train_accuracy, training, told):
    found = a_retrain(tmp_path, train_accuracy=train_accuracy, **training)
    print_retrains(found, [run.key for run in found.record.retrains])
    said = " ".join(capsys.readouterr().out.split())
    overfits = "classifies 99.0% of its training images correctly: it overfits"
    assert (overfits in said) == (told is not None)
    if told is not None:
        assert (f"{overfits}, and more augmentation may help, {told}" if told else f"{overfits} least") in said


def test_a_class_that_is_never_mistaken_is_not_among_the_hardest(retrained, capsys):
    (key,) = (run.key for run in retrained.record.retrains)
    print_retrains(retrained, [key])
    hardest = [line for line in capsys.readouterr().out.splitlines() if line.startswith("least accurate class")]
    name = f"({key[0]}-{key[1]})"
    assert hardest == [f"least accurate class: 'bad' at 0.0% {name}, most often predicted as 'good'"]


def test_a_class_without_test_images_has_no_accuracy(retrained):
    report = retrain_report(retrained, [run.key for run in retrained.record.retrains])
    rows = {row["class"]: (row["images"], row["accuracy"], row["mistaken_for"]) for row in report["classes"]}
    assert rows == {"good": (3, 1.0, None), "bad": (1, 0.0, "good"), "unseen": (0, None, None)}
