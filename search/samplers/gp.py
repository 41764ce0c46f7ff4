"""Bayesian optimisation with a Gaussian process (Snoek et al. 2012), for spaces with conditional parameters.

Optuna's own GP sampler draws at random every parameter that some trial lacks, which in a space of several networks and
optimizers is nearly all of them. Here a draw is flattened: one coordinate for each name without its prefix, so that the
learning rates of all optimizers share one, and one for each choice. A number that a draw lacks is put in the middle.
Candidates are draws of the space itself, at random and near the best ones, so they are always complete.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel, Matern, WhiteKernel

from architectures.layers import SizeError
from search.samplers.guided import every_second_at_random
from search.samplers.hearing import LEAST, History
from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.sampler import Check
from search.spaces.drawing import Choice, check_constant
from search.spaces.explorer import explore, place_of, value_at
from search.spaces.flat_names import without_prefix
from search.spaces.space import Function

_RANDOM = 400  # candidates drawn at random
_NEAR = 40  # candidates near each of the best trials
_BEST = 5
_CHANGED = 0.3  # share of the parameters that a candidate near a trial has changed
_SUM = 0.05  # weight of the sum of all weighted objectives, added to the worst of them
_STEP = 0.15  # standard deviation of a changed number, as a fraction of its range
#: Choices for the process, whose values are standardised: its length scale, and the variance of a measurement. The few
#: trials of a search do not determine them better, and a short list avoids bad local optima.
_LENGTHS = (0.5, 1.0, 2.0, 4.0)
_NOISES = (0.02, 0.1, 0.3)


def sampler(function: Function, seed: int, check: Check, history: History) -> OptunaSampler:
    """A sampler that makes every second draw where the expected improvement over the best is largest.

    Raises SpaceError for a space in which a parameter's choices vary between draws.
    """
    check_constant(function)
    make = every_second_at_random(lambda own: _Guided(function, check, own))
    return OptunaSampler(function, seed, check, make, history)


class _Guided(optuna.samplers.RandomSampler):
    """Chooses a whole draw before its first parameter; at random while fewer than `LEAST` trials have values."""

    def __init__(self, function: Function, check: Check, seed: int) -> None:
        super().__init__(seed=seed)
        self._function, self._check, self._random = function, check, np.random.default_rng(seed)
        self._chosen: Mapping[str, Any] = {}

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        """Empty, as no parameters are drawn jointly. Optuna calls this first, so the whole draw is chosen here."""
        told = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING))
        told = [each for each in told if each.number != trial.number]
        refused = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        self._chosen = self._choose(told, refused)
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The value in the chosen draw."""
        if param_name in self._chosen:
            return self._chosen[param_name]
        return super().sample_independent(study, trial, param_name, param_distribution)

    def _choose(self, told: Sequence[FrozenTrial], refused: Sequence[FrozenTrial]) -> Mapping[str, Any]:
        known = of_one_value([each for each in told if each.state is not TrialState.RUNNING], self._random)
        known.sort(key=_worth)
        if sum(each.state is TrialState.COMPLETE for each in known) < LEAST:
            return {}
        under_way = [each for each in told if each.state is TrialState.RUNNING]
        candidates = self._candidates(known[-_BEST:], [each.params for each in (*told, *refused)])
        if not candidates:
            return {}
        points = flatten([*known, *under_way, *candidates])
        ends = len(known), len(known) + len(under_way)
        expected = improvement(points[: ends[0]], _values(known), points[ends[0] : ends[1]], points[ends[1] :])
        ordered = (candidates[i] for i in np.argsort(-expected, kind="stable"))
        return next((each.params for each in ordered if self._is_possible(each)), {})

    def _is_possible(self, candidate: Choice) -> bool:
        try:
            self._check(candidate.config)
        except SizeError:
            return False
        return True

    def _candidates(self, best: Sequence[FrozenTrial], taken: Sequence[Mapping[str, Any]]) -> list[Choice]:
        """New draws, at random and near the best trials."""
        anywhere = [self._near({}) for _ in range(_RANDOM)]
        near = [self._near(each.params) for each in best for _ in range(_NEAR)]
        return [each for each in (*anywhere, *near) if each.params not in taken]

    def _near(self, params: Mapping[str, Any]) -> Choice:
        """A draw with most of these values; parameters without a value here are random."""
        random = self._random

        def pick(name: str, distribution: BaseDistribution) -> Any:
            if name not in params:
                return value_at(distribution, random.random())
            if random.random() >= _CHANGED:
                return params[name]
            place = None if isinstance(distribution, CategoricalDistribution) else place_of(distribution, params[name])
            if place is None:
                return value_at(distribution, random.random())
            return value_at(distribution, float(np.clip(place + _STEP * random.normal(), 0, 1 - 1e-9)))

        return explore(self._function, pick)


