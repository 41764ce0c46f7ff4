"""The tree-structured Parzen estimator (Bergstra et al. 2011), which draws near what was good."""

import warnings

import optuna

from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.sampler import Check
from search.spaces.drawing import check_constant
from search.spaces.space import Function


def sampler(function: Function, seed: int, check: Check) -> OptunaSampler:
    """Optuna's TPE, multivariate, with running trials taken for bad ones.

    Raises SpaceError for a space whose parameters change their choices.
    """
    check_constant(function)
    return OptunaSampler(function, seed, check, _make, learns=True)


def _make(seed: int) -> optuna.samplers.BaseSampler:
    # Without groups Optuna's multivariate TPE would draw conditional parameters one by one.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
