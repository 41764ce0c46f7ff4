"""ASHA as it was published, by promotion (Li et al. 2020, "A system for massively parallel hyperparameter tuning").

A trial goes on from a rung while it is among the best 1 / reduction_factor of all that have reached the rung, the
deepest rung first; where nobody is, a new trial begins. The paper draws without end. Here, where a search is so small
that no share of a rung is a whole trial, the best one is trained to the end all the same.
"""

from collections.abc import Sequence

from search.schedulers.promoting import Promoting
from search.schedulers.scheduler import ladder, scheduler

_ROUNDING = 1e-9  # trials: what floating point takes from a quotient that is whole


@scheduler("asha-promote")
class AshaPromote(Promoting):
    """Lets a trial go on from a rung once it is among the best there."""

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
        """max_t, grace_period: epochs (R and r in the paper). samples: trials. also: costs too. reduction_factor: η."""
        super().__init__(tuple(ladder(grace_period, reduction_factor, max_t)), samples, also)
        self._factor = reduction_factor

    def worth(self, values: list[float]) -> float:
        """The value at the rung."""
        return values[-1]

    def promotes(self, level: int) -> bool:
        """Whether the one that waits is among the best of all that have reached the rung."""
        here = self.levels[level]
        return here.order.index(here.best()) < int(len(here.order) / self._factor + _ROUNDING)