def of_one_value(known: list[FrozenTrial], random: np.random.Generator) -> list[FrozenTrial]:
    """The trials, with several objectives reduced to one value: the worst of the randomly weighted objectives.

    The weights are new for each draw, so each draw looks at another part of the front (Knowles 2006, ParEGO).
    """
    measured = [each for each in known if each.state is TrialState.COMPLETE]
    if not measured or len(measured[0].values) == 1:
        return known
    losses = np.array([[-value, *costs] for value, *costs in (each.values for each in measured)])
    losses = (losses - losses.min(axis=0)) / np.maximum(np.ptp(losses, axis=0), 1e-9)
    weighed = losses * random.dirichlet(np.ones(losses.shape[1]))
    worth = iter((-weighed.max(axis=1) - _SUM * weighed.sum(axis=1)).tolist())
    return [_with_value(each, next(worth)) if each.state is TrialState.COMPLETE else each for each in known]


def _with_value(trial: FrozenTrial, value: float) -> FrozenTrial:
    return create_trial(state=trial.state, value=value, params=trial.params, distributions=trial.distributions)


def _worth(trial: FrozenTrial) -> tuple[float, float]:
    """What a trial is ranked by: its value; trials without one rank below, by how far they came before the stop."""
    if trial.value is not None:
        return np.inf, trial.value
    last = max(trial.intermediate_values, default=None)
    return (-1.0, 0.0) if last is None else (last, trial.intermediate_values[last])


def _values(known: Sequence[FrozenTrial]) -> np.ndarray:
    """The standardised values that the process is fitted to.

    A trial without a value gets the worst value of the others.
    """
    worst = min(each.value for each in known if each.value is not None)
    values = np.array([worst if each.value is None else each.value for each in known])
    return (values - values.mean()) / max(values.std(), 1e-9)


def flatten(draws: Sequence[FrozenTrial | Choice]) -> np.ndarray:
    """Draws as points, (draws, coordinates): a place from 0 to 1 for each number, a coordinate for each other choice.

    Three or more choices that are numbers have places too: equally spaced, in ascending order.
    """
    columns: dict[str, np.ndarray] = {}
    for row, each in enumerate(draws):
        for name, value in each.params.items():
            distribution, own = each.distributions[name], without_prefix(name)
            if (place := place_of(distribution, value)) is not None:
                columns.setdefault(own, np.full(len(draws), 0.5))[row] = place
                continue
            # So two choices are as far apart as the two ends of a number's range.
            columns.setdefault(f"{own}={value!r}", np.zeros(len(draws)))[row] = np.sqrt(0.5)
    return np.stack([columns[name] for name in sorted(columns)], axis=1)


def improvement(known: np.ndarray, values: np.ndarray, under_way: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """The expected improvement of each candidate over the best expected value among the known trials.

    Running trials are assumed to reach their expected values (Ginsbourger et al. 2010, the kriging believer).
    """
    fitted = (
        _fit(Matern(length, nu=2.5) + WhiteKernel(noise), known, values) for length in _LENGTHS for noise in _NOISES
    )
    process = max(fitted, key=lambda each: each.log_marginal_likelihood_value_)
    best = process.predict(known).max()
    if len(under_way):
        believed = np.concatenate([values, process.predict(under_way)])
        process = _fit(process.kernel_, np.concatenate([known, under_way]), believed)
    mean, deviation = process.predict(candidates, return_std=True)
    noise = process.kernel_.k2.noise_level  # of a measurement; it is no reason to draw a candidate
    deviation = np.sqrt(np.maximum(deviation**2 - noise, 1e-12))
    better = (mean - best) / deviation
    return np.asarray(deviation * (better * norm.cdf(better) + norm.pdf(better)))


def _fit(kernel: Kernel, points: np.ndarray, values: np.ndarray) -> GaussianProcessRegressor:
    return GaussianProcessRegressor(kernel, optimizer=None).fit(points, values)
