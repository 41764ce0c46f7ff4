"""Scores of finalists on folds, and of winners on the test set, from their stored predictions."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from search.history.events import Chosen
from search.history.metric import ACCURACY, METRICS, Guess, guess
from search.history.record import Key, Record, Run, is_family
from search.history.record import in_words as network_in_words
from search.history.store import retrain_folder
from search.readable import count
from trainables import metrics
from trainables.predictions import PredictionsError, read_predictions

#: What predictions are if mirror images were judged as well.
FLIPS = "are averaged over each test image and its mirror image"


def taught(teachers: str) -> str:
    """What a student was trained on. teachers: as from `in_words`."""
    whose = "their" if ", " in teachers else "its"
    return f"was distilled from {teachers}: trained on {whose} predictions for the augmented images, not on labels"


def tested(record: Record) -> list[Run]:
    """The runs that have been tested, ordered by trial and repeat: retrains, and a study's trials."""
    return [run for _, run in sorted(record.runs.items()) if run.test is not None]


def flipped(run: Run) -> bool:
    """Whether its predictions are means over each test image and its mirror image."""
    return run.test is not None and bool(run.test.flips)


def sets_of(runs: Iterable[Run]) -> dict[Key, int]:
    """Which test images each of the tested runs had, from 1 in the order of the tests: they may change between two.

    Tests without a fingerprint (0.1.0 recorded none) count as of the same images as others of as many.
    """
    known: list[tuple[int, str | None]] = []
    found = {}
    for run, test in sorted(((run, run.test) for run in runs if run.test), key=lambda each: each[1].seq):
        for number, (images, other) in enumerate(known, 1):
            if images == test.images and (other == test.fingerprint or None in (other, test.fingerprint)):
                known[number - 1] = images, other or test.fingerprint
                break
        else:
            known.append((test.images, test.fingerprint))
            number = len(known)
        found[run.key] = number
    return found


def table(
    folder: Path, record: Record, runs: Iterable[Run] | None = None, complain: Callable[[str], None] | None = None
) -> pd.DataFrame:
    """One row for each tested run, from its stored predictions; accuracies are fractions of one.

    runs: the tested ones that are wanted; None for all. complain: gets a line for each run whose predictions are gone
    or damaged, which is then left out. Without it they raise PredictionsError.
    """
    rows = []
    sets = sets_of(tested(record))
    for run in tested(record) if runs is None else runs:
        try:
            labels, probabilities, _ = read_predictions(retrain_folder(folder, run))
        except PredictionsError as error:
            if complain is None:
                raise
            complain(str(error))
            continue
        search_run = record.runs[run.key[0], 0]
        rows.append(
            {
                "trial": run.key[0],
                "repeat": run.key[1],
                "network": run.network,
                "optimizer": run.config["optimizer"]["name"],
                "parameters": run.asked.parameters,
                "epochs": run.config["training"]["epochs"],
                "with_validation": bool(run.asked.with_validation),
                "teachers": in_words(run.teachers),
                "flips": flipped(run),
                "test_set": sets[run.key],
                "config": json.dumps(run.config),
                "val_accuracy": search_run.at_best("val_accuracy"),
                "val_balanced_accuracy": search_run.at_best("val_balanced_accuracy"),
                **score(labels, probabilities),
                "seconds": run.seconds,
            }
        )
    return pd.DataFrame(rows)


def in_words(keys: Iterable[Key]) -> str:
    """Runs as text: "3-1, 5-1"."""
    return ", ".join(f"{trial}-{repeat}" for trial, repeat in keys)


