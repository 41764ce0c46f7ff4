"""ASHA as it was published, by promotion (Li et al. 2020, "A system for massively parallel hyperparameter tuning").

A trial is promoted if it is among the best 1 / reduction_factor of all trials that have reached its rung; the deepest
rung is checked first. If there is no such trial, a new one begins. The paper draws new trials without end. Here a
search may be so small that this share of a rung is less than one trial: then the best one is still trained to the end.
"""

from collections.abc import Sequence

from search.schedulers.promoting import Promoting
from search.schedulers.scheduler import ladder, scheduler

_ROUNDING = 1e-9  # trials: rounding error of a quotient that is a whole number


@scheduler("asha-promote")
class AshaPromote(Promoting):
    """Promotes a trial from a rung once it is among the best there."""

    same_on_any_slots = False

    def __init__(
        self,
        max_t: int,
        samples: int,
        also: Sequence[str] = (),
        *,
        grace_period: float = 1.0,
        reduction_factor: float = 2.0,
    ) -> None:
        """max_t, grace_period: epochs (R and r in the paper). samples: trials. also: costs. reduction_factor: η."""
        super().__init__(tuple(ladder(grace_period, reduction_factor, max_t)), samples, also)
        self._factor = reduction_factor

    def worth(self, values: list[float]) -> float:
        """The value at the rung."""
        return values[-1]

    def promotes(self, level: int) -> bool:
        """Whether the best waiting trial is among the best of all that have reached the rung."""
        here = self.levels[level]
        return here.best()[1] < int(len(here.points) / self._factor + _ROUNDING)
