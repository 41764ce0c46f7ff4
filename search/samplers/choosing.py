"""Samplers that choose whole draws among candidates, and what they know about the trials before.

Candidates are draws of the space itself, at random and near the best trials, so they are always complete.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from architectures.layers import SizeError
from search.samplers.sampler import Check
from search.spaces.drawing import Choice
from search.spaces.explorer import explore, holds, place_of, value_at
from search.spaces.space import Function

_RANDOM = 400  # candidates drawn at random
_NEAR = 40  # candidates near each of the best trials
_BEST = 5
_CHANGED = 0.3  # share of the parameters that a candidate near a trial has changed
_SUM = 0.05  # weight of the sum of all weighted objectives, added to the worst of them
_STEP = 0.15  # standard deviation of a changed number, as a fraction of its range


class Chooser(optuna.samplers.RandomSampler):
    """Chooses a whole draw before its first parameter; parameters that it does not choose are random."""

    def __init__(self, function: Function, check: Check, seed: int) -> None:
        super().__init__(seed=seed)
        self.function, self.random = function, np.random.default_rng(seed)
        self._check = check
        self._chosen: Mapping[str, Any] = {}

    @abstractmethod
    def choose(
        self, known: Sequence[FrozenTrial], under_way: Sequence[FrozenTrial], taken: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """The parameters of the next draw; empty for a random one.

        known: the trials that are not running, of one value each, the best last. taken: the parameters of all draws
        that need not be made again.
        """

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, BaseDistribution]:
        """Empty, as no parameters are drawn jointly. Optuna calls this first, so the whole draw is chosen here."""
        told = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING))
        told = [each for each in told if each.number != trial.number]
        refused = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
        known = of_one_value([each for each in told if each.state is not TrialState.RUNNING], self.random)
        under_way = [each for each in told if each.state is TrialState.RUNNING]
        self._chosen = self.choose(sorted(known, key=_worth), under_way, [each.params for each in (*told, *refused)])
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: BaseDistribution) -> Any:
        """The value in the chosen draw."""
        if param_name in self._chosen:
            return self._chosen[param_name]
        return super().sample_independent(study, trial, param_name, param_distribution)

    def best_of(self, candidates: Sequence[Choice], worth: np.ndarray) -> Mapping[str, Any]:
        """The parameters of the possible candidate of most worth; empty if none is possible."""
        ordered = (candidates[i] for i in np.argsort(-worth, kind="stable"))
        return next((each.params for each in ordered if self._is_possible(each)), {})

    def _is_possible(self, candidate: Choice) -> bool:
        try:
            self._check(candidate.config)
        except SizeError:
            return False
        return True

    def anywhere(self) -> list[Choice]:
        """Random draws of the space."""
        return [self._near({}) for _ in range(_RANDOM)]

    def near(self, known: Sequence[FrozenTrial]) -> list[Choice]:
        """Draws near the best of some trials, which come last."""
        return [self._near(each.params) for each in known[-_BEST:] for _ in range(_NEAR)]

    def _near(self, params: Mapping[str, Any]) -> Choice:
        """A draw with most of these values; parameters without a value here are random."""
        random = self.random

        def pick(name: str, distribution: BaseDistribution) -> Any:
            # Where a range depends on another parameter, it may not hold the value any more.
            if name not in params or not holds(distribution, params[name]):
                return value_at(distribution, random.random())
            if random.random() >= _CHANGED:
                return params[name]
            place = None if isinstance(distribution, CategoricalDistribution) else place_of(distribution, params[name])
            if place is None:
                return value_at(distribution, random.random())
            return value_at(distribution, float(np.clip(place + _STEP * random.normal(), 0, 1 - 1e-9)))

        return explore(self.function, pick)


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


def standardised(known: Sequence[FrozenTrial]) -> np.ndarray:
    """The standardised values that the process is fitted to.

    A trial without a value gets the worst value of the others.
    """
    if not known:
        return np.zeros(0)
    worst = min(each.value for each in known if each.value is not None)
    values = np.array([worst if each.value is None else each.value for each in known])
    return (values - values.mean()) / max(values.std(), 1e-9)
