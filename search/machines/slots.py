"""How many trials at a time fit on a machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from search.machines import host
from trainables import limits

if TYPE_CHECKING:
    from search.machines.nodes import Node

SLOTS_PER_GPU = 8  # at most: more gain little in total, and each trial gets slower (benchmarks/README.md)
_SLOT_BYTES = 2e9  # of GPU memory, at least: a context, the images and a network in training took 1.5e9


def on_cores(cores: int, memory: int) -> int:
    """The default without a GPU: one slot for each core, if memory has room.

    cores: those that can be kept busy, divided by the threads of a slot; a container's limit may make them fewer than
    the machine has. memory: bytes of the machine, or of a container with less.
    """
    return max(1, min(cores, host.slots_in(memory)))


def on_gpus(memory: Sequence[int], most: int) -> int:
    """The default with GPUs: as many slots as their memory has room for, and at least one for each GPU.

    memory: bytes of each GPU. most: as many as there would be without GPUs.
    """
    return max(len(memory), min(most, len(memory) * min(SLOTS_PER_GPU, int(min(memory) // _SLOT_BYTES))))


def contexts_in(memory: int) -> int:
    """How many workers can share a GPU with so many bytes, if each has almost no room to train."""
    return max(1, int(memory // (limits.GPU_CONTEXT_BYTES + limits.GPU_LEAST_BYTES)))


# ---- on a cluster


def that_train(nodes: Iterable[Node], threads: int = 1) -> list[Node]:
    """The nodes that trials train on: those with GPUs if there are any, else those with enough cores for a trial."""
    nodes = list(nodes)
    return [node for node in nodes if node.gpus] or [node for node in nodes if node.cpus >= threads]


def sharers(nodes: Iterable[Node], threads: int, *, asked: bool) -> int:
    """How many trials share each GPU: to Ray they take the same part of every GPU, so the smallest machine decides.

    asked: whether the user sets the number of trials, which memory for their contexts then limits, and nothing else.
    """
    found = []
    for node in nodes:
        smallest = min(node.gpu_memory, default=int(SLOTS_PER_GPU * _SLOT_BYTES))  # enough, if unknown
        if asked:
            found.append(min(SLOTS_PER_GPU, contexts_in(smallest)))
        else:
            most = max(1, (node.cpus or node.cores or 1) // threads)
            if node.total_memory is not None:
                most = on_cores(most, node.total_memory)
            found.append(on_gpus([smallest] * node.gpus, most) // node.gpus)
    return min(found)


def on_nodes(nodes: Iterable[Node], threads: int) -> tuple[int, int]:
    """The default on nodes without GPUs, and the bytes of Ray's memory that each trial takes.

    Ray fills a node's cores unless trials also take some of the memory that it offers. 0 bytes if every node has
    memory enough for its cores. Trials take the same on all nodes, so some nodes may get fewer than fit, but none more.
    """
    nodes = list(nodes)
    least = 0
    shares: list[int] = []
    small: list[int] = []
    for node in nodes:
        cores = node.cpus // threads
        if node.total_memory is None or (fitting := on_cores(cores, node.total_memory)) >= cores:
            continue
        least = max(least, node.memory // (fitting + 1) + 1)  # with a smaller share the node would get one more
        (shares if host.slots_in(node.total_memory) else small).append(node.memory // fitting)
    # A node that is too small for one trial would let all others take as little as it has.
    share = max(least, min(shares or small, default=0))
    return sum(min(node.cpus // threads, node.memory // share if share else node.cpus) for node in nodes), share
