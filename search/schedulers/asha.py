"""Asynchronous successive halving (ASHA; Li et al. 2020, "A system for massively parallel hyperparameter tuning").

Like Tune's, it only stops: the first trial to reach a rung passes it, and a later one passes when its value is at least
the (1 - 1 / reduction_factor) quantile of what the others had there. Unlike Tune's, a trial that is trained again
replaces its own values, and the rungs are rebuilt from the ledger.
"""

from search.history.events import Decision, Event, Measured, Started
from search.schedulers.scheduler import ROUNDING, ladder, scheduler


@scheduler("asha")
class Asha:
    """Stops the trials below the others at each rung."""

    pauses = False
    same_on_any_slots = False

    def __init__(self, max_t: int, *, grace_period: float = 1.0, reduction_factor: float = 2.0) -> None:
        """max_t, grace_period: epochs (R and r in the paper). reduction_factor: η."""
        self._share = 1 - 1 / reduction_factor
        self.rungs = tuple(ladder(grace_period, reduction_factor, max_t))
        self._values: list[dict[int, tuple[int, float]]] = [{} for _ in self.rungs]

    def values(self, rung: int) -> dict[int, float]:
        """What each trial had at a rung, by its index."""
        return {trial: value for trial, (_, value) in self._values[rung].items()}

    def decide(self, trial: int, epoch: float, value: float) -> Decision:
        """Stop a trial whose value at a rung is below the others'."""
        rung = self._rung_due(trial, epoch)
        if rung is None:
            return Decision.CONTINUE
        others = list(self.values(rung).values())
        if not others:
            return Decision.CONTINUE
        import numpy as np  # imported late: the command line lists schedulers without it

        return Decision.CONTINUE if value >= np.quantile(others, self._share) else Decision.STOP

    def choose(self) -> None:
        """No trial is ever paused."""

    def hear(self, event: Event) -> None:
        """Note a value at a rung, or forget those that a trial reaches again."""
        match event:
            case Measured(repeat=0) if event.decision is not Decision.END:
                rung = self._rung_due(event.trial, event.epoch)
                if rung is not None and event.value is not None:
                    self._values[rung][event.trial] = (event.images, event.value)
            case Started(repeat=0):
                for values in self._values:
                    if event.trial in values and values[event.trial][0] > event.images:
                        del values[event.trial]

    def _rung_due(self, trial: int, epoch: float) -> int | None:
        """The index of the rung that a trial has just reached, if it has."""
        reached = sum(level <= epoch + ROUNDING for level in self.rungs)
        return reached - 1 if reached and trial not in self._values[reached - 1] else None
