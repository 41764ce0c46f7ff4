"""Successive halving with quotas: asynchronous, with the same result on any number of slots.

Successive halving (Jamieson and Talwalkar 2016) promotes a fixed number of trials from each rung, the best ones. Here
no trial waits for a whole rung: it is promoted as soon as no result that is still missing can prevent it. So the trials
and how far each is trained are the same as in halving rung by rung, whatever the slots and their speeds; only the times
differ. With several objectives any result may change the order of the others, so a rung is completed first.
"""

import math
from collections.abc import Sequence
from functools import cache

from search.schedulers.promoting import Promoting
from search.schedulers.scheduler import ladder, scheduler

_LEAST = 2  # trials that every rung promotes, at least
_ROUNDING = 1e-9  # trials: rounding error of a product that is a whole number


@scheduler("halving")
class Halving(Promoting):
    """Promotes the best share of the trials from each rung; each rung has twice the epochs of the one before."""

    def __init__(
        self, max_t: int, samples: int, also: Sequence[str] = (), *, grace_period: float = 0.5, keep: float = 0.6
    ) -> None:
        """max_t, grace_period: epochs. samples: trials. also: further objectives. keep: the share promoted."""
        super().__init__(tuple(ladder(grace_period, 2, max_t)), samples, also)
        self.same_on_any_slots = not self.objectives.depends_on_the_clock
        self._keep = keep

    def worth(self, values: list[float]) -> float:
        """The best value up to the rung."""
        return max(values)

    def promotes(self, level: int) -> bool:
        """Whether the next level has room even if all trials still to come are better than the best waiting one."""
        room = self.room()
        here, above = self.levels[level], self.levels[level + 1]
        coming = len(here.busy) + max(0, room[level] - here.entered)
        if self.objectives.several and coming:
            return False
        return above.entered + 1 + coming <= room[level + 1]

    def room(self) -> list[int]:
        """How many trials each level takes: its quota, or fewer if fewer can still come from the level below."""
        room = [self.samples]
        quotas = _quotas(self.samples, self._keep, len(self.rungs))
        for quota, below in zip(quotas, self.levels, strict=False):
            room.append(min(quota, room[-1] - len(below.ended)))
        return room


@cache
def _quotas(samples: int, keep: float, rungs: int) -> list[int]:
    """How many trials are promoted from each rung, if enough reach it."""
    return [max(_LEAST, math.ceil(samples * keep**number - _ROUNDING)) for number in range(1, rungs + 1)]
