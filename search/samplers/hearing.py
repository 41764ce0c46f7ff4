"""What a sampler that learns receives about earlier trials.

Early accuracies mislead: a sampler that uses all of them draws near configurations that are merely fast at first.
`Deepest` passes on only accuracies at the same number of epochs, as BOHB does (Falkner et al. 2018).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, inf
from typing import Any, Protocol

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from architectures.errors import one_line
from search.history.events import FINAL, State
from search.history.optuna_trial import drawn, optuna_trial
from search.history.pareto import cost_of, log_cost
from search.history.record import Run
from search.history.rungs import has_reached, num_reached
from search.spaces.space import SpaceError

LEAST = 8
"""Trials that have to reach a rung before its accuracies are used."""
WAVE = 10
"""Trials that are drawn from the same history with `--hears waves`."""


class History(Protocol):
    """What a sampler learns from, as Optuna's trials."""

    def tell(self, run: Run) -> None:
        """Take a run in its current state, which replaces its earlier one."""

    @property
    def directions(self) -> Sequence[StudyDirection]:
        """For each of a trial's values, whether larger or smaller is better."""

    @property
    def known(self) -> Sequence[Mapping[str, Any]]:
        """The parameters of an earlier search's trials with a result, which need not be trained again."""

    def trials(self) -> list[FrozenTrial]:
        """All trials, ordered by number."""


class Ended:
    """Passes on all values of a trial once it has ended, however far it was trained; for searches without `hears`.

    Raises SpaceError for a run that does not hold its parameters and their distributions.
    """

    directions = (StudyDirection.MAXIMIZE,)
    known = ()

    def __init__(self) -> None:
        self._told: dict[int, FrozenTrial] = {}

    def tell(self, run: Run) -> None:
        """Take a run if it is new to this history or has ended."""
        trial = run.asked.trial
        if trial in self._told and run.state not in FINAL:
            return
        try:
            self._told[trial] = optuna_trial(run)
        except (ValueError, LookupError, TypeError) as error:
            raise _unusable(trial, error) from error

    def trials(self) -> list[FrozenTrial]:
        """All trials, ordered by number."""
        return [told for _, told in sorted(self._told.items())]


@dataclass(frozen=True)
class Observed:
    """What a sampler receives about a trial, of this search or of an earlier one that it starts from."""

    params: Mapping[str, Any]
    """Its flat parameters."""
    distributions: Mapping[str, str]
    """The distribution that each was drawn from, as Optuna's JSON."""
    state: State
    """Its state."""
    curve: Sequence[tuple[float, float]]
    """The values that it is compared by, as (epoch, value), in order."""
    costs: Sequence[float] = ()
    """The logarithms of its costs, if those are objectives too."""

    def until(self, rung: float) -> float | None:
        """Its best value up to a rung; None if it has none, or is not done and was not trained that far."""
        values = []
        for at, value in self.curve:
            values.append(value)
            if has_reached(at, rung):
                return max(values)
        return max(values, default=None) if self.state is State.DONE else None


def observed(run: Run, also: Sequence[str] = ()) -> Observed:
    """What a sampler receives about a run. also: costs that are objectives beside its value."""
    curve = tuple((m.epoch, m.value) for m in run.measurements if m.value is not None)
    costs = tuple(log_cost(cost_of(run.asked, run.last, name)) for name in also)
    return Observed(run.asked.params, run.asked.distributions, run.state, curve, costs)


