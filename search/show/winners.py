"""The retrained winners: their table, repeats, ensemble and classes."""

import json
from collections.abc import Iterable
from typing import Any

from search.history import scores
from search.history.events import Chosen
from search.history.load import Loaded
from search.history.metric import ACCURACY, BALANCED, METRICS, shown, words
from search.history.record import Key, Run
from search.history.store import retrain_folder
from search.history.tables import rows_of
from search.history.winners import in_order
from search.readable import count, duration, percent
from search.show.terminal import Rows, console, print_rows
from trainables.config import TrainingConfig

#: A winner overfits if its training accuracy is above the first, and its test accuracy lower by more than the second.
_BY_HEART, _GAP = 0.98, 0.05
# What a long retrain on few images gained most from (results/README.md).
_STRONGER = (("cutmix", "0.5"), ("trivial_augment", "1"))
#: The columns with the ends of a test value's interval, by metric.
_ENDS = {ACCURACY: ("test_low", "test_high"), BALANCED: ("test_balanced_low", "test_balanced_high")}


def retrain_report(found: Loaded, keys: list[Key], chosen: Chosen | None = None) -> dict[str, Any]:
    """The finalists, the winners' table, their repeats, the ensemble and the classes, as plain data, best first.

    The test set ranks nothing: see `in_order`. chosen: how the winners were chosen among finalists, if they were.
    """
    record, folder = found.record, found.search.folder
    lost: list[str] = []
    tested = [run for run in in_order(record) if run.key in keys]
    mine = scores.table(folder, record, tested, lost.append)
    there = {(row["trial"], row["repeat"]) for row in mine.to_dict("records")}
    runs = [run for run in tested if run.key in there]
    return {
        "search": found.search.name,
        "metric": found.search.request.metric,
        "finalists": scores.finalists(record, chosen, found.search.request.metric) if chosen else [],
        "winners": _with_configs(rows_of(mine)),
        "repeats": _with_configs(scores.over_repeats(mine, found.search.request.metric).to_dict("records")),
        "ensemble": None if lost else scores.ensemble(folder, sorted(runs, key=lambda run: run.key), chosen),
        "lost": lost,
        "classes": rows_of(scores.classes(folder, runs)),
        "confusion": scores.confusions(folder, runs).query("images > 0").to_dict("records") if runs else [],
        "test_passes": record.test_passes,
    }


def _with_configs(rows: Iterable[dict[Any, Any]]) -> list[dict[str, Any]]:
    """The rows of a table, with configurations as objects instead of JSON."""
    return [row | {"config": json.loads(row["config"])} for row in rows]


def _tested_value(row: dict[str, Any], metric: str) -> str:
    low, high = (row[end] for end in _ENDS[metric])
    return f"{row[f'test_{metric}']:.1%} ({low:.1%}–{high:.1%})"


