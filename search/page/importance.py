"""How much each unconditional parameter mattered, with the range over subsamples that says whether that is known.

Optuna's importance of all parameters after early stopping mixes values of different epochs and of branches that few
trials have. Here all trials are compared at one epoch, and only parameters that every one of them has.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import median
from typing import Any

from search.history.record import Run
from search.schedulers.scheduler import ROUNDING

SUBSAMPLES = 10
SHARE = 0.8  # of the trials in each subsample
LEAST = 15  # trials below which no importance is computed
KNOWN = 0.6  # median rank correlation of the subsamples from which on their order is taken to be known


@dataclass(frozen=True)
class Importance:
    """What is known of the parameters' importance."""

    epoch: float
    """The epoch at which trials are compared."""
    trials: int
    """How many are compared."""
    shares: dict[str, tuple[float, float, float]]
    """By parameter, most important first: share of the importance of all trials, and its range over subsamples."""
    agreement: float | None
    """Median rank correlation between subsamples; None where there is one parameter."""

    @property
    def is_known(self) -> bool:
        """Whether subsamples agree about the order."""
        return self.agreement is not None and self.agreement >= KNOWN


def common_epoch(trials: Sequence[Run]) -> float | None:
    """The earliest epoch at which some trial was measured first: all that were measured reach it, or soon after."""
    first = [run.measurements[0].epoch for run in trials if run.measurements]
    return max(first, default=None)


def value_at(run: Run, epoch: float) -> float | None:
    """A trial's value at an epoch, the first measurement that reaches it; None where it never came so far."""
    return next((m.value for m in run.measurements if m.epoch >= epoch - ROUNDING and m.value is not None), None)


def varying(trials: Sequence[Run]) -> list[str]:
    """The parameters that every trial has and that differ between them, in the order in which they are drawn."""
    if not trials:
        return []
    names = [name for name in trials[0].asked.params if all(name in run.asked.params for run in trials)]
    return [name for name in names if len({repr(run.asked.params[name]) for run in trials}) > 1]


def importance(trials: Sequence[Run]) -> Importance | None:
    """The importance of what varies, by PED-ANOVA (Watanabe et al. 2023) for the best quarter.

    None for too few trials.
    """
    epoch = common_epoch(trials)
    if epoch is None:
        return None
    compared = [(run, value) for run in trials if (value := value_at(run, epoch)) is not None]
    names = varying([run for run, _ in compared])
    if len(compared) < LEAST or not names:
        return None
    trial = compared[0][0].asked
    spaces = json.dumps({name: trial.distributions[name] for name in names})
    drawn = tuple((json.dumps([run.asked.params[name] for name in names]), value) for run, value in compared)
    whole, parts = _computed(spaces, drawn)
    order = sorted(names, key=lambda name: -whole[name])
    shares = {n: (whole[n], min(p[n] for p in parts), max(p[n] for p in parts)) for n in order}
    return Importance(epoch, len(compared), shares, _agreement(parts, names))


@lru_cache(maxsize=16)  # a live page asks again with every measurement, and few of them are at this epoch
def _computed(
    spaces: str, drawn: tuple[tuple[str, float], ...]
) -> tuple[dict[str, float], tuple[dict[str, float], ...]]:
    """The importance by all draws, and by each subsample. spaces: distributions by name, drawn: values and results."""
    import optuna  # imported late: only pages need it
    from optuna.distributions import json_to_distribution

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    distributions = {name: json_to_distribution(text) for name, text in json.loads(spaces).items()}
    names = list(distributions)
    trials = [
        optuna.trial.create_trial(
            params=dict(zip(names, json.loads(values), strict=True)), distributions=distributions, value=value
        )
        for values, value in drawn
    ]

    def evaluate(trials: list[Any]) -> dict[str, float]:
        study = optuna.create_study(direction="maximize")
        study.add_trials(trials)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=names)
        return {name: float(found.get(name, 0.0)) for name in names}

    rng = random.Random(0)
    size = round(SHARE * len(trials))
    return evaluate(trials), tuple(evaluate(rng.sample(trials, size)) for _ in range(SUBSAMPLES))


def _agreement(parts: Sequence[dict[str, float]], names: list[str]) -> float | None:
    if len(names) < 2:
        return None
    from scipy.stats import spearmanr

    found = [
        float(spearmanr([a[n] for n in names], [b[n] for n in names]).statistic) for a, b in combinations(parts, 2)
    ]
    return median(found)
