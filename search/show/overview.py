"""All searches of a results folder: a row each."""

from typing import Any

from search.history.load import Loaded
from search.history.record import rank
from search.readable import percent


def summary(found: Loaded) -> dict[str, Any]:
    """One search as a row."""
    best = rank(found.record)[:1]
    return {
        "name": found.search.name,
        "state": found.state,
        "space": found.search.request.space,
        "dataset": found.search.request.dataset,
        "trials": f"{len(found.record.trials)}/{found.samples}",
        "best_val_accuracy": percent(best[0].at_best("val_accuracy")) if best else None,
        "best_val_balanced_accuracy": percent(best[0].at_best("val_balanced_accuracy")) if best else None,
        "tested": found.record.test_passes,
    }
