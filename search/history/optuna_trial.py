"""A run as Optuna's trial, for samplers and for Optuna's dashboard."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, json_to_distribution
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


def optuna_trial(run: Run) -> FrozenTrial:
    """The run as Optuna's trial; intermediate values are those of the metric, and their steps are training images.

    Raises ValueError, LookupError or TypeError for parameters that do not fit their distributions.
    """
    curve = {m.images: m.value for m in run.measurements if m.value is not None}
    state = _STATES.get(run.state, TrialState.RUNNING)
    return create_trial(
        state=state,
        value=run.at_best("value") if state is TrialState.COMPLETE else None,
        params=params_of(run.asked.params),
        distributions={name: distribution_of(text) for name, text in run.asked.distributions.items()},
        intermediate_values={} if run.state in UNRANKED else curve,
    )


def params_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters from the ledger as a space draws them: sequences are tuples."""
    return {name: with_tuples(value) for name, value in params.items()}


@lru_cache(maxsize=4096)
def distribution_of(text: str) -> BaseDistribution:
    """A distribution from Optuna's JSON; choices that are sequences are tuples."""
    found = json_to_distribution(text)
    return CategoricalDistribution(with_tuples(found.choices)) if isinstance(found, CategoricalDistribution) else found
