"""A search as the sections of a page use it: the values of `search.load`, computed once."""

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from search.history import scores
from search.history.columns import state_of
from search.history.load import Loaded
from search.history.metric import METRICS, words
from search.history.record import Record, Run, rank
from search.history.tables import rows_of
from search.history.winners import in_order, newest
from search.show.status import status
from search.show.terminal import standing, with_retrain

_WITHOUT = "hpsearch report --examples shows examples of its mistakes, which are test images."

#: How many winners are shown up close.
UP_CLOSE = 3


class View:
    """One search, at the moment at which it was read."""

    def __init__(self, found: Loaded, pixels: Mapping[int, np.ndarray] | None = None, without: str = _WITHOUT) -> None:
        """pixels: uint8 (C, H, W) of test images that were looked up for the page, by index among them.

        without: the reason if there are none.
        """
        self.found, self.pixels, self.without = found, pixels, without

    @property
    def record(self) -> Record:
        """The record of the search."""
        return self.found.record

    @property
    def name(self) -> str:
        """The search's name."""
        return self.found.search.name

    @property
    def standing(self) -> str:
        """The search's state in words, with that of its last retrain."""
        return with_retrain(self.found.state, self.found.retraining)

    @property
    def metric(self) -> str:
        """The metric by which trials are compared, in words."""
        return words(self.found.search.request.metric)

    @property
    def column(self) -> str:
        """The metric's column in measurements."""
        return METRICS[self.found.search.request.metric]

    @cached_property
    def status(self) -> dict[str, Any]:
        """Counts, costs and failures, as `hpsearch status --json` has them."""
        return status(self.found)

    @cached_property
    def ranked(self) -> list[Run]:
        """The trials that were measured, best first."""
        return rank(self.record)

    @cached_property
    def tested(self) -> list[Run]:
        """The tested retrains, in the order in which they were chosen: the test set ranks nothing."""
        return in_order(self.record)

    @cached_property
    def winners(self) -> list[Run]:
        """The newest retrain of each tested trial, without those whose predictions are lost."""
        return [run for run in newest(self.record) if run.key in self.retrains]

    @property
    def is_of_arms(self) -> bool:
        """Whether it is a study that compares arms: its trials are tested, and none is a winner."""
        return bool(self.found.search.arms)

    @cached_property
    def results(self) -> tuple[pd.DataFrame, tuple[str, ...]]:
        """The table of test results, and a line for each retrain that it lacks, as its predictions are lost."""
        lost: list[str] = []
        table = scores.table(self.found.search.folder, self.record, complain=lost.append)
        return table, tuple(lost)

    @cached_property
    def retrains(self) -> dict[tuple[int, int], dict[str, Any]]:
        """The test results, by (trial, repeat), without those whose predictions are lost."""
        return {(row["trial"], row["repeat"]): row for row in rows_of(self.results[0])}

    def state(self, run: Run) -> str:
        """A trial's state, in words."""
        return standing(str(state_of(run, self.found.running)), self.found.state)

    @cached_property
    def elapsed(self) -> Callable[[float], float]:
        """Converts Unix seconds to wall-clock seconds of work on the search, without the times between sessions."""
        spans, before = [], 0.0
        for session in self.record.sessions:
            spans.append((session.opened.time, session.last, before))
            before += session.seconds

        def at(time: float) -> float:
            begun = [span for span in spans if span[0] <= time] or spans[:1]
            first, last, offset = begun[-1]
            return offset + max(0.0, min(time, last) - first)

        return at


def label(run: Run) -> str:
    """A run in a few words: 7-1 cnn6 ×0.75."""
    trial, repeat = run.key
    student = " (student)" if run.teachers else ""
    return f"{trial}-{repeat} {run.network}{student}" if repeat else f"{trial} {run.network}"


def word(value: Any) -> str:
    """A hyperparameter's value as text for an axis."""
    return value if isinstance(value, str) else json.dumps(value)
