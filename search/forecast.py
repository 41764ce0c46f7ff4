"""What a search will cost, before it is paid: draws, sizes, seconds an epoch on this machine, epochs under ASHA, time.

Seconds come from real training steps of some of the drawn configurations, in as many processes as there are slots, so
that they slow each other down as they will in the search. The rest of a family is scaled by its FLOPs. Epochs and wall
clock come from playing the search with random accuracies, many times.
"""

import heapq
import multiprocessing
import os
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch

from architectures.cost import Cost
from search.machine import Machine
from search.sampler import Draw
from search.scheduler import make_scheduler
from trainables.config import Config
from trainables.datasets import Images
from trainables.loop import Resident, Training

MOST_MEASURED = 24  # configurations that are calibrated; more cost more than they tell
STEPS = 3  # timed steps of each, after one that is not
GAMES = 40  # random searches that are played

#: Tensors as large as the weights that an optimizer keeps, with the settings that the published ranges have.
_OPTIMIZER_STATES = {"adam": 2, "rmsprop": 2, "adagrad": 1, "sgd": 1}


class ForecastError(ValueError):
    """A search that cannot be forecast, as a step of it failed."""


@dataclass(frozen=True)
class Spread:
    """A figure's low end, middle and high end: minimum, median, maximum, or the 10th, 50th and 90th per cent."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What a search would be. seconds are wall clock on the machine's slots; memory and disk are bytes."""

    families: list[dict[str, Any]]
    impossible: dict[str, int]
    epochs: Spread
    seconds: Spread
    memory: int
    disk: int
    warnings: list[str]


def forecast(
    draws: Sequence[Draw],
    configs: Sequence[Config],
    costs: Sequence[Cost],
    images: Images,
    num_train: int,
    scheduler: str,
    max_t: int,
    here: Machine,
    folder: Path,
) -> Forecast:
    """The forecast of a search of these draws; `configs` are theirs with epochs and augmentation filled in."""
    per_image = calibrate(configs, costs, images, here)
    # A validation image costs the forward third of a training image.
    seconds = [each * (num_train + (len(images) - num_train) / 3) for each in per_image]
    games = [
        play(seconds, [c.training.epochs or max_t for c in configs], scheduler, max_t, here.slots, seed)
        for seed in range(GAMES)
    ]
    memory = sorted((memory_of(config, cost) for config, cost in zip(configs, costs, strict=True)), reverse=True)
    checkpoints = sorted((_state_bytes(c, k) for c, k in zip(configs, costs, strict=True)), reverse=True)
    needed, disk = sum(memory[: here.slots]), sum(checkpoints[: here.slots])
    return Forecast(
        families=_families(configs, costs, seconds, memory_of),
        impossible=dict(Counter(reason for draw in draws for reason in draw.impossible).most_common()),
        epochs=_quantiles([epochs for epochs, _ in games]),
        seconds=_quantiles([wall for _, wall in games]),
        memory=needed,
        disk=disk,
        warnings=_warnings(needed, disk, here, folder),
    )


def play(
    seconds: Sequence[float], epochs: Sequence[int], scheduler: str, max_t: int, slots: int, seed: int
) -> tuple[int, float]:
    """One search with random accuracies: epochs trained in all, and seconds until the last slot is free.

    seconds: of an epoch, for each trial in the order of drawing. epochs: to each trial's end. Better trials tend to
    stay better from rung to rung, as they do.
    """
    rng = np.random.default_rng(seed)
    quality = rng.normal(size=len(seconds))
    judge = make_scheduler(scheduler, max_t)
    waiting = iter(range(len(seconds)))
    busy = [(seconds[trial], trial, 1) for trial in islice(waiting, slots)]  # (an epoch's end, trial, epoch)
    heapq.heapify(busy)
    trained, now = 0, 0.0
    while busy:
        now, trial, epoch = heapq.heappop(busy)
        trained += 1
        goes_on = epoch < epochs[trial] and judge.judge(trial, epoch, quality[trial] + 0.5 * rng.normal())
        following: int | None = trial if goes_on else next(waiting, None)
        if following is not None:
            heapq.heappush(busy, (now + seconds[following], following, epoch + 1 if goes_on else 1))
    return trained, now


