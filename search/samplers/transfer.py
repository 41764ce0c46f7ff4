"""Bayesian optimisation that begins with what other searches found: transfer learning (Feurer et al. 2022).

What each candidate is worth is expected beforehand from trainings on other images (`search.experience`), so the first
draws are good ones already. A Gaussian process learns how values differ from that. How far values follow what was
expected is fitted as well, so experience that does not hold for these images is given up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from search.experience.columns import Columns
from search.experience.expectation import Expectation
from search.experience.recordings import Experience, shipped
from search.samplers.choosing import Chooser, standardised
from search.samplers.guided import the_last_at_random
from search.samplers.hearing import LEAST, History
from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.process import Points, improvement
from search.samplers.sampler import Check
from search.spaces.drawing import Choice, check_constant, everything
from search.spaces.explorer import check_explorable, explore, replayed, value_at
from search.spaces.flat_names import flat_names_of
from search.spaces.space import Function, SpaceError

_OF = 4  # the last of so many draws is random: a guard against experience that misleads
_DRAWN = 1200  # random draws of a space
_CONSIDERED = 300  # those of them that one draw considers; so draws differ while nothing is measured
_TRUSTS = (0.0, 0.5, 0.8, 0.95)  # choices for the correlation of values with what was expected


def sampler(function: Function, seed: int, check: Check, history: History, experience: Experience) -> OptunaSampler:
    """A sampler that makes three of four draws where the expected improvement is largest.

    experience: the recordings that it begins with. Raises SpaceError for a space in which a parameter's choices vary
    between draws, for one that cannot be explored, and for one that draws nothing of what was studied.
    """
    check_constant(function)
    check_explorable(function)
    known = _space(function, seed, experience if experience.recordings else replace(experience, recordings=shipped()))
    make = the_last_at_random(lambda own: _Guided(known, check, own), _OF)
    return OptunaSampler(function, seed, check, make, history)


@dataclass(frozen=True)
class _Draw:
    """A draw of the space and what is known of it beforehand."""

    choice: Choice
    row: Mapping[str, Any]
    """Its flat names and values."""
    expected: float


class _Space:
    """Draws of a space, with what is expected of them."""

    def __init__(self, function: Function, seed: int, experience: Experience) -> None:
        self.function, self._random = function, np.random.default_rng(seed)
        self.is_small = everything(function) is not None
        some = everything(function) or [explore(function, self._anything) for _ in range(_DRAWN)]
        drawn = {(each.config.network.name, each.config.optimizer.name) for each in some}
        try:
            self._expectation = Expectation(experience, drawn)
        except LookupError as error:
            raise SpaceError(f"no recorded runs match this space ({error}); use --sampler gp") from error
        self.some = self.known(some)
        """All draws of a small space, many random ones of any other."""

    def known(self, choices: Sequence[Choice]) -> list[_Draw]:
        """Draws with what is expected of them."""
        rows = [flat_names_of(each.config) for each in choices]
        return list(map(_Draw, choices, rows, self._expectation.of(rows).tolist()))

    def of(self, trials: Sequence[FrozenTrial]) -> tuple[list[FrozenTrial], list[_Draw]]:
        """The trials that the space draws again from their parameters, and these draws."""
        choices = [replayed(self.function, each.params) for each in trials]
        drawn = [each for each, choice in zip(trials, choices, strict=True) if choice is not None]
        return drawn, self.known([choice for choice in choices if choice is not None])

    def _anything(self, _: str, distribution: BaseDistribution) -> Any:
        return value_at(distribution, self._random.random())


@lru_cache(maxsize=2)
def _space(function: Function, seed: int, experience: Experience) -> _Space:
    """A space, kept because a launch makes its sampler twice: for the forecast, and for the search."""
    return _Space(function, seed, experience)


class _Guided(Chooser):
    """Goes by what is expected alone while fewer than `LEAST` trials have values."""

    def __init__(self, space: _Space, check: Check, seed: int) -> None:
        super().__init__(space.function, check, seed)
        self._space = space

    def choose(
        self, known: Sequence[FrozenTrial], under_way: Sequence[FrozenTrial], taken: Sequence[Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """The parameters of the candidate of the largest expected improvement."""
        if sum(each.state is TrialState.COMPLETE for each in known) < LEAST:
            known = []
        candidates = [each for each in self._candidates(known) if each.choice.params not in taken]
        if not candidates:
            return {}
        known, measured = self._space.of(known)
        parts = measured, self._space.of(under_way)[1], candidates
        rows = [each.row for part in parts for each in part]
        places = iter(np.split(Columns(rows).places(rows), np.cumsum([len(part) for part in parts])))
        of_known, of_running, of_candidates = (
            Points(next(places), np.array([each.expected for each in part])) for part in parts
        )
        worth = improvement(of_known, standardised(known), of_running, of_candidates, _TRUSTS)
        return self.best_of([each.choice for each in candidates], worth)

    def _candidates(self, known: Sequence[FrozenTrial]) -> Sequence[_Draw]:
        some = self._space.some
        if self._space.is_small:
            return some
        considered = [some[i] for i in self.random.choice(len(some), _CONSIDERED, replace=False)]
        return [*considered, *self._space.known(self.near(known))]
