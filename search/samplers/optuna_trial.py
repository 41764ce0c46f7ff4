"""A run in Optuna's terms."""

from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.history.record import Run

#: Pruned trials without values rank last in TPE, which is what a diverged or infeasible draw deserves.
_STATES = {
    "done": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def optuna_trial(run: Run) -> FrozenTrial:
    """Optuna's trial of a run: its value is the best validation accuracy, its steps are images.

    A run in a state without an end is RUNNING. Raises ValueError, LookupError or TypeError for a run whose *asked*
    event holds no draw.
    """
    state = _STATES.get(run.state, TrialState.RUNNING)
    measured = {m["images"]: m["val_accuracy"] for m in run.measurements if m["val_accuracy"] is not None}
    best = run.best
    return create_trial(
        state=state,
        value=best["val_accuracy"] if state is TrialState.COMPLETE and best else None,
        params=run.asked["params"],
        distributions={name: json_to_distribution(text) for name, text in run.asked["distributions"].items()},
        intermediate_values={} if run.state in ("diverged", "infeasible") else measured,
    )
