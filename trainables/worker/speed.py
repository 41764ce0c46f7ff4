"""How fast a machine trains, as `trainables.worker.measure` measures it. Without torch, for the driver."""

from dataclasses import dataclass

from trainables.batches import AUGMENTED_TOGETHER

SECONDS = 2.0  # of calibration in each slot
STEPS = 2  # timed at first; those before them, which allocate and choose kernels, are timed separately
LARGEST_BATCH = 64  # images; time is nearly proportional beyond, and the widest networks take a second for 256


@dataclass(frozen=True)
class Speed:
    """How long the training of a configuration takes on this machine."""

    batch: int
    """Images in a step."""

    step: float
    """Seconds that a step takes once the process is warm."""

    start: float
    """Seconds that a trial takes beyond its steps."""


def images_for(batch: int) -> int:
    """Images that `measure` can use for a batch of this size."""
    return max(STEPS * batch, AUGMENTED_TOGETHER)
