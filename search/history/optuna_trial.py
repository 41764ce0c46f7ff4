"""A run as Optuna's trial: what samplers are told of it, and what Optuna's dashboard shows."""

from optuna.distributions import json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.history.columns import value_of
from search.history.record import Run

#: The truth in Optuna's terms; a run in any other state is under way. Pruned trials without values rank last in TPE,
#: which is what a diverged or infeasible draw deserves.
_STATES = {
    "done": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,
    "diverged": TrialState.PRUNED,
    "infeasible": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


def optuna_trial(run: Run) -> FrozenTrial:
    """The run as Optuna's trial; intermediate values are validation accuracies, and their steps are images.

    Raises ValueError, LookupError or TypeError for parameters that do not fit their distributions.
    """
    distributions = {k: json_to_distribution(v) for k, v in value_of(run.asked, "distributions").items()}
    measured = ((value_of(m, "images"), value_of(m, "val_accuracy")) for m in run.measurements)
    curve = {images: accuracy for images, accuracy in measured if accuracy is not None}
    state = _STATES.get(run.state, TrialState.RUNNING)
    best = run.best
    return create_trial(
        state=state,
        value=value_of(best, "val_accuracy") if state is TrialState.COMPLETE and best else None,
        params=value_of(run.asked, "params"),
        distributions=distributions,
        intermediate_values={} if run.state in ("diverged", "infeasible") else curve,
    )
