"""What a configuration is expected to be worth on new images, from its ranks on others.

What was measured on different images cannot be compared, but ranks can (Salinas et al. 2020). A forest of randomized
trees (Geurts et al. 2006) learns which share of a recording's configurations each one was better than.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesRegressor

from search.experience.columns import Columns
from search.experience.recordings import LEAST, Experience

_TREES = 100


class Expectation:
    """Predicts ranks, as multiples of their standard deviation among the recordings' configurations."""

    def __init__(self, experience: Experience, drawn: Collection[tuple[str, str]]) -> None:
        """drawn: the pairs of network and optimizer that the space draws; other configurations are not used.

        Raises LookupError if no recording has `LEAST` configurations of them.
        """
        rows: list[Mapping[str, Any]] = []
        ranks: list[float] = []
        sizes: list[int | None] = []
        for recording in experience.recordings:
            known = zip(recording.tried, recording.values, strict=True)
            usable = [(row, value) for row, value in known if (row["network"], row["optimizer"]) in drawn]
            if len(usable) >= LEAST:
                rows += [row for row, _ in usable]
                ranks += list(rankdata([value for _, value in usable]) / len(usable))
                sizes += [recording.size or experience.size] * len(usable)
        if not rows:
            raise LookupError(f"no recording has {LEAST} configurations whose network and optimizer it draws")
        self._size = experience.size if len(set(sizes)) > 1 else None
        rows = [self._sized(row, size) for row, size in zip(rows, sizes, strict=True)]
        self._columns = Columns(rows)
        points = self._columns.of(rows)
        # One thread: it predicts a few hundred rows at a time, beside trainings that use all cores.
        self._forest = ExtraTreesRegressor(_TREES, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=1)
        found = self._forest.fit(points, ranks).predict(points)
        self._mean, self._deviation = found.mean(), max(found.std(), 1e-9)

    def of(self, rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """The expected rank of each configuration, given by its flat names; 0 is the mean of the recordings'."""
        if not rows:
            return np.zeros(0)
        points = self._columns.of([self._sized(row, self._size) for row in rows])
        return np.asarray((self._forest.predict(points) - self._mean) / self._deviation)

    def _sized(self, row: Mapping[str, Any], size: int | None) -> Mapping[str, Any]:
        """A configuration with the size of the images that it is trained on: other networks are good on larger ones."""
        return row if self._size is None else {**row, "image_size": size}