def score(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Both test accuracies with 95 % intervals, loss in nats, and the majority-class baseline."""
    matrix = metrics.confusion(labels, probabilities.argmax(1), probabilities.shape[1])
    recognised, images = matrix.diagonal(), matrix.sum(axis=1)
    low, high = metrics.wilson(int(recognised.sum()), len(labels))
    balanced_low, balanced_high = metrics.balanced_interval(recognised, images)
    guessing = guess(labels.tolist())
    return {
        "test_accuracy": int(recognised.sum()) / len(labels),
        "test_low": low,
        "test_high": high,
        "test_balanced_accuracy": metrics.balanced_accuracy(recognised, images),
        "test_balanced_low": balanced_low,
        "test_balanced_high": balanced_high,
        "test_guess": guessing.accuracy,
        "test_balanced_guess": guessing.balanced_accuracy,
        "test_loss": metrics.cross_entropy(probabilities, labels),
        "test_images": len(labels),
    }


def guess_of(row: Mapping[str, Any]) -> Guess:
    """The majority-class baseline on the images of a test. row: of `score`."""
    return Guess(accuracy=row["test_guess"], balanced_accuracy=row["test_balanced_guess"])


def mirrored(rows: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    """A sentence on the tests in which images were mirrored as well, if any. rows: of `table` and `ensemble`, named."""
    names = [name for name, row in rows.items() if row["flips"]]
    of = f" of {', '.join(names)}" if len(names) < len(rows) else ""
    return [f"Predictions{of} {FLIPS}."] if names else []


def cautions(rows: Mapping[str, Mapping[Any, Any]]) -> list[str]:
    """What must be known of tests before they are compared, in sentences. rows: as in `mirrored`, of one search."""
    lines = mirrored(rows)
    sets: dict[int, list[str]] = defaultdict(list)
    for name, row in rows.items():
        if "test_set" in row:  # an ensemble has that of its members
            sets[row["test_set"]].append(name)
    if len(sets) > 1:
        each = "; ".join(f"test set {number}: {', '.join(names)}" for number, names in sorted(sets.items()))
        lines.append(
            f"The test images changed between these tests, so their accuracies cannot be compared directly ({each})."
        )
    return lines


def members(runs: Iterable[Run], chosen: Chosen | None = None) -> list[tuple[Run, float]]:
    """The retrains of an ensemble with their weights, which add up to one; empty for fewer than two retrains.

    Students are no members, as they have learnt from the others.
    chosen: has the weights; repeats of a trial share one. Without it, or if it has none, all weights are equal.
    """
    runs = [run for run in runs if not run.teachers]
    if len(runs) < 2:
        return []
    by_trial = chosen.weights if chosen else None
    repeats = Counter(run.key[0] for run in runs)
    weights = [by_trial.get(str(run.key[0]), 0.0) / repeats[run.key[0]] if by_trial else 1.0 for run in runs]
    if not sum(weights):  # the retrains that have weights have failed
        by_trial, weights = None, [1.0] * len(runs)
    return [(run, weight / sum(weights)) for run, weight in zip(runs, weights, strict=True) if weight]


def ensemble(folder: Path, runs: list[Run], chosen: Chosen | None = None) -> dict[str, Any] | None:
    """The score of the mean prediction of an ensemble of retrains, and its `members`.

    None for fewer than two, and for tests that differ: on other images, or only some of them mirrored as well. Raises
    PredictionsError if the stored predictions are not of the same images in spite of that.
    """
    parts = members(runs, chosen)
    sets, flips = sets_of(run for run, _ in parts), {flipped(run) for run, _ in parts}
    if len(set(sets.values())) != 1 or len(flips) != 1:
        return None
    found = [read_predictions(retrain_folder(folder, run)) for run, _ in parts]
    labels = found[0][0]
    if any(not np.array_equal(labels, others) for others, _, _ in found):
        names = in_words(run.key for run, _ in parts)
        raise PredictionsError(f"the predictions of {names} are for different test images, so they cannot be averaged")
    mean = metrics.ensemble([probabilities for _, probabilities, _ in found], [weight for _, weight in parts])
    by_trial = (chosen and chosen.weights) or {}
    is_weighed = all(by_trial.get(str(run.key[0])) for run, _ in parts)
    return {
        **score(labels, mean),
        "flips": flips.pop(),
        "members": [{"trial": run.key[0], "repeat": run.key[1], "weight": weight} for run, weight in parts],
        "weighed_on": chosen.images if chosen and is_weighed else None,
    }


def finalists(record: Record, chosen: Chosen, metric: str = ACCURACY) -> list[dict[str, Any]]:
    """One row for each finalist, best first: its values on folds, their mean, deviation and interval.

    Accuracy has a 95 % Wilson interval, as all folds together validate on every image; other metrics have none. A
    finalist with a run that has not ended well has no mean and no interval.
    """
    rows = []
    folds = len(chosen.repeats) // len(chosen.finalists)
    for place, trial in enumerate(chosen.finalists):
        runs = [record.runs[trial, repeat] for repeat in chosen.repeats[place * folds : (place + 1) * folds]]
        values = [run.left_out for run in runs if run.left_out is not None]
        judged = len(values) == folds
        mean = float(np.mean(values)) if judged else None
        low = high = None
        if mean is not None and metric == ACCURACY:
            low, high = metrics.wilson(round(mean * chosen.images), chosen.images)
        rows.append(
            {
                "trial": trial,
                "network": runs[0].network,
                "optimizer": runs[0].config["optimizer"]["name"],
                "epochs": runs[0].config["training"]["epochs"],
                METRICS[metric]: record.runs[trial, 0].at_best(METRICS[metric]),
                "folds": values,
                "mean": mean,
                "std": float(np.std(values, ddof=1)) if judged else None,
                "low": low,
                "high": high,
                "chosen": trial in chosen.trials,
                "weight": chosen.weights.get(str(trial)) if chosen.weights else None,
                "reason": next((_state(run) for run in runs if run.left_out is None), None),
                "seconds": sum(run.seconds for run in runs),
            }
        )
    return sorted(rows, key=lambda row: -(row["mean"] or 0.0))


def _state(run: Run) -> str:
    """A run's state, and the reason if it has one."""
    return f"{run.state}, {run.reason}" if run.reason else run.state


def over_repeats(frame: pd.DataFrame, metric: str = ACCURACY) -> pd.DataFrame:
    """Mean and standard deviation of the test metric, for each trial with two or more repeats of the same training.

    They are in the order of their first rows. Repeats have the same configuration, images, teachers, test images and
    kind of test pass.
    """
    if frame.empty:
        return frame
    same = ["trial", "epochs", "config", "with_validation", "teachers", "flips", "test_set"]
    grouped = frame.groupby(same, sort=False)[f"test_{metric}"]
    summary = grouped.agg(["count", "mean", "std"]).reset_index()
    return summary[summary["count"] > 1]


def distinctions(rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    """For each row of `over_repeats`, what distinguishes it from others of its trial; empty for a trial's only row.

    Configurations may also be objects.
    """
    found = [_training_in_words(row) for row in rows]
    told = []
    for row, own in zip(rows, found, strict=True):
        others = [other for beside, other in zip(rows, found, strict=True) if beside["trial"] == row["trial"]]
        told.append(", ".join(text for name, text in own.items() if any(other.get(name) != text for other in others)))
    return told


def _training_in_words(row: Mapping[Any, Any]) -> dict[str, str]:
    """All that is the same in the repeats of a row of `over_repeats`, in words by name; empty words are left out."""
    config = json.loads(row["config"]) if isinstance(row["config"], str) else row["config"]
    settings = {**config["network"], **config["optimizer"], **config["training"]}
    told = ("name", "epochs", *(["width"] if is_family(config["network"]["name"]) else []))  # below, in other words
    found = {
        "network": network_in_words(config["network"]),
        "optimizer": config["optimizer"]["name"],
        "epochs": count(row["epochs"], "epoch"),
        **{
            name: f"{name} {value}"
            for name, value in settings.items()
            if value not in (None, False, []) and name not in told
        },
        "with_validation": "trained on validation images too" if row["with_validation"] else "",
        "teachers": f"distilled from {row['teachers']}" if row["teachers"] else "",
        "flips": "averaged with the mirror image" if row["flips"] else "",
        "test_set": f"test set {row['test_set']}",
    }
    return {name: text for name, text in found.items() if text}


def classes(folder: Path, runs: list[Run]) -> pd.DataFrame:
    """One row for each retrain and class: images, accuracy, and the class it is most often mistaken for."""
    rows: list[dict[str, Any]] = []
    for run in runs:
        labels, probabilities, names = read_predictions(retrain_folder(folder, run))
        matrix = metrics.confusion(labels, probabilities.argmax(1), len(names))
        mistakes = matrix - np.diag(matrix.diagonal())
        for index, accuracy in enumerate(metrics.class_accuracies(matrix)):
            worst = int(mistakes[index].argmax())
            rows.append(
                {
                    "trial": run.key[0],
                    "repeat": run.key[1],
                    "class": names[index],
                    "images": int(matrix[index].sum()),
                    "accuracy": float(accuracy),
                    "mistaken_for": names[worst] if mistakes[index, worst] else None,
                    "mistaken": int(mistakes[index, worst]),
                }
            )
    return pd.DataFrame(rows)


def confusions(folder: Path, runs: list[Run]) -> pd.DataFrame:
    """Confusion matrices in long form; one row for each retrain, label and prediction, with the count of images."""
    rows: dict[str, list[Any]] = defaultdict(list)
    for run in runs:
        labels, probabilities, names = read_predictions(retrain_folder(folder, run))
        matrix = metrics.confusion(labels, probabilities.argmax(1), len(names))
        for label, counts in enumerate(matrix):
            for predicted, images in enumerate(counts):
                for key, value in zip(
                    ("trial", "repeat", "label", "predicted", "images"),
                    (*run.key, names[label], names[predicted], int(images)),
                    strict=True,
                ):
                    rows[key].append(value)
    return pd.DataFrame(rows)
