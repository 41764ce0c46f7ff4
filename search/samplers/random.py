"""Random search: every draw is independent of all others (Bergstra and Bengio 2012)."""

import optuna

from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.sampler import Check
from search.spaces.space import Function


def sampler(function: Function, seed: int, check: Check) -> OptunaSampler:
    """Optuna's random sampler, which needs no history."""
    return OptunaSampler(function, seed, check, lambda own: optuna.samplers.RandomSampler(seed=own), learns=False)
