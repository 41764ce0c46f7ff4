"""The machine that trains: how many trials at a time, on which device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from architectures.errors import HpsearchError, one_line
from search.machines import host
from search.readable import count
from trainables import limits
from trainables.precision import default_precision

if TYPE_CHECKING:
    from search.machines.nodes import Node

SLOTS_PER_GPU = 8  # at most: more gain little in total, and each trial gets slower (benchmarks/README.md)
_SLOT_BYTES = 2e9  # of GPU memory, at least: a context, the images and a network in training took 1.5e9
_LEAST_BYTES = 100e6  # of GPU memory for images and network, without which no slot is made


class MachineError(HpsearchError):
    """Machines on which a search cannot run or continue: one line."""


class StartError(HpsearchError):
    """Ray or its workers do not start; one line says why."""

    exit_code = 1


@dataclass(frozen=True)
class Machine:
    """The machines, seen as one, on which a session computes."""

    slots: int
    """Trials at a time."""

    threads: int
    """CPU threads of each slot."""

    num_gpus: int
    """GPUs that the slots share; 0 if trials train on the CPU."""

    device: str
    """Where trials train: cuda or cpu."""

    precision: str
    """Of training: float32 or bfloat16."""

    address: str | None = None
    """HOST:PORT of the Ray cluster that this process is connected to; None for a local Ray."""

    limit: int | None = None
    """Trials at a time on a cluster that has room for more; None for as many as fit."""


def slots_per_gpu(here: Machine) -> int:
    """How many workers share a GPU; 0 without one."""
    return math.ceil(here.slots / here.num_gpus) if here.num_gpus else 0


def find(parallel: int | None, facts: dict[str, Any] | None = None) -> Machine:
    """This machine.

    parallel: slots; None for as many of the earlier session's as fit here, or the default. facts: of an earlier
    session, whose threads and precision are kept. Raises MachineError when torch cannot use the installed GPUs.
    """
    facts = facts or {}
    gpus = _usable_gpus()
    device = "cuda" if gpus else "cpu"
    cores = limits.cores()
    threads = facts.get("threads") or 1
    slots = parallel or facts.get("slots")
    if not slots or (not parallel and _is_smaller(facts, gpus, cores)):
        fitting = _default_slots(gpus, max(1, cores // threads))
        slots = min(slots or fitting, fitting)
    if gpus:
        slots = _with_memory(slots, gpus, asked=bool(parallel))
    return Machine(
        slots=slots,
        threads=threads,
        num_gpus=gpus,
        device=device,
        precision=facts.get("precision") or default_precision(device),
    )


def _is_smaller(facts: dict[str, Any], gpus: int, cores: int) -> bool:
    """Whether there are fewer cores or GPUs here than where the search began."""
    there = facts.get("machine", {})
    return cores < (there.get("usable_cores") or there.get("cores") or 0) or gpus < len(there.get("gpus") or ())


def _usable_gpus() -> int:
    count = torch.cuda.device_count()
    try:
        for index in range(count):
            torch.cuda.get_device_properties(index)
    except RuntimeError as error:  # a driver that is too old still counts its GPUs
        raise MachineError(
            f"torch {torch.__version__} cannot use the GPUs of this machine ({one_line(error)}): update their driver, "
            "install a torch for it, or set CUDA_VISIBLE_DEVICES= to train on the CPU"
        ) from error
    return count


def _default_slots(gpus: int, cores: int) -> int:
    """One slot for each core, if memory has room. With GPUs, as many as their memory has room for, at most the cores.

    cores: those that this process can keep busy; a container's limit may make them fewer than the machine has.
    """
    if not gpus:
        return max(1, min(cores, host.slots_in(limits.memory()[0])))
    return max(gpus, min(cores, gpus * min(SLOTS_PER_GPU, int(_gpu_memory(gpus) // _SLOT_BYTES))))


def _gpu_memory(gpus: int) -> int:
    """Bytes of the smallest of the GPUs."""
    return min(int(torch.cuda.get_device_properties(index).total_memory) for index in range(gpus))


def _with_memory(slots: int, gpus: int, *, asked: bool) -> int:
    """The slots, or fewer if GPUs lack memory for so many contexts; MachineError then if the user asked for them."""
    memory = _gpu_memory(gpus)
    most = gpus * max(1, int(memory // (limits.GPU_CONTEXT_BYTES + _LEAST_BYTES)))
    if slots > most and asked:
        raise MachineError(
            f"--parallel {slots} is too much for a GPU of {memory / 1e9:.0f} GB: a worker takes "
            f"{limits.GPU_CONTEXT_BYTES / 1e9:g} GB before it trains; at most {most} fit"
        )
    return min(slots, most)


def of_cluster(address: str, nodes: Sequence[Node], parallel: int | None, facts: dict[str, Any] | None) -> Machine:
    """A cluster's machines as one; threads and precision of an earlier session are kept.

    facts: of that session, if any. Raises MachineError when no machine has as many cores as a trial has threads.
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
    device = f"{here.num_gpus} GPU" if here.num_gpus else f"{count(here.threads, 'thread')} each"
    return f"{count(here.slots, 'slot')}, {device}, {here.precision}"
