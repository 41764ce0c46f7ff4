"""Common to the samplers that learn from trials at the same number of epochs: every second draw is random."""

from collections.abc import Callable

import optuna

from search.samplers.optuna_sampler import Make


def every_second_at_random(guided: Callable[[int], optuna.samplers.BaseSampler]) -> Make:
    """Draws the trials of even numbers at random, as the sampler `random` does, and the others as `guided` does.

    guided: makes Optuna's sampler from a draw's seed. So a misled sampler wastes only half of a search's draws.
    """

    def make(trial: int, own: int) -> optuna.samplers.BaseSampler:
        return guided(own) if trial % 2 else optuna.samplers.RandomSampler(seed=own)

    return make
