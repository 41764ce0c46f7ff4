"""The machine that trains: how many trials at a time, on which device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from architectures.errors import HpsearchError, one_line
from search.machines import gpus, slots
from search.readable import count
from trainables import limits
from trainables.precision import default_precision

if TYPE_CHECKING:
    from search.machines.nodes import Node


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

    room: int = 0
    """Trials at a time that fit, whether or not others are asked for."""

    memory: int = 0
    """Bytes that each trial takes of the memory that a cluster's nodes offer to Ray; 0 if cores alone limit trials."""


def slots_per_gpu(here: Machine) -> int:
    """How many workers share a GPU; 0 without one."""
    return math.ceil(here.slots / here.num_gpus) if here.num_gpus else 0


def find(parallel: int | None, facts: dict[str, Any] | None = None) -> Machine:
    """This machine.

    parallel: slots; None for as many as fit. facts: of the launch: threads and precision are kept, and the slots too,
    unless fewer fit here than there. Raises MachineError when torch cannot use the installed GPUs, or when these have
    too little memory for the slots that are asked for.
    """
    facts = facts or {}
    memory = _gpu_memory()
    num_gpus = len(memory)
    device = "cuda" if num_gpus else "cpu"
    threads = facts.get("threads") or 1
    cores = max(1, limits.cores() // threads)
    fitting = slots.on_cores(cores, limits.memory()[0])
    if memory:
        fitting = slots.on_gpus(memory, fitting)
    wanted = parallel or facts.get("slots") or fitting
    if not parallel and fitting < _room_at_launch(facts, threads):
        wanted = min(wanted, fitting)
    if memory:
        wanted = _with_memory(wanted, memory, asked=bool(parallel))
    return Machine(
        slots=wanted,
        threads=threads,
        num_gpus=num_gpus,
        device=device,
        precision=facts.get("precision") or default_precision(device),
        room=fitting,
    )


def _room_at_launch(facts: dict[str, Any], threads: int) -> int:
    """How many trials at a time fitted where the search began; 0 if that is unknown."""
    if "room" in facts:
        return int(facts["room"])
    there = facts.get("machine", {})  # versions before this one recorded no more
    cores, num_gpus = (there.get("usable_cores") or there.get("cores") or 0) // threads, len(there.get("gpus") or ())
    return min(cores, num_gpus * slots.SLOTS_PER_GPU) if num_gpus else cores


def _gpu_memory() -> list[int]:
    """Bytes of each GPU; raises MachineError if torch cannot use the installed ones."""
    try:
        return gpus.memory()
    except RuntimeError as error:
        raise MachineError(
            f"torch {version('torch')} cannot use the GPUs of this machine ({one_line(error)}): update their driver, "
            "install a torch for it, or set CUDA_VISIBLE_DEVICES= to train on the CPU"
        ) from error


def _with_memory(wanted: int, memory: Sequence[int], *, asked: bool) -> int:
    """The slots, or fewer if GPUs lack memory for so many contexts; MachineError then if the user asked for them."""
    smallest = min(memory)
    most = len(memory) * slots.contexts_in(smallest)
    if wanted > most and asked:
        raise MachineError(
            f"--parallel {wanted} is too much for a GPU of {smallest / 1e9:.0f} GB: a worker takes "
            f"{limits.GPU_CONTEXT_BYTES / 1e9:g} GB before it trains; at most {most} fit"
        )
    return min(wanted, most)


def of_cluster(address: str, nodes: Sequence[Node], parallel: int | None, facts: dict[str, Any] | None) -> Machine:
    """A cluster's machines as one; threads and precision of an earlier session are kept.

    parallel: slots, as far as the nodes have cores or GPUs for them; None for as many as also have enough memory.
    facts: of that session, if any. There are no slots while no node trains: others may join. Raises MachineError when
    no machine has as many cores as a trial has threads.
    """
    facts = facts or {}
    threads = facts.get("threads") or 1
    training = slots.that_train(nodes, threads)
    if not training and (most := max((node.cpus for node in nodes), default=0)):
        raise MachineError(
            f"a trial of this search takes {threads} threads, as at the launch, and no machine of {address} offers "
            f"more than {most} cores; resume it on one that does"
        )
    num_gpus, memory = sum(node.gpus for node in training), 0
    if num_gpus:
        most = num_gpus * slots.sharers(training, threads, asked=True)
        room = num_gpus * slots.sharers(training, threads, asked=False)
    else:
        most = sum(node.cpus // threads for node in training)
        room, memory = slots.on_nodes(training, threads)
    precisions = {node.precision for node in training}
    return Machine(
        slots=min(parallel, most) if parallel else room,
        threads=threads,
        num_gpus=num_gpus,
        device="cuda" if num_gpus else "cpu",
        precision=facts.get("precision") or ("bfloat16" if precisions == {"bfloat16"} else "float32"),
        address=address,
        limit=parallel,
        room=room,
        memory=0 if parallel else memory,
    )


def describe(here: Machine) -> str:
    """The machine in a few words."""
    device = f"{here.num_gpus} GPU" if here.num_gpus else f"{count(here.threads, 'thread')} each"
    return f"{count(here.slots, 'slot')}, {device}, {here.precision}"
