"""The machine that trains: how many trials at a time, on which device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from architectures.errors import HpsearchError, one_line
from search.machines import gpus, host
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
    memory = _gpu_memory()
    num_gpus = len(memory)
    device = "cuda" if num_gpus else "cpu"
    cores = limits.cores()
    threads = facts.get("threads") or 1
    slots = parallel or facts.get("slots")
    if not slots or (not parallel and _is_smaller(facts, num_gpus, cores)):
        fitting = _default_slots(memory, max(1, cores // threads))
        slots = min(slots or fitting, fitting)
    if memory:
        slots = _with_memory(slots, memory, asked=bool(parallel))
    return Machine(
        slots=slots,
        threads=threads,
        num_gpus=num_gpus,
        device=device,
        precision=facts.get("precision") or default_precision(device),
    )


def _is_smaller(facts: dict[str, Any], num_gpus: int, cores: int) -> bool:
    """Whether there are fewer cores or GPUs here than where the search began."""
    there = facts.get("machine", {})
    return cores < (there.get("usable_cores") or there.get("cores") or 0) or num_gpus < len(there.get("gpus") or ())


def _gpu_memory() -> list[int]:
    """Bytes of each GPU; raises MachineError if torch cannot use the installed ones."""
    try:
        return gpus.memory()
    except RuntimeError as error:
        raise MachineError(
            f"torch {version('torch')} cannot use the GPUs of this machine ({one_line(error)}): update their driver, "
            "install a torch for it, or set CUDA_VISIBLE_DEVICES= to train on the CPU"
        ) from error


def _default_slots(memory: Sequence[int], cores: int) -> int:
    """One slot for each core, if memory has room. With GPUs, as many as their memory has room for, at most the cores.

    memory: bytes of each GPU. cores: those that this process can keep busy; a container's limit may make them fewer
    than the machine has.
    """
    if not memory:
        return max(1, min(cores, host.slots_in(limits.memory()[0])))
    return max(len(memory), min(cores, len(memory) * min(SLOTS_PER_GPU, int(min(memory) // _SLOT_BYTES))))


def _with_memory(slots: int, memory: Sequence[int], *, asked: bool) -> int:
    """The slots, or fewer if GPUs lack memory for so many contexts; MachineError then if the user asked for them."""
    smallest = min(memory)
    most = len(memory) * max(1, int(smallest // (limits.GPU_CONTEXT_BYTES + _LEAST_BYTES)))
    if slots > most and asked:
        raise MachineError(
            f"--parallel {slots} is too much for a GPU of {smallest / 1e9:.0f} GB: a worker takes "
            f"{limits.GPU_CONTEXT_BYTES / 1e9:g} GB before it trains; at most {most} fit"
        )
    return min(slots, most)


def of_cluster(address: str, nodes: Sequence[Node], parallel: int | None, facts: dict[str, Any] | None) -> Machine:
    """A cluster's machines as one; threads and precision of an earlier session are kept.

    facts: of that session, if any. Raises MachineError when no machine has as many cores as a trial has threads.
    """
    facts = facts or {}
    num_gpus = sum(node.gpus for node in nodes)
    threads = facts.get("threads") or 1
    room = num_gpus * SLOTS_PER_GPU if num_gpus else sum(node.cpus // threads for node in nodes)
    if not room and (most := max((node.cpus for node in nodes), default=0)):
        raise MachineError(
            f"a trial of this search takes {threads} threads, as where it began, and no machine of {address} offers "
            f"more than {most} cores; resume it on a machine that does"
        )
    precisions = {node.precision for node in nodes}
    return Machine(
        slots=min(parallel or room, room),
        threads=threads,
        num_gpus=num_gpus,
        device="cuda" if num_gpus else "cpu",
        precision=facts.get("precision") or ("bfloat16" if precisions == {"bfloat16"} else "float32"),
        address=address,
        limit=parallel,
    )


def describe(here: Machine) -> str:
    """The machine in a few words."""
    device = f"{here.num_gpus} GPU" if here.num_gpus else f"{count(here.threads, 'thread')} each"
    return f"{count(here.slots, 'slot')}, {device}, {here.precision}"
