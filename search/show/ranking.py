"""The best trials of a search."""

from typing import Any

import pandas as pd

from search.history.load import Loaded
from search.history.metric import ACCURACY, METRICS, words
from search.history.record import rank
from search.readable import duration, epochs, percent
from search.show.terminal import console, print_rows, standing
from trainables.metrics import wilson


def top(found: Loaded, number: int | None, *, distinct: bool = False, everything: bool = False) -> pd.DataFrame:
    """Rows of `trials`, best first; `everything` adds those without a value at the end."""
    ranked = [run.key[0] for run in rank(found.record, distinct=distinct)]
    frame = found.trials.set_index("trial", drop=False)
    if everything:
        ranked += [trial for trial in frame.index if trial not in set(ranked)]
    return frame.loc[ranked[:number]].reset_index(drop=True)


def print_top(found: Loaded, frame: pd.DataFrame, *, everything: bool = False) -> None:
    """Print the ranking, accuracies with the interval that the number of validation images gives."""
    metrics, images = found.search.metrics, found.search.facts["data"]["num_validation"]
    ranked = {run.key[0] for run in rank(found.record)}
    rows = []
    for place, row in enumerate(frame.to_dict("records"), 1):
        shown = {
            "": place if row["trial"] in ranked else None,
            "trial": row["trial"],
            "network": found.record.runs[row["trial"], 0].network,
            "optimizer": row["optimizer"],
            "lr": f"{row['lr']:.2g}",
            "batch": row["batch_size"],
            "parameters": row["parameters"],
            **{f"val {words(metric)}": _value(metric, row[f"best_{METRICS[metric]}"], images) for metric in metrics},
            "best epoch": "" if pd.isna(row["best_epoch"]) else f"{epochs(row['best_epoch'])}/{row['max_epochs']}",
            "state": standing(row["state"], found.state),
            "time": duration(row["seconds"]),
        }
        rows.append(shown | ({"reason": _blank(row["reason"])} if everything else {}))
    ranked_by = f"{found.search.name}: each trial at its best validation {words(metrics[0])}"
    title = f"{ranked_by}, accuracies with their 95 % interval on {images:,} images"
    print_rows(rows, f"{found.search.name} has no measured trial yet", title)
    if found.search.guess:
        console.print(found.search.guess.line(metrics))


def _value(metric: str, value: Any, images: int) -> str:
    """A metric's value for people, with the interval of accuracy: that of others depends on the sizes of classes."""
    if pd.isna(value):
        return ""
    if metric != ACCURACY:
        return percent(value)
    low, high = wilson(round(value * images), images)
    return f"{value:.1%} ({low:.1%}–{high:.1%})"


def _blank(value: Any) -> Any:
    """None in place of pandas' markers of a missing value."""
    return None if pd.isna(value) else value
