"""Configurations as rows of numbers, for models that learn from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from search.spaces.flat_names import coordinates
from trainables.training_config import LEFT_OUT

_WIDE = 30  # times the least value from which on a number is taken by its logarithm


class Columns:
    """A column for each numeric flat name, and one of 0 and 1 for each other value that occurs.

    The learning rates of all optimizers share a column (see `flat_names.coordinates`).
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """rows: the flat names and values of configurations, from which names and ranges are taken."""
        self._coordinate = coordinates(rows)
        named = self._values(rows)
        self._names = sorted({name for row in named for name in row})
        table = self._table(named)
        self._low = np.nanmin(table, axis=0)
        self._is_wide = (self._low > 0) & (np.nanmax(table, axis=0) > _WIDE * self._low)
        scaled = self._scaled(table)
        self._middle = np.nanmedian(scaled, axis=0)
        self._ends = np.nanmin(scaled, axis=0), np.nanmax(scaled, axis=0)

    def of(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """(rows, columns); numbers of a wide range as logarithms.

        A number that a row lacks is what the training then has, such as 0 for a transform; a hyperparameter of another
        network or optimizer is the median of others.
        """
        found = self._scaled(self._table(self._values(rows)))
        return np.where(np.isnan(found), self._middle, found)

    def places(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """(rows, columns) from 0 to 1: where each number lies between the least and the largest one."""
        low, high = self._ends
        found = (self._scaled(self._table(self._values(rows))) - low) / np.where(high > low, high - low, 1)
        # Two choices differ in two columns; so they are as far apart as the two ends of a number's range.
        return np.where(np.isnan(found), 0.5, found) * np.where(["=" in name for name in self._names], np.sqrt(0.5), 1)

    def _scaled(self, table: np.ndarray) -> np.ndarray:
        lowest = np.where(self._is_wide, self._low, 1.0)
        return np.where(self._is_wide, np.log(np.maximum(table, lowest)), table)

    def _table(self, named: Sequence[Mapping[str, float]]) -> np.ndarray:
        places = {name: place for place, name in enumerate(self._names)}
        lacking = [0.0 if "=" in name else LEFT_OUT.get(name, np.nan) for name in self._names]
        table = np.tile(lacking, (len(named), 1))
        for row, values in zip(table, named, strict=True):
            for name, value in values.items():
                if name in places:
                    row[places[name]] = value
        return table

    def _values(self, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
        found: list[dict[str, float]] = [{} for _ in rows]
        for values, row in zip(found, rows, strict=True):
            for name, value in row.items():
                own = self._coordinate(name)
                is_number = isinstance(value, int | float) and not isinstance(value, bool)
                values |= {own: float(value)} if is_number else {f"{own}={value}": 1.0}
        return found
