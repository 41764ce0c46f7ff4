"""A run as Optuna's trial: what samplers are told of it, and what Optuna's dashboard shows."""

from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.history.events import State
from search.history.record import Run

#: The truth in Optuna's terms; a run in any other state is under way. Pruned trials without values rank last in TPE,
#: which is what a diverged or infeasible draw deserves.
_STATES = {
    State.DONE: TrialState.COMPLETE,
    State.STOPPED: TrialState.PRUNED,
    State.DIVERGED: TrialState.PRUNED,
    State.INFEASIBLE: TrialState.PRUNED,
    State.FAILED: TrialState.FAIL,
}


def optuna_trial(run: Run) -> FrozenTrial:
    """The run as Optuna's trial; intermediate values are what trials are compared by, and their steps are images.

    Raises ValueError, LookupError or TypeError for parameters that do not fit their distributions.
    """
    curve = {m.images: m.value for m in run.measurements if m.value is not None}
    state = _STATES.get(run.state, TrialState.RUNNING)
    return create_trial(
        state=state,
        value=run.at_best("value") if state is TrialState.COMPLETE else None,
        params=dict(run.asked.params),
        distributions={name: json_to_distribution(text) for name, text in run.asked.distributions.items()},
        intermediate_values={} if run.state in (State.DIVERGED, State.INFEASIBLE) else curve,
    )