def calibrate(configs: Sequence[Config], costs: Sequence[Cost], images: Images, here: Machine) -> list[float]:
    """Seconds of training for an image of each configuration, from real steps of up to `MOST_MEASURED` of them."""
    chosen = _spread_over_families(configs)[:MOST_MEASURED]
    sample = images.take(np.arange(min(len(images), max(configs[i].training.batch_size for i in chosen))))
    workers = min(here.slots, os.cpu_count() or 1, len(chosen))
    shares = [chosen[worker::workers] for worker in range(workers)]
    found: dict[int, float] = {}
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        asked = [pool.submit(_measure, [configs[i] for i in share], sample, here) for share in shares]
        for share, answer in zip(shares, asked, strict=True):
            try:
                found |= dict(zip(share, answer.result(), strict=True))
            except Exception as error:
                raise ForecastError(f"a step of training failed: {type(error).__name__}: {error}") from error
    rates: dict[str, list[float]] = {}
    for i, each in found.items():
        rates.setdefault(configs[i].network.name, []).append(each / max(1, costs[i].flops))
    return [
        found[i] if i in found else float(np.median(rates[config.network.name])) * costs[i].flops
        for i, config in enumerate(configs)
    ]


def memory_of(config: Config, cost: Cost) -> int:
    """Bytes that a trial needs beside torch itself: weights, gradients, optimizer and a batch's activations."""
    batch = config.training.batch_size * cost.activation_bytes
    return _state_bytes(config, cost) + 4 * cost.parameters + 2 * batch  # gradients of activations pass by as well


def _state_bytes(config: Config, cost: Cost) -> int:
    return 4 * cost.parameters * (1 + _OPTIMIZER_STATES[config.optimizer.name])


def _measure(configs: list[Config], images: Images, here: Machine) -> list[float]:
    """Seconds an image of each configuration; runs in a process of its own."""
    torch.set_num_threads(here.threads)
    resident = Resident.of(images, here.device)
    return [_seconds_an_image(config, resident, here) for config in configs]


def _seconds_an_image(config: Config, images: Resident, here: Machine) -> float:
    size = min(config.training.batch_size, len(images))
    batch = Resident(images.pixels[:size], images.labels[:size], images.num_classes)
    training = Training(config.with_training(epochs=STEPS + 1), batch, None, seed=0, precision=here.precision)
    training.run_epoch()  # the first step allocates and chooses kernels
    began = time.perf_counter()
    for _ in range(STEPS):
        training.run_epoch()  # an epoch of a batch is a step, and reading its metrics waits for the device
    return (time.perf_counter() - began) / STEPS / size


def _spread_over_families(configs: Sequence[Config]) -> list[int]:
    """Indices, a family's first before any family's second, so that few of them still know every family."""
    by_family: dict[str, list[int]] = {}
    for i, config in enumerate(configs):
        by_family.setdefault(config.network.name, []).append(i)
    return [i for turn in zip_longest(*by_family.values()) for i in turn if i is not None]


def _families(
    configs: Sequence[Config], costs: Sequence[Cost], seconds: Sequence[float], memory: Any
) -> list[dict[str, Any]]:
    rows = []
    for family in sorted({config.network.name for config in configs}):
        mine = [i for i, config in enumerate(configs) if config.network.name == family]
        rows.append(
            {
                "network": family,
                "trials": len(mine),
                "parameters": _range([costs[i].parameters for i in mine]),
                "forward_mflop": _range([costs[i].flops / 1e6 for i in mine]),
                "memory_mib": _range([memory(configs[i], costs[i]) / 2**20 for i in mine]),
                "seconds_an_epoch": _range([seconds[i] for i in mine]),
            }
        )
    return rows


def _range(values: Sequence[float]) -> Spread:
    return Spread(min(values), float(np.median(values)), max(values))


def _quantiles(values: Sequence[float]) -> Spread:
    return Spread(*(float(v) for v in np.quantile(values, (0.1, 0.5, 0.9))))


def _warnings(memory: int, disk: int, here: Machine, folder: Path) -> list[str]:
    found = []
    if here.num_gpus:
        held = sum(torch.cuda.get_device_properties(i).total_memory for i in range(here.num_gpus))
        what = "GPU memory"
    else:
        held, what = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "memory"
    if memory > held:
        found.append(
            f"the largest trials need {memory / 2**30:.1f} GiB together, and there are {held / 2**30:.1f} GiB of "
            f"{what}; use fewer slots than {here.slots} (--parallel)"
        )
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if disk > free:
        found.append(f"checkpoints may take {disk / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free in {existing}")
    return found
