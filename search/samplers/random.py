"""Random search: every draw is independent of all others (Bergstra and Bengio 2012)."""

import optuna

from search.samplers.hearing import History
from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.sampler import Check
from search.spaces.space import Function


def sampler(function: Function, seed: int, check: Check, _: History | None) -> OptunaSampler:
    """Optuna's random sampler, which needs no history."""
    return OptunaSampler(function, seed, check, lambda _, own: optuna.samplers.RandomSampler(seed=own))
