"""All searches of a results folder: a row for each, as plain data for programs and in words for people."""

from typing import Any

from search.history.load import Loaded
from search.history.record import rank
from search.readable import percent
from search.show.terminal import with_retrain


def summary(found: Loaded) -> dict[str, Any]:
    """One search as a row; `trials` of the `samples` have been drawn, and accuracies are fractions of one."""
    best = rank(found.record)[:1]
    return {
        "name": found.search.name,
        "state": found.state,
        "retraining": found.retraining,
        "space": found.search.request.space,
        "dataset": found.search.request.dataset,
        "trials": len(found.record.trials),
        "samples": found.samples,
        "best_val_accuracy": best[0].at_best("val_accuracy") if best else None,
        "best_val_balanced_accuracy": best[0].at_best("val_balanced_accuracy") if best else None,
        "tested": found.record.test_passes,
        "reason": None,
    }


def unreadable(name: str, reason: str) -> dict[str, Any]:
    """The row of a search that cannot be read."""
    known = ("retraining", "space", "dataset", "trials", "samples", "best_val_accuracy", "best_val_balanced_accuracy")
    return {"name": name, "state": "unreadable", **dict.fromkeys((*known, "tested")), "reason": reason}


def in_words(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `summary` for people."""
    best = {name: percent(row[name]) for name in ("best_val_accuracy", "best_val_balanced_accuracy")}
    state = with_retrain(row["state"], row["retraining"])
    trials = None if row["trials"] is None else f"{row['trials']}/{row['samples']}"
    shown = row | best | {"state": state, "trials": trials}
    return {name: value for name, value in shown.items() if name not in ("retraining", "samples", "reason")}
