"""A run as Optuna's trial, for samplers and for Optuna's dashboard."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.history.events import State
from search.history.record import UNRANKED, Run
from trainables.config import with_tuples

#: States in Optuna's terms; any other state is RUNNING. Pruned trials without values rank last in TPE, as diverged and
#: infeasible draws should.
_STATES = {
    State.DONE: TrialState.COMPLETE,
    State.STOPPED: TrialState.PRUNED,
    State.DIVERGED: TrialState.PRUNED,
    State.INFEASIBLE: TrialState.PRUNED,
    State.FAILED: TrialState.FAIL,
}
_ROUNDING = 1e-9  # of a range


def optuna_trial(run: Run) -> FrozenTrial:
    """The run as Optuna's trial; intermediate values are those of the metric, and their steps are training images.

    Raises ValueError, LookupError or TypeError for parameters that do not fit their distributions.
    """
    curve = {m.images: m.value for m in run.measurements if m.value is not None}
    state = _STATES.get(run.state, TrialState.RUNNING)
    params, distributions = drawn(run.asked.params, run.asked.distributions)
    return create_trial(
        state=state,
        value=run.at_best("value") if state is TrialState.COMPLETE else None,
        params=params,
        distributions=distributions,
        intermediate_values={} if run.state in UNRANKED else curve,
    )


def params_of(params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """Parameters from the ledger as a space draws them: sequences are tuples, and numbers lie in their ranges."""
    return {name: _within(distributions.get(name), with_tuples(value)) for name, value in params.items()}


def _within(distribution: BaseDistribution | None, value: Any) -> Any:
    """A drawn value; an end of its range, if it is beyond it only by rounding, as an earlier version drew it."""
    if not isinstance(distribution, FloatDistribution) or not isinstance(value, float):
        return value
    nearest = min(distribution.high, max(distribution.low, value))
    return nearest if abs(value - nearest) <= _ROUNDING * (distribution.high - distribution.low) else value


def drawn(params: Mapping[str, Any], texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """Parameters as `params_of` gives them, and what they were drawn from; both by name, from the ledger."""
    distributions = {name: distribution_of(text) for name, text in texts.items()}
    return params_of(params, distributions), distributions


@lru_cache(maxsize=4096)
def distribution_of(text: str) -> BaseDistribution:
    """A distribution from Optuna's JSON; choices that are sequences are tuples."""
    found = json_to_distribution(text)
    return CategoricalDistribution(with_tuples(found.choices)) if isinstance(found, CategoricalDistribution) else found
