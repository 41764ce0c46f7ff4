"""How much each unconditional parameter mattered, and whether that is more than chance.

After early stopping, Optuna's importance of all parameters mixes values of different epochs and of branches that few
trials have. Here all trials are compared at one epoch, and only by parameters that all of them have. Subsamples share
most of their trials and agree even about noise, so shares are also compared with those of shuffled values.
"""

import json
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from search.history.record import Run

SUBSAMPLES = 10
SHARE = 0.8  # of the trials in each subsample
SHUFFLES = 20
LEAST = 15  # with fewer trials, no importance is computed


_Found = dict[str, float]


@dataclass(frozen=True)
class Share:
    """A parameter's share of the importance."""

    whole: float
    """From all trials."""
    low: float
    """The lowest, of all trials and of each subsample."""
    high: float
    """The highest of them. Without the whole, the range of a small share need not contain it."""
    chance: float
    """The highest when the trials' values are shuffled, so that nothing matters."""

    @property
    def is_known(self) -> bool:
        """Whether all trials and every subsample give a larger share than chance does."""
        return self.low > self.chance


@dataclass(frozen=True)
class Importance:
    """What is known about the parameters' importance."""

    epoch: float
    """The epoch at which trials are compared."""
    trials: int
    """How many trials are compared."""
    shares: dict[str, Share]
    """Shares by parameter, most important first."""

    @property
    def known(self) -> list[str]:
        """The parameters that mattered more than chance can explain."""
        return [name for name, share in self.shares.items() if share.is_known]


def common_epoch(trials: Sequence[Run]) -> float | None:
    """The epoch of the trials' first measurements; the latest, as within an epoch it depends on the batch size."""
    first = [run.measurements[0].epoch for run in trials if run.measurements]
    return max(first, default=None)


def first_value(run: Run) -> float | None:
    """A trial's first value, which all trials have after as many epochs; None if it has none."""
    return next((m.value for m in run.measurements if m.value is not None), None)


def varying(trials: Sequence[Run]) -> list[str]:
    """The parameters that every trial has and that differ between them, in the order in which they are drawn."""
    if not trials:
        return []
    names = [name for name in trials[0].asked.params if all(name in run.asked.params for run in trials)]
    return [name for name in names if len({repr(run.asked.params[name]) for run in trials}) > 1]


def importance(trials: Sequence[Run]) -> Importance | None:
    """The importance of the parameters that vary, by PED-ANOVA (Watanabe et al. 2023) for the best quarter.

    None for too few trials. Parameters whose choices or range depend on others are left out, as Optuna has none of
    theirs.
    """
    epoch = common_epoch(trials)
    if epoch is None:
        return None
    compared = [(run, value) for run in trials if (value := first_value(run)) is not None]
    names = [name for name in varying([run for run, _ in compared]) if _is_of_one_range(name, compared)]
    if len(compared) < LEAST or not names:
        return None
    trial = compared[0][0].asked
    spaces = json.dumps({name: trial.distributions[name] for name in names})
    drawn = tuple((json.dumps([run.asked.params[name] for name in names]), value) for run, value in compared)
    whole, parts, shuffled = _computed(spaces, drawn)
    shares = {
        name: Share(
            whole[name],
            min(part[name] for part in (whole, *parts)),
            max(part[name] for part in (whole, *parts)),
            max(part[name] for part in shuffled),
        )
        for name in sorted(names, key=lambda name: -whole[name])
    }
    return Importance(epoch, len(compared), shares)


def _is_of_one_range(name: str, compared: Sequence[tuple[Run, float]]) -> bool:
    return len({run.asked.distributions[name] for run, _ in compared}) == 1


@lru_cache(maxsize=16)  # a live page asks after every measurement, but few of them are at this epoch
def _computed(spaces: str, drawn: tuple[tuple[str, float], ...]) -> tuple[_Found, list[_Found], list[_Found]]:
    """The importance from all draws, from each subsample, and from all draws with shuffled values.

    spaces: the parameters' distributions by name, as JSON. drawn: each trial's parameters, as JSON, and its value.
    """
    import optuna  # imported late: only pages need it

    from search.history.optuna_trial import distribution_of, params_of

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", "Target and region quantiles")  # equal values: then all shares are equal
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    distributions = {name: distribution_of(text) for name, text in json.loads(spaces).items()}
    names = list(distributions)
    params = [params_of(dict(zip(names, json.loads(each), strict=True)), distributions) for each, _ in drawn]
    values = [value for _, value in drawn]

    def evaluate(places: Sequence[int], values: Sequence[float]) -> _Found:
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            optuna.trial.create_trial(params=params[place], distributions=distributions, value=values[place])
            for place in places
        )
        found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=names)
        return {name: float(found.get(name, 0.0)) for name in names}

    rng = random.Random(0)
    every, size = range(len(drawn)), round(SHARE * len(drawn))
    parts = [evaluate(rng.sample(every, size), values) for _ in range(SUBSAMPLES)]
    shuffled = [evaluate(every, rng.sample(values, len(values))) for _ in range(SHUFFLES)]
    return evaluate(every, values), parts, shuffled
