"""The tree-structured Parzen estimator (Bergstra et al. 2011), which draws near good trials."""

import warnings

import optuna

from search.samplers.guided import every_second_at_random
from search.samplers.hearing import LEAST, Ended, History
from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.sampler import Check
from search.spaces.drawing import check_constant
from search.spaces.space import Function

_ENDED = 10  # trials that have to end before it learns, with the history `Ended`


def sampler(function: Function, seed: int, check: Check, history: History) -> OptunaSampler:
    """Optuna's TPE, multivariate, with running trials treated as bad ones.

    Raises SpaceError for a space in which a parameter's choices vary between draws.
    """
    check_constant(function)
    if isinstance(history, Ended):
        return OptunaSampler(function, seed, check, lambda _, own: _tpe(own, _ENDED), history)
    make = every_second_at_random(lambda own: _tpe(own, LEAST))
    return OptunaSampler(function, seed, check, make, history)


def _tpe(seed: int, least: int) -> optuna.samplers.BaseSampler:
    # Without groups Optuna's multivariate TPE would draw conditional parameters one by one.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=least, multivariate=True, group=True, constant_liar=True
        )