def print_retrains(found: Loaded, keys: list[Key], chosen: Chosen | None = None) -> None:
    """The winners' table for people, after that of the finalists if there were some."""
    report, metric = retrain_report(found, keys, chosen), found.search.request.metric
    if chosen:
        _print_finalists(found, report["finalists"], chosen.images)
    guess = scores.guess_of(report["winners"][0]) if report["winners"] else None
    metrics = shown(metric, guess)
    rows: Rows = []
    for row in report["winners"]:
        rows.append(
            {
                "trial": f"{row['trial']}-{row['repeat']}",
                "network": row["network"] + (" (student)" if row["teachers"] else ""),
                "optimizer": row["optimizer"],
                "parameters": row["parameters"],
                "epochs": row["epochs"],
                f"val {words(metric)}": percent(row[METRICS[metric]]),
                **{f"test {words(each)}": _tested_value(row, each) for each in metrics},
                "test loss": f"{row['test_loss']:.3f}",
                "time": duration(row["seconds"]),
            }
        )
    if both := report["ensemble"]:
        rows.append(
            dict.fromkeys(rows[0], None)
            | {
                "trial": "all",
                "network": f"ensemble of {len(both['members'])}",
                **{f"test {words(each)}": _tested_value(both, each) for each in metrics},
                "test loss": f"{both['test_loss']:.3f}",
            }
        )
    images = f"{report['winners'][0]['test_images']:,}" if rows else ""
    print_rows(
        rows,
        "no retrained network has been tested yet",
        f"{found.search.name}: winners on {images} test images, with 95 % intervals",
    )
    if guess:
        console.print(f"{guess.line(metrics)} on the test images")
    for run in (found.record.runs[key] for key in keys):
        if run.test is None:
            console.print(f"trial {run.key[0]}-{run.key[1]} is not tested: {run.state}, {run.reason}")
    tests = {f"{row['trial']}-{row['repeat']}": row for row in report["winners"]}
    for line in (*report["lost"], *scores.cautions(tests | ({"the ensemble": both} if both else {}))):
        console.print(line, soft_wrap=True)
    for row in report["winners"]:
        if row["teachers"]:
            console.print(f"{row['trial']}-{row['repeat']} {scores.taught(row['teachers'])}.")
    if both:
        console.print(_ensemble_line(both))
    for row, apart in zip(report["repeats"], scores.distinctions(report["repeats"]), strict=True):
        spread = f"{words(metric)} {row['mean']:.1%} ± {row['std']:.1%}"
        of = "students of " if row["teachers"] else ""
        console.print(f"{of}trial {row['trial']}{apart and f' ({apart})'}: {spread} over {row['count']} seeds")
    for row in report["winners"]:
        if line := _overfit_line(row, found.record.runs[row["trial"], row["repeat"]]):
            console.print(line)
    mistaken = (row for row in report["classes"] if row["mistaken_for"])
    for row in sorted(mistaken, key=lambda row: row["accuracy"])[:3]:
        of_run = f"({row['trial']}-{row['repeat']}), most often predicted as '{row['mistaken_for']}'"
        console.print(f"least accurate class: '{row['class']}' at {row['accuracy']:.1%} {of_run}")
    if report["winners"]:
        first = report["winners"][0]
        best = retrain_folder(found.search.folder, found.record.runs[first["trial"], first["repeat"]])
        console.print(f"weights and predictions of {best.name}: {best}", soft_wrap=True)
    console.print(f"{count(report['test_passes'], 'test-set evaluation')} in this search so far")


def _print_finalists(found: Loaded, rows: list[dict[str, Any]], images: int) -> None:
    """The finalists, the best on folds first."""
    metric = found.search.request.metric
    folds = max(len(row["folds"]) for row in rows)
    table: Rows = [
        {
            "trial": row["trial"],
            "network": row["network"],
            "optimizer": row["optimizer"],
            "epochs": row["epochs"],
            f"search's val {words(metric)}": percent(row[METRICS[metric]]),
            "folds": " ".join(f"{value:.1%}" for value in row["folds"]),
            "mean ± sd": "" if row["mean"] is None else f"{row['mean']:.1%} ± {row['std']:.1%}",
            "95 % interval": "" if row["low"] is None else f"{row['low']:.1%}–{row['high']:.1%}",
            "": "retrained" if row["chosen"] else row["reason"] or "",
            "time": duration(row["seconds"]),
        }
        for row in rows
    ]
    title = f"{found.search.name}: finalists, cross-validated on {images:,} images in {folds} folds"
    print_rows(table, "", title)


def _overfit_line(row: dict[str, Any], run: Run) -> str | None:
    """What is said of a winner that overfits; None for the others, and where the last images were not augmented."""
    trained = run.last.train_accuracy if run.last else None
    if trained is None or trained <= _BY_HEART or row["test_accuracy"] >= trained - _GAP:
        return None
    training = TrainingConfig.of(run.config["training"])
    if training.refine:
        return None
    more = [f"--set {name}={strength}" for name, strength in _STRONGER if name not in training.active_transforms]
    advice = f", and more augmentation may help, such as retrain {' '.join(more)} --set refine=0.1" if more else ""
    name = f"{row['trial']}-{row['repeat']}"
    return f"{name} classifies {trained:.1%} of its training images correctly: it overfits{advice}"


def _ensemble_line(ensemble: dict[str, Any]) -> str:
    """The members of an ensemble, and how its weights were chosen."""
    members = ", ".join(f"{each['trial']}-{each['repeat']} × {each['weight']:.2f}" for each in ensemble["members"])
    if ensemble["weighed_on"] is None:
        return f"ensemble: {members}; equal weights (retrain --finalists can choose better ones)"
    return f"ensemble: {members}; weights from finalists' predictions for {ensemble['weighed_on']:,} left-out images"
