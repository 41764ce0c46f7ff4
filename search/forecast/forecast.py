"""What a search will cost, before it runs: draws, sizes, seconds per epoch on this machine, epochs, wall clock.

Epochs and wall clock come from rehearsals of the search (`search.run.rehearsal`).
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from architectures.cost import Cost
from search.forecast.memory import memory_of, state_bytes
from search.forecast.seconds import Times
from search.machines import gpus
from search.machines.machine import Machine
from search.samplers import EXPERIENCED, LEARNING
from search.samplers.sampler import Draw
from trainables import limits
from trainables.config import Config

MOST_DRAWS = 200  # for a forecast, which assumes that a longer search repeats them


@dataclass(frozen=True)
class Spread:
    """A figure's low end, middle and high end: minimum, median, maximum, or 10th, 50th and 90th percentile."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Expected:
    """What the rehearsals of a search cost."""

    epochs: Spread
    """Epochs of all trials together."""
    seconds: Spread
    """Wall clock on the machine's slots."""


@dataclass(frozen=True)
class Forecast:
    """What a search would take. seconds are wall clock on the machine's slots; memory and disk are bytes."""

    trials: int
    families: list[dict[str, Any]]
    impossible: dict[str, int]
    epochs: Spread
    seconds: Spread
    memory: int
    disk: int
    warnings: list[str]


@dataclass(frozen=True)
class Plan:
    """What is known about a search before anything is measured.

    configs: with epochs and augmentation filled in. order: the trials in the order in which they begin. options: of the
    scheduler, None for its default. also: costs that are objectives beside the value. pauses: whether the scheduler may
    pause a trial, which then keeps a checkpoint.
    """

    draws: Sequence[Draw]
    configs: Sequence[Config]
    costs: Sequence[Cost]
    order: Sequence[int]
    num_train: int
    num_validation: int
    sampler: str
    hears: str | None
    scheduler: str
    options: Mapping[str, float | None]
    also: Sequence[str]
    pauses: bool
    max_t: int


def forecast(plan: Plan, found: Times, games: Sequence[tuple[float, float]], here: Machine, folder: Path) -> Forecast:
    """The forecast of a search. found: its configurations' times. games: epochs and seconds of rehearsals."""
    configs, costs = plan.configs, plan.costs
    memory = sorted((memory_of(config, cost) for config, cost in zip(configs, costs, strict=True)), reverse=True)
    checkpoints = sorted((state_bytes(c, k) for c, k in zip(configs, costs, strict=True)), reverse=True)
    needed = sum(memory[: here.slots])
    kept = sum(checkpoints) * len(plan.order) // len(configs) if plan.pauses else sum(checkpoints[: here.slots])
    costs_of = expected(games)
    return Forecast(
        trials=len(plan.order),
        families=_families(configs, costs, found.epochs),
        impossible=dict(Counter(reason for draw in plan.draws for reason in draw.impossible).most_common()),
        epochs=costs_of.epochs,
        seconds=costs_of.seconds,
        memory=needed,
        disk=kept,
        warnings=[*warnings_of(needed, kept, here, folder), *_preferences(plan)],
    )


def expected(games: Sequence[tuple[float, float]]) -> Expected:
    """The cost of rehearsals. games: epochs and seconds of each."""
    return Expected(_quantiles([epochs for epochs, _ in games]), _quantiles([wall for _, wall in games]))


def _families(configs: Sequence[Config], costs: Sequence[Cost], seconds: Sequence[float]) -> list[dict[str, Any]]:
    rows = []
    for family in sorted({config.network.name for config in configs}):
        mine = [i for i, config in enumerate(configs) if config.network.name == family]
        rows.append(
            {
                "network": family,
                "trials": len(mine),
                "parameters": _range([costs[i].parameters for i in mine]),
                "forward_mflop": _range([costs[i].flops / 1e6 for i in mine]),
                "memory_mib": _range([memory_of(configs[i], costs[i]) / 2**20 for i in mine]),
                "seconds_an_epoch": _range([seconds[i] for i in mine]),
            }
        )
    return rows


def _range(values: Sequence[float]) -> Spread:
    return Spread(min(values), float(np.median(values)), max(values))


def _quantiles(values: Sequence[float]) -> Spread:
    return Spread(*(float(v) for v in np.quantile(values, (0.1, 0.5, 0.9))))


def _preferences(plan: Plan) -> list[str]:
    """A warning if the time depends on the networks that the sampler will come to prefer."""
    families = {config.network.name for config in plan.configs}
    if plan.sampler not in LEARNING or plan.sampler in EXPERIENCED or len(families) == 1:
        return []
    return [f"the time also depends on which networks {plan.sampler} comes to prefer; the range holds each of them"]


def warnings_of(memory: int, disk: int, here: Machine, folder: Path) -> list[str]:
    """Warnings about what will not fit. memory, disk: bytes needed on the machine, and in the folder's file system."""
    found = []
    if here.num_gpus and here.address is None:
        held = sum(gpus.memory())
        what = "GPU memory"
    else:
        held, what = limits.memory()[0], "memory"
    if memory > held and here.address is None:  # the machines of a cluster were not asked
        found.append(
            f"the largest trials need {memory / 2**30:.1f} GiB together, and there are {held / 2**30:.1f} GiB of "
            f"{what}; use fewer slots than {here.slots} (--parallel)"
        )
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if disk > free:
        found.append(f"checkpoints may take {disk / 2**30:.1f} GiB and {free / 2**30:.1f} GiB are free in {existing}")
    return found
