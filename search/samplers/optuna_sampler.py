"""Draws from a space that is a function, with any of Optuna's samplers."""

from collections.abc import Callable

import optuna
from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial, TrialState

from architectures.errors import one_line
from architectures.layers import SizeError
from search.history.optuna_trial import optuna_trial
from search.history.record import Run
from search.samplers.sampler import Check, Draw, derive_seed
from search.spaces.space import Function, SpaceError, draw

MAX_REDRAWS = 1000

optuna.logging.set_verbosity(optuna.logging.ERROR)


class OptunaSampler:
    """Makes one of Optuna's samplers anew for each draw, with a seed of the draw's own, and tells it the history."""

    def __init__(
        self,
        function: Function,
        seed: int,
        check: Check,
        make: Callable[[int], optuna.samplers.BaseSampler],
        *,
        learns: bool,
    ) -> None:
        """seed: the search's. make: Optuna's sampler for a draw's seed. learns: whether it needs the history."""
        self._function, self._seed, self._check = function, seed, check
        self._make, self._learns = make, learns
        self._told: dict[int, FrozenTrial] = {}

    def draw(self, trial: int) -> Draw | None:
        """A configuration that the images can be trained with; others are drawn again from the same stream.

        Raises SpaceError when the space fails, or gives MAX_REDRAWS impossible configurations in a row.
        """
        study = optuna.create_study(direction="maximize")
        study.add_trials(told for _, told in sorted(self._told.items()))
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
        """Keep a run for the next draws; a later state of it replaces an earlier one.

        Raises SpaceError for a run that does not hold its parameters and their distributions.
        """
        if not self._learns:
            return
        try:
            self._told[run.asked.trial] = optuna_trial(run)
        except (ValueError, LookupError, TypeError) as error:
            raise SpaceError(
                f"trial {run.asked.trial} of the ledger holds no draw that Optuna can learn from: {one_line(error)}"
            ) from error
