"""When a training has reached a rung, which is a number of epochs and perhaps a fraction.

A rung within an epoch is reached at the end of a batch: a little later with one batch size than with another. So a
trial's measurement at a rung is the first one there or later.
"""

from bisect import bisect_right
from collections.abc import Sequence

_ROUNDING = 1e-9  # epochs: a rung counts as reached when rounding leaves the epoch this much below it


def has_reached(epoch: float, rung: float) -> bool:
    """Whether a training of so many epochs has reached a rung."""
    return rung <= epoch + _ROUNDING


def num_reached(epoch: float, rungs: Sequence[float]) -> int:
    """How many of these rungs, in ascending order, a training of so many epochs has reached."""
    return bisect_right(rungs, epoch + _ROUNDING)
