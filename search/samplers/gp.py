"""Bayesian optimisation with a Gaussian process (Snoek et al. 2012), for spaces with conditional parameters.

Optuna's own GP sampler draws at random every parameter that some trial lacks, which in a space of several networks and
optimizers is nearly all of them. Here a draw is flattened: a coordinate for each name, which the learning rates of all
optimizers share (see `flat_names.coordinates`), and one for each choice. A number that a draw lacks is in the middle.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from search.samplers.choosing import Chooser, standardised
from search.samplers.guided import every_second_at_random
from search.samplers.hearing import LEAST, History
from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.process import Points, improvement
from search.samplers.sampler import Check
from search.spaces.drawing import Choice, check_constant
from search.spaces.explorer import check_explorable, place_of
from search.spaces.flat_names import coordinates
from search.spaces.space import Function


def sampler(function: Function, seed: int, check: Check, history: History) -> OptunaSampler:
    """A sampler that makes every second draw where the expected improvement over the best is largest.

    Raises SpaceError for a space in which a parameter's choices vary between draws, or which cannot be explored.
    """
    check_constant(function)
    check_explorable(function)
    make = every_second_at_random(lambda own: _Guided(function, check, own))
    return OptunaSampler(function, seed, check, make, history)


class _Guided(Chooser):
    """Draws at random while fewer than `LEAST` trials have values."""

    def choose(
        self, known: Sequence[FrozenTrial], under_way: Sequence[FrozenTrial], taken: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        if sum(each.state is TrialState.COMPLETE for each in known) < LEAST:
            return {}
        candidates = [each for each in (*self.anywhere(), *self.near(known)) if each.params not in taken]
        if not candidates:
            return {}
        places = flatten([*known, *under_way, *candidates])
        parts = np.split(places, [len(known), len(known) + len(under_way)])
        of_known, of_running, of_candidates = (Points(part, np.zeros(len(part))) for part in parts)
        return self.best_of(candidates, improvement(of_known, standardised(known), of_running, of_candidates))


def flatten(draws: Sequence[FrozenTrial | Choice]) -> np.ndarray:
    """Draws as points, (draws, coordinates): a place from 0 to 1 for each number, a coordinate for each other choice.

    Three or more choices that are numbers have places too: equally spaced, in ascending order.
    """
    columns: dict[str, np.ndarray] = {}
    coordinate = coordinates(each.params for each in draws)
    for row, each in enumerate(draws):
        for name, value in each.params.items():
            distribution, own = each.distributions[name], coordinate(name)
            if (place := place_of(distribution, value)) is not None:
                columns.setdefault(own, np.full(len(draws), 0.5))[row] = place
                continue
            # So two choices are as far apart as the two ends of a number's range.
            columns.setdefault(f"{own}={value!r}", np.zeros(len(draws)))[row] = np.sqrt(0.5)
    return np.stack([columns[name] for name in sorted(columns)], axis=1)
