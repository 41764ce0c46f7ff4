"""What to stop: asynchronous successive halving (ASHA; Li et al. 2020), as a function of what was measured so far.

Like Tune's, it only stops: the first trial to reach a rung passes it, a later one passes when its value is at least
the (1 - 1 / reduction_factor) quantile of what the others had there. Unlike Tune's, a trial that is trained again
replaces its own values, and the rungs can be filled from the ledger.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from architectures.errors import HpsearchError

SCHEDULERS = ("asha", "none")


@dataclass
class Asha:
    """max_t, grace_period: whole epochs (R and r in the paper). reduction_factor: η. Values are to be maximised."""

    max_t: int
    grace_period: int = 1
    reduction_factor: int = 2
    rungs: dict[int, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def levels(self) -> list[int]:
        """The epochs of the rungs, ascending; max_t is no rung, as what reaches it is done."""
        found, level = [], self.grace_period
        while level < self.max_t:
            found.append(level)
            level *= self.reduction_factor
        return found

    def judge(self, trial: int, epoch: float, value: float) -> bool:
        """Note a trial's value (a fraction of one) at an epoch; whether it may go on."""
        if epoch not in self.levels:
            return True
        rung = self.rungs[int(epoch)]
        others = [v for t, v in rung.items() if t != trial]
        rung[trial] = value
        return not others or bool(value >= np.quantile(others, 1 - 1 / self.reduction_factor))

    def forget(self, trial: int, epoch: float) -> None:
        """Drop what a trial had beyond an epoch: it is trained again from there and judged afresh."""
        for level, rung in self.rungs.items():
            if level > epoch:
                rung.pop(trial, None)


@dataclass
class NoScheduler:
    """Every trial runs to its end."""

    max_t: int

    @property
    def levels(self) -> list[int]:
        """There are no rungs."""
        return []

    def judge(self, trial: int, epoch: float, value: float) -> bool:
        """Go on."""
        return True

    def forget(self, trial: int, epoch: float) -> None:
        """Nothing was kept."""


Scheduler = Asha | NoScheduler


def make_scheduler(name: str, max_t: int) -> Scheduler:
    """The scheduler of that name; raises HpsearchError for an unknown one."""
    if name not in SCHEDULERS:
        raise HpsearchError(f"unknown scheduler '{name}'; known: {', '.join(SCHEDULERS)}")
    return Asha(max_t) if name == "asha" else NoScheduler(max_t)
