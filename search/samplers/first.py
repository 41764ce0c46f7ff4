"""Configurations that are tried before anything is drawn, because a user wants it."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.history.record import Run
from search.samplers.optuna_sampler import as_draw
from search.samplers.sampler import Draw, Sampler
from search.spaces.explorer import found_in
from search.spaces.space import Function
from trainables.config import Config


@dataclass(frozen=True)
class FirstThen:
    """Trial n is configuration n while there is one; the others are drawn."""

    first: Sequence[Draw]
    """The configurations to try first."""
    then: Sampler
    """The sampler of the others."""

    def draw(self, trial: int) -> Draw | None:
        """The trial's configuration."""
        return self.first[trial] if trial < len(self.first) else self.then.draw(trial)

    def tell(self, run: Run) -> None:
        """Pass a run to the sampler, which learns from all trials."""
        self.then.tell(run)


def draw_of(function: Function, config: Config) -> Draw:
    """A configuration as a draw; without parameters, so nothing is learnt from it, if the space cannot draw it."""
    found = found_in(function, config)
    return Draw(config, {}, {}) if found is None else as_draw(found)