class Deepest:
    """Passes on values at the deepest rung that `LEAST` trials have reached.

    A trial that was stopped before that rung is passed on as pruned, with the values it had; one that is paused or
    running, as running. Trials without parameters, which a user asked for and the space cannot draw, are left out.
    """

    def __init__(self, rungs: Sequence[float], prior: Sequence[Observed] = (), also: Sequence[str] = ()) -> None:
        """rungs: epochs, ascending; the last is the end of a trial. prior: trials of an earlier search.

        also: costs that are objectives beside the value.
        """
        self._rungs, self._prior, self._also = with_common(rungs, prior), prior, also
        self._told: dict[int, Observed] = {}

    def tell(self, run: Run) -> None:
        """Take a run in its current state."""
        trial = run.asked.trial
        told = observed(run, self._also)
        if trial not in self._told:
            self._frozen(trial, told, None)  # raises now for a run that could not be passed on later
        self._told[trial] = told

    @property
    def directions(self) -> Sequence[StudyDirection]:
        """For each of a trial's values, whether larger or smaller is better: its own value, then its costs."""
        return [StudyDirection.MAXIMIZE, *(StudyDirection.MINIMIZE for _ in self._also)]

    @property
    def known(self) -> Sequence[Mapping[str, Any]]:
        """The parameters of the earlier search's trials with a result."""
        return [each.params for each in self._prior if each.curve or each.state in FINAL]

    @property
    def rung(self) -> float | None:
        """The epochs of the rung whose values are passed on; None while there is no such rung."""
        all_told = [each for each in (*self._prior, *self._told.values()) if each.state not in _WORTHLESS]
        reached = (rung for rung in reversed(self._rungs) if sum(o.until(rung) is not None for o in all_told) >= LEAST)
        return next(reached, None)

    def trials(self) -> list[FrozenTrial]:
        """All trials: those of an earlier search that will not continue, then this search's, ordered by number."""
        rung = self.rung
        earlier = (self._frozen(number, each, rung) for number, each in enumerate(self._prior))
        own = [self._frozen(number, each, rung) for number, each in sorted(self._told.items()) if each.params]
        return [*(each for each in earlier if each.state is not TrialState.RUNNING), *own]

    def _frozen(self, trial: int, told: Observed, rung: float | None) -> FrozenTrial:
        """A trial as Optuna's. A diverged or infeasible one is pruned and without values, and so ranks last."""
        value = None if rung is None or told.state in _WORTHLESS else told.until(rung)
        curve: dict[int, float] = {}
        if value is not None:
            state = TrialState.COMPLETE
        elif told.state is State.FAILED:
            state = TrialState.FAIL
        elif told.state is State.STOPPED:
            # With several objectives, Optuna uses no values of a pruned trial, and such trials rank last.
            state, curve = TrialState.PRUNED, {} if told.costs else self._at_rungs(told)
        else:
            state = TrialState.PRUNED if told.state in _WORTHLESS else TrialState.RUNNING
        try:
            params, distributions = drawn(told.params, told.distributions)
            return create_trial(
                state=state,
                values=None if value is None else [value, *told.costs],
                params=params,
                distributions=distributions,
                intermediate_values=curve,
            )
        except (ValueError, LookupError, TypeError) as error:
            raise _unusable(trial, error) from error

    def _at_rungs(self, told: Observed) -> dict[int, float]:
        """A trial's value at each rung that it reached, by the rung in thousandths of an epoch.

        Samplers rank stopped trials by how far they came. By its own epochs, a trial with larger batches would have
        come farther, as a rung within an epoch is reached at the end of a batch.
        """
        found: dict[int, float] = {}
        for at, value in told.curve:
            reached = num_reached(at, self._rungs)
            found.setdefault(round(1000 * self._rungs[reached - 1]) if reached else 0, value)
        return found


_WORTHLESS = (State.DIVERGED, State.INFEASIBLE, State.FAILED)


def with_common(rungs: Sequence[float], prior: Sequence[Observed]) -> Sequence[float]:
    """The rungs, with one before the first if too few trials of an earlier search were trained that far.

    It is the last whole epoch that `LEAST` of them have, or all if they are fewer: after each whole epoch every trial
    is measured, whatever its scheduler.
    """
    tried = (each for each in prior if each.curve and each.state not in _WORTHLESS)
    ends = sorted((inf if each.state is State.DONE else each.curve[-1][0] for each in tried), reverse=True)[:LEAST]
    if not ends or has_reached(ends[-1], rungs[0]) or ends[-1] < 1:
        return rungs
    return (float(floor(ends[-1])), *rungs)


def _unusable(trial: int, error: Exception) -> SpaceError:
    return SpaceError(f"trial {trial} of the ledger holds no draw that Optuna can learn from: {one_line(error)}")
