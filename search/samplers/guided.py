"""Common to the samplers that learn from trials at the same number of epochs: some draws are random."""

from collections.abc import Callable

import optuna

from search.samplers.optuna_sampler import Make


def every_second_at_random(guided: Callable[[int], optuna.samplers.BaseSampler]) -> Make:
    """Draws the trials of even numbers at random, as the sampler `random` does, and the others as `guided` does.

    guided: makes Optuna's sampler from a draw's seed. So a misled sampler wastes only half of a search's draws.
    """
    return lambda trial, own: guided(own) if trial % 2 else optuna.samplers.RandomSampler(seed=own)


def the_last_at_random(guided: Callable[[int], optuna.samplers.BaseSampler], of: int) -> Make:
    """Draws the last of each `of` trials at random, and the others as `guided` does."""
    return lambda trial, own: guided(own) if (trial + 1) % of else optuna.samplers.RandomSampler(seed=own)
