"""Hyperparameter search for image classifiers: run searches and load their results.

import search

found = search.load("my-search")     # or search.load() for the newest
found.trials                         # a row per trial
found.epochs                         # a row per measurement

The functions that train take the options of the command line, and return the same tables:

search.launch(dataset="digits", samples=20, epochs=8, augment="none", engine="inline", name="my-search")
search.retrain("my-search", top=3, epochs=10)
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.history.load import Loaded

# Optuna's own storages take no sequence as a choice; our ledger does.
warnings.filterwarnings("ignore", "Choices for a categorical distribution should be", UserWarning)


def load(name: str | None = None, results: str | None = None) -> Loaded:
    """A search's tables, even while it runs; the newest when no name is given. Raises StoreError or LedgerError.

    results: the folder of searches; by default that in HPSEARCH_RESULTS, else `results`.
    """
    from search.cli.options import results_folder  # imported late: `import search` stays cheap for the command line
    from search.history.load import read_search

    return read_search(results_folder(results), name)


def launch(**words: Any) -> Loaded:
    """Start a search as `hpsearch launch` does: launch(space="cnn_all", samples=60, limit_train=4000).

    Keyword arguments: the options of `hpsearch launch`, with _ in place of -; `hpsearch launch --help` lists them.
    """
    from search.cli.calls import call

    return call("launch", **words)


def resume(name: str | None = None, **words: Any) -> Loaded:
    """Continue a search as `hpsearch resume` does; the newest when no name is given.

    Keyword arguments: the options of `hpsearch resume`, with _ in place of -; `hpsearch resume --help` lists them.
    """
    from search.cli.calls import call

    return call("resume", name, **words)


def retrain(name: str | None = None, **words: Any) -> Loaded:
    """Retrain and test a search's winners as `hpsearch retrain` does; of the newest when no name is given.

    Keyword arguments: the options of `hpsearch retrain`, with _ in place of -; `hpsearch retrain --help` lists them.
    """
    from search.cli.calls import call

    return call("retrain", name, **words)
