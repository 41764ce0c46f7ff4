"""The rehearsal: plays a search many times with made-up accuracies, to know its epochs and its wall clock beforehand.

ASHA's luck is part of the answer: which trials come first decides how many go on, and so 60 trials train 200 epochs or
600.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from search.forecast.forecast import Plan
from search.forecast.seconds import Times
from search.history.events import Asked
from search.history.ledger import MemoryLedger
from search.history.record import Run
from search.run.driver import Driver
from search.run.engines.simulated import Clock, Step, simulate
from search.run.shelf import NoShelf
from search.schedulers.scheduler import Scheduler, make_scheduler
from trainables.worker.task import Task

GAMES = 100  # searches that are simulated for a forecast

# What the random accuracies are like, from the committed searches (see benchmarks/README.md): so many trials never
# learn and stay at chance together; the others keep their rank from rung to rung but for this much noise.
_NEVER_LEARN = 0.2
_NOISE = 0.25
_TPE_IMPROVES = 1.0  # standard deviations from the first to the last draw: 40 trials train a fifth more epochs


def rehearse(plan: Plan, found: Times, slots: int, games: int = GAMES) -> list[tuple[float, float]]:
    """Epochs and seconds of so many random searches of a plan. found: the times of its configurations."""
    epochs = [config.training.epochs or plan.max_t for config in plan.configs]
    improves = _TPE_IMPROVES if plan.sampler == "tpe" else 0.0

    def scheduler() -> Scheduler:
        return make_scheduler(plan.scheduler, max_t=plan.max_t, samples=len(plan.order), **plan.options)

    return [play(found, epochs, plan.order, scheduler(), slots, seed, improves) for seed in range(games)]


def play(
    found: Times,
    epochs: Sequence[int],
    order: Sequence[int],
    scheduler: Scheduler,
    slots: int,
    seed: int,
    improves: float = 0.0,
) -> tuple[float, float]:
    """One search with random accuracies: epochs trained in all, and seconds until the last slot is free.

    found: times of each configuration. epochs: of each to its end. order: of the trials. scheduler: one that has heard
    nothing yet. improves: by how many standard deviations the last draw is better. Trial n is configuration n; numbers
    past the last one start over.
    """
    rng = np.random.default_rng(seed)
    learns = rng.random(len(order)) >= _NEVER_LEARN
    quality = np.where(learns, rng.normal(size=len(order)) + improves * np.linspace(0, 1, len(order)), -10.0)
    trained, clock = 0.0, Clock()

    def source(driver: Driver) -> Iterator[Run]:
        for trial in order:
            driver.append(_asked(trial, epochs[trial % len(epochs)]))
            yield driver.record.runs[trial, 0]

    def steps(task: Task) -> Iterator[Step]:
        nonlocal trained
        which = task.trial % len(epochs)
        last, before = epochs[which], _begins(task)
        start = found.starts[which]
        # From mark to mark: what a trial has in between changes nothing.
        for epoch in (*(mark for mark in task.marks if before < mark < last), last):
            trained += epoch - before
            seconds, start = start + (epoch - before) * found.epochs[which], 0.0
            value = quality[task.trial] + _NOISE * rng.normal() * learns[task.trial]
            yield seconds, _answer(task, epoch, epoch == last, float(value), seconds)
            before = epoch

    driver = Driver(MemoryLedger(clock=clock), source, scheduler, NoShelf(), clock=clock)
    simulate(driver, steps, slots=slots, clock=clock)
    return trained, clock.now


_IMAGES = 1_000_000  # of a made-up epoch: checkpoints are named after whole numbers of them


def _asked(trial: int, epochs: int) -> Asked:
    config = {"training": {"batch_size": 1, "epochs": epochs}}
    return Asked(
        trial=trial, repeat=0, config=config, params={}, distributions={}, redrawn=0, parameters=0, flops=0, seed=0
    )


def _begins(task: Task) -> float:
    """The epochs that a task's checkpoint has seen, which its name ends with."""
    return int(task.resume_from.rpartition("-")[2].removesuffix(".pt")) / _IMAGES if task.resume_from else 0.0


def _answer(task: Task, epoch: float, is_last: bool, value: float, seconds: float) -> dict[str, object]:
    images = round(epoch * _IMAGES)
    return {
        "state": "done" if is_last else "running",
        "images": images,
        "epoch": epoch,
        "val_accuracy": value,
        "seconds": seconds,
        "checkpoint": f"{task.prefix}-{images}.pt" if task.pauses and not is_last else None,
    }
