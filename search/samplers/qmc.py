"""Quasi-random search: a scrambled Sobol sequence (Sobol 1967; Owen 1998), with smaller gaps than random draws.

Optuna's own QMC sampler takes no conditional parameters. Here a point has a coordinate for each name, shared by the
learning rates of all optimizers (see `flat_names.coordinates`), and trial n has point n: the draws need no history.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from scipy.stats.qmc import Sobol

from search.samplers.hearing import History
from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.sampler import Check
from search.spaces.explorer import value_at
from search.spaces.flat_names import coordinates
from search.spaces.parameters import parameters_of, some_draws
from search.spaces.space import Function

_DRAWS = 500  # random draws of the space from which its parameters are found


def sampler(function: Function, seed: int, check: Check, _: History | None) -> OptunaSampler:
    """A sampler of the search seed's sequence over the parameters of the space."""
    seen = some_draws(function, _DRAWS)
    coordinate = coordinates(each.params for each in seen)
    names = list(dict.fromkeys(coordinate(each.name) for each in parameters_of(seen)))

    def make(trial: int, own: int) -> optuna.samplers.BaseSampler:
        points = Sobol(len(names), rng=np.random.default_rng(seed))
        if trial:
            points.fast_forward(trial)
        return _Point(dict(zip(names, points.random(1)[0], strict=True)), coordinate, own)

    return OptunaSampler(function, seed, check, make)


class _Point(optuna.samplers.RandomSampler):
    """Gives the values of a point for a trial's first draw; later draws of the trial are random."""

    def __init__(self, point: dict[str, float], coordinate: Callable[[str], str], seed: int) -> None:
        super().__init__(seed=seed)
        self._point, self._coordinate, self._draws = point, coordinate, 0

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        """Empty, as no parameters are drawn jointly. Optuna calls this first, so draws are counted here."""
        self._draws += 1
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The value at the point's coordinate."""
        place = self._point.get(self._coordinate(param_name)) if self._draws == 1 else None
        if place is None:
            return super().sample_independent(study, trial, param_name, param_distribution)
        return value_at(param_distribution, float(place))
