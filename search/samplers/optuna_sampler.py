"""Draws from a space that is a function, with any of Optuna's samplers."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import optuna
from optuna.distributions import check_distribution_compatibility, distribution_to_json
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from architectures.layers import SizeError
from search.history.record import Run
from search.samplers.hearing import History
from search.samplers.sampler import Check, Draw, derive_seed
from search.spaces.drawing import Choice, check_constant, everything
from search.spaces.explorer import replayed
from search.spaces.space import Function, SpaceError, draw
from trainables.config import Config

MAX_REDRAWS = 1000
PATIENCE = 100  # impossible or repeated draws after which a small space is enumerated

optuna.logging.set_verbosity(optuna.logging.ERROR)


Make = Callable[[int, int], optuna.samplers.BaseSampler]
"""Makes Optuna's sampler for a trial's draw from the trial's number and the draw's own seed."""


class OptunaSampler:
    """Makes a new Optuna sampler for each draw, with the draw's own seed, and gives it the history."""

    def __init__(
        self,
        function: Function,
        seed: int,
        check: Check,
        make: Make,
        history: History | None = None,
    ) -> None:
        """seed: the search's. history: what it learns from; None if it does not learn."""
        self._function, self._seed, self._check = function, seed, check
        self._make, self._history = make, history
        self._drawn: dict[int, str] = {}
        self._replayed: dict[str, Choice | None] = {}
        self._known = frozenset(map(key_of, history.known)) if history is not None else frozenset()

    def draw(self, trial: int) -> Draw | None:
        """A configuration that the images can be trained with and no other trial has; others are drawn again.

        They are drawn again from the same stream; after `PATIENCE` of them, a small space is searched for unused ones.
        The trials of an earlier search count as others, until a small space has no more. None when none is left, or
        when `MAX_REDRAWS` draws of a large space were drawn before. Raises SpaceError when the space fails, or gives
        as many impossible configurations.
        """
        own = {drawn for number, drawn in self._drawn.items() if number != trial}
        taken = own | self._known
        sampler = self._make(trial, derive_seed(self._seed, trial, purpose="draw"))
        study = self._study(sampler)
        impossible: list[str] = []
        repeated = 0
        while max(len(impossible), repeated) < MAX_REDRAWS:
            asked = study.ask()
            config = draw(self._function, asked)
            reason = self._why_not(config)
            if reason is None and key_of(asked.params) not in taken:
                return self._take(trial, Choice(config, asked.params, asked.distributions), impossible)
            if reason is None:
                repeated += 1
            else:
                impossible.append(reason)
            study.tell(asked, state=TrialState.FAIL)
            if (
                self._history is None
            ):  # within one study a parameter's choices must not change, and random draws need no common study
                study = self._study(sampler)
            if len(impossible) + repeated == PATIENCE and (choices := everything(self._function)) is not None:
                return self._choose(trial, choices, own, impossible)
        if repeated:
            return None
        raise SpaceError(f"{MAX_REDRAWS} draws in a row are impossible; the last one: {impossible[-1]}")

    def tell(self, run: Run) -> None:
        """Keep a run for the next draws; its current state replaces the earlier one.

        Raises SpaceError for a run that does not hold its parameters and their distributions.
        """
        self._drawn[run.asked.trial] = key_of(run.asked.params)
        if self._history is not None:
            self._history.tell(run)

    def _study(self, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
        """A study with the whole history."""
        directions = (StudyDirection.MAXIMIZE,) if self._history is None else self._history.directions
        study = optuna.create_study(directions=directions, sampler=sampler)
        if self._history is not None:
            study.add_trials(now for told in self._history.trials() if (now := self._as_now(told)) is not None)
        return study

    def _as_now(self, told: FrozenTrial) -> FrozenTrial | None:
        """A trial as the space draws it now, which a user may have changed since; None if its choices are others now.

        One that the space does not draw in the same way again stays what it is, if a sampler can learn from it.
        """
        key = key_of(told.params)
        if key not in self._replayed:
            self._replayed[key] = replayed(self._function, told.params)
        found = self._replayed[key]
        if found is None:
            return told if self._is_compatible(told) else None
        if found.distributions == told.distributions:
            return told
        return create_trial(
            state=told.state,
            values=told.values,
            params=found.params,
            distributions=found.distributions,
            intermediate_values=told.intermediate_values,
        )

    def _is_compatible(self, told: FrozenTrial) -> bool:
        """Whether Optuna lets a study hold this trial and draws of the space."""
        now = check_constant(self._function)
        try:
            for name in told.distributions.keys() & now.keys():
                check_distribution_compatibility(now[name], told.distributions[name])
        except ValueError:
            return False
        return True

    def _why_not(self, config: Config) -> str | None:
        """Why the images cannot be trained with a configuration; None when they can."""
        try:
            self._check(config)
        except SizeError as error:
            return str(error)
        return None

    def _choose(self, trial: int, choices: tuple[Choice, ...], own: Set[str], impossible: list[str]) -> Draw | None:
        """An unused configuration of a small space, the same for the same seed and trial; None when none is left.

        One that only an earlier search has trained is taken last. own: the draws of this search's other trials.
        """
        possible = [choice for choice in choices if self._why_not(choice.config) is None]
        if not possible:
            raise SpaceError(f"all {len(choices)} draws of the space are impossible; the last one: {impossible[-1]}")
        unused = [choice for choice in possible if key_of(choice.params) not in own]
        left = [choice for choice in unused if key_of(choice.params) not in self._known] or unused
        if not left:
            return None
        return self._take(trial, left[derive_seed(self._seed, trial, purpose="draw") % len(left)], impossible)

    def _take(self, trial: int, found: Choice, impossible: list[str]) -> Draw:
        self._drawn[trial] = key_of(found.params)
        return as_draw(found, impossible)


def as_draw(found: Choice, impossible: Sequence[str] = ()) -> Draw:
    """A choice as the history keeps it. impossible: why the draws before it were discarded."""
    distributions = {name: distribution_to_json(each) for name, each in found.distributions.items()}
    return Draw(found.config, found.params, distributions, tuple(impossible))


def key_of(params: Mapping[str, Any]) -> str:
    """The same text for the same draw, whether new or from a ledger."""
    return json.dumps(params, sort_keys=True)
