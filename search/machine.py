"""The machine at hand: how many trials it trains at a time, on what."""

import math
import os
from dataclasses import dataclass
from typing import Any

import torch

from trainables.loop import default_precision

SLOTS_PER_GPU = 16


@dataclass(frozen=True)
class Machine:
    """What a session computes on. threads: of each slot on the CPU."""

    slots: int
    threads: int
    num_gpus: int
    device: str
    precision: str


def slots_per_gpu(here: Machine) -> int:
    """How many workers share a GPU; 0 without one."""
    return math.ceil(here.slots / here.num_gpus) if here.num_gpus else 0


def find_machine(parallel: int | None, facts: dict[str, Any] | None = None) -> Machine:
    """The machine at hand with this many slots; threads and precision of an earlier session are kept."""
    facts = facts or {}
    gpus = torch.cuda.device_count()
    device = "cuda" if gpus else "cpu"
    cores = len(os.sched_getaffinity(0))
    slots = parallel or facts.get("slots") or (gpus * SLOTS_PER_GPU if gpus else cores)
    return Machine(
        slots=slots,
        threads=facts.get("threads") or max(1, cores // slots),
        num_gpus=gpus,
        device=device,
        precision=facts.get("precision") or default_precision(device),
    )


def describe(here: Machine) -> str:
    """The machine in a few words."""
    device = f"{here.num_gpus} GPU" if here.num_gpus else f"{here.threads} thread{'s' * (here.threads > 1)} each"
    return f"{here.slots} slots, {device}, {here.precision}"
