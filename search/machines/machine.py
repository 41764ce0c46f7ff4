"""The machine at hand: how many trials it trains at a time, on what."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from architectures.errors import HpsearchError
from trainables.training import default_precision

if TYPE_CHECKING:
    from search.machines.cluster import Node

SLOTS_PER_GPU = 16  # at most; to become the fewest that give 95 % of the most images/s (benchmarks/gpu.py)
_SLOT_BYTES = 2e9  # of GPU memory, at least: a context, the images and a network in training


class MachineError(HpsearchError):
    """Machines that a search cannot go on with: one line."""


@dataclass(frozen=True)
class Machine:
    """What a session computes on.

    threads: of each slot on the CPU. address: of the Ray cluster that this process is connected to, None for a Ray of
    its own. limit: trials at a time where that has room for more.
    """

    slots: int
    threads: int
    num_gpus: int
    device: str
    precision: str
    address: str | None = None
    limit: int | None = None


def slots_per_gpu(here: Machine) -> int:
    """How many workers share a GPU; 0 without one."""
    return math.ceil(here.slots / here.num_gpus) if here.num_gpus else 0


def find(parallel: int | None, facts: dict[str, Any] | None = None) -> Machine:
    """The machine at hand with this many slots; threads and precision of an earlier session are kept."""
    facts = facts or {}
    gpus = torch.cuda.device_count()
    device = "cuda" if gpus else "cpu"
    cores = len(os.sched_getaffinity(0))
    slots = parallel or facts.get("slots") or _default_slots(gpus, cores)
    return Machine(
        slots=slots,
        threads=facts.get("threads") or max(1, cores // slots),
        num_gpus=gpus,
        device=device,
        precision=facts.get("precision") or default_precision(device),
    )


def _default_slots(gpus: int, cores: int) -> int:
    """One a core; on GPUs as many as their memory has room for, and no more than cores that launch work there."""
    if not gpus:
        return cores
    memory = min(torch.cuda.get_device_properties(i).total_memory for i in range(gpus))
    return max(gpus, min(cores, gpus * min(SLOTS_PER_GPU, int(memory // _SLOT_BYTES))))


def of_cluster(address: str, nodes: Sequence[Node], parallel: int | None, facts: dict[str, Any] | None) -> Machine:
    """A cluster's machines as one; threads and precision of an earlier session are kept.

    Raises MachineError when none of them has cores for so many threads.
    """
    facts = facts or {}
    gpus = sum(node.gpus for node in nodes)
    threads = facts.get("threads") or 1
    room = gpus * SLOTS_PER_GPU if gpus else sum(node.cpus // threads for node in nodes)
    if not room and (most := max((node.cpus for node in nodes), default=0)):
        raise MachineError(
            f"a trial of this search takes {threads} threads, as where it began, and no machine of {address} offers "
            f"more than {most} cores; resume it on a machine that does"
        )
    precisions = {node.precision for node in nodes}
    return Machine(
        slots=min(parallel or room, room),
        threads=threads,
        num_gpus=gpus,
        device="cuda" if gpus else "cpu",
        precision=facts.get("precision") or ("bfloat16" if precisions == {"bfloat16"} else "float32"),
        address=address,
        limit=parallel,
    )


def describe(here: Machine) -> str:
    """The machine in a few words."""
    device = f"{here.num_gpus} GPU" if here.num_gpus else f"{here.threads} thread{'s' * (here.threads > 1)} each"
    return f"{here.slots} slots, {device}, {here.precision}"
