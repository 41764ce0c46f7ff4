"""The best trials of a search."""

from typing import Any

import pandas as pd

from search.history.load import Loaded
from search.history.record import rank
from search.readable import duration
from search.show.terminal import print_rows
from trainables.metrics import wilson


def top(found: Loaded, number: int | None, *, distinct: bool = False, everything: bool = False) -> pd.DataFrame:
    """Rows of `trials`, best first; `everything` adds those without an accuracy at the end."""
    ranked = [run.key[0] for run in rank(found.record, distinct=distinct)]
    frame = found.trials.set_index("trial", drop=False)
    if everything:
        ranked += [trial for trial in frame.index if trial not in set(ranked)]
    return frame.loc[ranked[:number]].reset_index(drop=True)


def print_top(found: Loaded, frame: pd.DataFrame, *, everything: bool = False) -> None:
    """Print the ranking, each accuracy with the interval that the number of validation images gives."""
    images = found.search.facts["data"]["num_validation"]
    rows = []
    for place, row in enumerate(frame.to_dict("records"), 1):
        accuracy = row["best_val_accuracy"]
        shown = {
            "": place,
            "trial": row["trial"],
            "network": found.record.runs[row["trial"], 0].network,
            "optimizer": row["optimizer"],
            "lr": f"{row['lr']:.2g}",
            "batch": row["batch_size"],
            "parameters": row["parameters"],
            "val accuracy": _interval(accuracy, images),
            "epoch": "" if pd.isna(row["best_epoch"]) else f"{row['best_epoch']:g}/{row['max_epochs']}",
            "state": row["state"],
            "time": duration(row["seconds"]),
        }
        rows.append(shown | ({"reason": _blank(row["reason"])} if everything else {}))
    title = f"{found.search.name}: best validation accuracy of each trial, with its 95 % interval on {images:,} images"
    print_rows(rows, f"{found.search.name} has no measured trial yet", title)


def _interval(accuracy: Any, images: int) -> str:
    if pd.isna(accuracy):
        return ""
    low, high = wilson(round(accuracy * images), images)
    return f"{accuracy:.1%} ({low:.1%}–{high:.1%})"


def _blank(value: Any) -> Any:
    """None in place of pandas' markers of a missing value."""
    return None if pd.isna(value) else value
