"""What to try next: Optuna draws from a space, told the history that the ledger holds.

Trial n's draw derives from (search seed, n) and, for TPE, from the history: a sampler is made anew for each draw, so
a resumed search draws what it would have drawn and repeats nothing.
"""

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from architectures.errors import one_line
from architectures.spec import SizeError
from search.history.record import Run
from search.spaces.space import Function, Space, SpaceError, draw
from trainables.config import Config

SAMPLERS = ("random", "tpe")
MAX_REDRAWS = 1000

optuna.logging.set_verbosity(optuna.logging.ERROR)


def derive_seed(seed: int, trial: int, repeat: int = 0, purpose: Literal["train", "draw"] = "train") -> int:
    """A seed below 2^32 for one purpose of one run, independent of all others."""
    entropy = [seed, trial, repeat, 0 if purpose == "train" else 1]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


@dataclass(frozen=True)
class Draw:
    """A drawn configuration; for the history also Optuna's flat parameters and their distributions (JSON).

    impossible: why each impossible draw before it was one.
    """

    config: Config
    params: dict[str, Any]
    distributions: dict[str, str]
    impossible: tuple[str, ...] = ()


class Sampler(Protocol):
    """Who draws."""

    def draw(self, trial: int) -> Draw | None:
        """Trial number `trial`'s configuration; None when the space is exhausted."""

    def tell(self, run: Run) -> None:
        """Hear of a run that was asked or that ended, in any order."""


def make_sampler(space: Space, kind: str, seed: int, check: Callable[[Config], None]) -> Sampler:
    """The sampler of a space; `check` raises SizeError for a network that the images do not fit."""
    if space.function is None:
        return ListSampler(space.configs)
    return OptunaSampler(space.function, kind, seed, check)


@dataclass(frozen=True)
class ListSampler:
    """A finite list, in its order."""

    configs: tuple[Config, ...]

    def draw(self, trial: int) -> Draw | None:
        """Line `trial` of the list."""
        return Draw(self.configs[trial], {}, {}) if trial < len(self.configs) else None

    def tell(self, run: Run) -> None:
        """A list hears nothing."""


class OptunaSampler:
    """Random search or TPE over a define-by-run space."""

    def __init__(self, function: Function, kind: str, seed: int, check: Callable[[Config], None]) -> None:
        self._function, self._kind, self._seed, self._check = function, kind, seed, check
        self._told: dict[int, FrozenTrial] = {}

    def draw(self, trial: int) -> Draw | None:
        """A configuration that fits; impossible ones are drawn again from the same stream and counted."""
        study = self._history()
        study.sampler = self._make(derive_seed(self._seed, trial, purpose="draw"))
        impossible: list[str] = []
        while len(impossible) < MAX_REDRAWS:
            asked = study.ask()
            config = draw(self._function, asked)
            try:
                self._check(config)
            except SizeError as error:
                impossible.append(str(error))
                study.tell(asked, state=TrialState.FAIL)
                continue
            distributions = {name: distribution_to_json(d) for name, d in asked.distributions.items()}
            return Draw(config, asked.params, distributions, tuple(impossible))
        raise SpaceError(f"{MAX_REDRAWS} draws in a row are impossible; the last one: {impossible[-1]}")

    def tell(self, run: Run) -> None:
        """Keep what Optuna shall know of a run; a later word replaces an earlier one."""
        if self._kind == "tpe":  # random search needs no history
            try:
                self._told[run.asked.trial] = optuna_trial(run)
            except (ValueError, LookupError, TypeError) as error:
                reason = one_line(error)
                raise SpaceError(f"the ledger's trial {run.asked.trial} was never drawn: {reason}") from error

    def _history(self) -> optuna.Study:
        study = optuna.create_study(direction="maximize")
        study.add_trials(trial for _, trial in sorted(self._told.items()))
        return study

    def _make(self, seed: int) -> optuna.samplers.BaseSampler:
        if self._kind == "random":
            return optuna.samplers.RandomSampler(seed=seed)
        # Optuna's TPE is multivariate; without groups it would draw conditional parameters one by one.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def optuna_trial(run: Run) -> FrozenTrial:
    """The truth in Optuna's terms; intermediate values are validation accuracies at steps in images."""
    distributions = {k: json_to_distribution(v) for k, v in run.asked.distributions.items()}
    intermediate = {m.images: m.val_accuracy for m in run.measurements if m.val_accuracy is not None}
    # Pruned trials without values rank last in TPE, which is what a diverged or infeasible draw deserves.
    states = {
        "done": TrialState.COMPLETE,
        "stopped": TrialState.PRUNED,
        "diverged": TrialState.PRUNED,
        "infeasible": TrialState.PRUNED,
        "failed": TrialState.FAIL,
    }
    state = states.get(run.state, TrialState.RUNNING)
    best = run.best
    return create_trial(
        state=state,
        value=best.val_accuracy if state is TrialState.COMPLETE and best else None,
        params=dict(run.asked.params),
        distributions=distributions,
        intermediate_values={} if run.state in ("diverged", "infeasible") else intermediate,
    )


def history_json(draw: Draw) -> dict[str, Any]:
    """The fields of an *asked* event that a draw gives."""
    return {
        "config": draw.config.to_json(),
        "params": json.loads(json.dumps(draw.params)),
        "distributions": draw.distributions,
        "redrawn": len(draw.impossible),
    }
