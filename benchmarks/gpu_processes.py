"""Several processes of `gpu.py` on one device: their speed together, and what one that fails does to the others."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import torch
from gpu_step import Case, Setup, make_training, measured

from search.machines.mps import service
from trainables.training import Training

PATIENCE = 120.0  # seconds that a process waits for the others, which warm up; a table is then lost, and not the run


def together(cases: Sequence[Case], setup: Setup, processes: int, seconds: float) -> list[float | str]:
    """Images/s of all processes for each case, or why there are none.

    All images over the longest process's time, so that none is credited for having the device to itself at the end.
    """
    context = torch.multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes, timeout=PATIENCE + seconds), context.SimpleQueue()
    torch.multiprocessing.spawn(one_of, (cases, setup, processes, seconds, barrier, results), nprocs=processes)
    found: list[float | str] = []
    for windows in zip(*(results.get() for _ in range(processes)), strict=True):
        words = [each for each in windows if isinstance(each, str)]
        if words:
            found.append(words[0])
        else:
            found.append(sum(images for images, _ in windows) / max(took for _, took in windows))
    return found


def one_of(
    _rank: int, cases: Sequence[Case], setup: Setup, processes: int, seconds: float, barrier: Any, results: Any
) -> None:
    """One process with its share of memory and threads; puts a `window` for each case."""
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    if setup.device == "cuda":
        torch.cuda.set_per_process_memory_fraction(0.9 / processes)  # a tenth is left to the CUDA contexts
    results.put([window(case, setup, seconds, barrier) for case in cases])


def window(case: Case, setup: Setup, seconds: float, barrier: Any) -> tuple[int, float] | str:
    """Images, and the seconds they took, of epochs begun within `seconds` after all processes have warmed up."""
    training = measured(warm_training, case, setup)
    barrier.wait()
    found = training if isinstance(training, str) else measured(train_for, training, seconds)
    barrier.wait()  # the next case begins when all have measured this one
    return found


def survivors(case: Case, setup: Setup, processes: int, seconds: float) -> int:
    """How many of the others train on for `seconds` after one process has made the device fail."""
    context = torch.multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes, timeout=PATIENCE + seconds)
    everyone = [
        context.Process(target=beside_a_failure, args=(rank, case, setup, seconds, barrier))
        for rank in range(processes)
    ]
    for process in everyone:
        process.start()
    ends = time.monotonic() + PATIENCE + 2 * seconds
    for process in everyone:
        process.join(max(0.0, ends - time.monotonic()))
        if process.is_alive():  # waiting for a device that failed
            process.kill()
            process.join()
    if barrier.broken:
        raise RuntimeError("not all processes have warmed up")
    return sum(process.exitcode == 0 for process in everyone[1:])


def beside_a_failure(rank: int, case: Case, setup: Setup, seconds: float, barrier: Any) -> None:
    try:
        training = warm_training(case, setup)
    except BaseException:
        barrier.abort()  # the others would wait for this one
        raise
    barrier.wait()
    if rank == 0:
        with suppress(IndexError, RuntimeError):  # this failure is meant
            print(torch.zeros(1, device=setup.device)[torch.tensor([1], device=setup.device)])
        sys.exit(1)
    train_for(training, seconds)


@contextmanager
def mps(setup: Setup) -> Iterator[bool]:
    """NVIDIA's MPS for processes that start within this, as a search starts it; False where there is none."""
    if setup.device != "cuda":
        yield False
        return
    with service() as trouble:
        print(trouble or "MPS runs", file=sys.stderr)
        yield trouble is None


def warm_training(case: Case, setup: Setup) -> Training:
    training = make_training(case, setup)
    training.run_segment()
    return training


def train_for(training: Training, seconds: float) -> tuple[int, float]:
    before, start = training.images, time.perf_counter()
    while time.perf_counter() - start < seconds:
        training.run_segment()
    return training.images - before, time.perf_counter() - start
