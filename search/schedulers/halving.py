"""Successive halving with quotas, asynchronous, and the same on any number of slots.

Successive halving (Jamieson and Talwalkar 2016) lets a fixed number of trials go on from each rung, the best ones. Here
nobody waits for a whole rung: a trial goes on as soon as no result that is still to come can change that it does. So
the trials and how far each is trained are those of halving rung by rung, whatever the slots and their speeds; they
differ only in when. Of several objectives every result may change the order of the others: there a rung is waited for.
"""

import math
from collections.abc import Sequence
from functools import cache

from search.schedulers.promoting import Promoting
from search.schedulers.scheduler import ladder, scheduler

_LEAST = 2  # trials that every rung lets go on
_ROUNDING = 1e-9  # trials: what floating point adds to a product that is whole


@scheduler("halving")
class Halving(Promoting):
    """Lets the best share of the trials go on from each rung; rungs double."""

    def __init__(
        self, max_t: int, samples: int, also: Sequence[str] = (), *, grace_period: float = 0.5, keep: float = 0.6
    ) -> None:
        """max_t, grace_period: epochs. samples: trials. also: costs that count too. keep: the share that goes on."""
        super().__init__(tuple(ladder(grace_period, 2, max_t)), samples, also)
        self.same_on_any_slots = not self.objectives.depends_on_the_clock
        self._keep = keep

    def worth(self, values: list[float]) -> float:
        """The best up to the rung."""
        return max(values)

    def promotes(self, level: int) -> bool:
        """Whether there is room above even if all that are still to come were better than the one that waits."""
        room = self.room()
        here, above = self.levels[level], self.levels[level + 1]
        coming = len(here.busy) + max(0, room[level] - here.entered)
        if self.objectives.several and coming:
            return False
        return above.entered + 1 + coming <= room[level + 1]

    def room(self) -> list[int]:
        """How many trials each level takes: its quota, or as many as can still come from the level below."""
        room = [self.samples]
        quotas = _quotas(self.samples, self._keep, len(self.rungs))
        for quota, below in zip(quotas, self.levels, strict=False):
            room.append(min(quota, room[-1] - len(below.ended)))
        return room


@cache
def _quotas(samples: int, keep: float, rungs: int) -> list[int]:
    """How many trials go on from each rung, if enough come to it."""
    return [max(_LEAST, math.ceil(samples * keep**number - _ROUNDING)) for number in range(1, rungs + 1)]
