"""Pools of recorded trainings: reading them, and drawing from them as from a space."""

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, distribution_to_json

from search.spaces import config_of
from search.spaces.explorer import place_of
from trainables.config import Config

COSTS = ("parameters", "flops")
TESTED = "test_accuracy"  # the column of a training's test accuracy, the same in each of its rows
NUMBER = "configuration"  # the parameter of a pool that is drawn as a list
FEW = 8  # different values of a number that count as choices
WIDE = 30  # times the least value that make a range one of a log scale


@dataclass(frozen=True)
class Point:
    """A measurement of a recorded training."""

    epoch: float
    """Epochs trained, perhaps a fraction."""
    accuracy: float
    """Validation accuracy, a fraction of one."""
    seconds: float
    """Since the training's start."""


Curve = Sequence[Point]
"""A recorded training, in order."""


@dataclass(frozen=True)
class Configuration:
    """A configuration of a pool."""

    params: Mapping[str, Any]
    """Its flat names and values: `network`, `optimizer`, `sgd/lr`, …"""
    curves: Sequence[Curve]
    """Its trainings, one for each seed."""
    costs: Mapping[str, int]
    """Its `parameters`, and `flops` of a forward pass of an image, as far as the pool says them."""
    config: Config | None = None
    """Itself, if the pool says all of it."""
    tested: float | None = None
    """The test accuracy of its trained networks, the mean over its trainings; None if the pool does not say it."""

    @property
    def quality(self) -> float:
        """Its best validation accuracy, the mean over its trainings."""
        return statistics.fmean(max(point.accuracy for point in curve) for curve in self.curves)


class Pool:
    """Configurations, and the space that they might have been drawn from: ranges and choices are those that occur."""

    def __init__(self, configurations: Sequence[Configuration]) -> None:
        self.configurations = configurations
        values: dict[str, list[Any]] = defaultdict(list)
        for each in configurations:
            for name, value in each.params.items():
                values[name].append(value)
        self.distributions = {name: _distribution(found) for name, found in values.items()}
        self._always = [name for name, found in values.items() if len(found) == len(configurations) and "/" not in name]

    @property
    def is_space(self) -> bool:
        """Whether its configurations are known, so that a sampler can draw from it."""
        return all({"network", "optimizer"} <= each.params.keys() for each in self.configurations)

    def __len__(self) -> int:
        return len(self.configurations)

    @cached_property
    def qualities(self) -> np.ndarray:
        """The quality of each configuration."""
        return np.array([each.quality for each in self.configurations])

    def space(self, trial: optuna.Trial) -> Config:
        """The space, for a sampler; it gives a stand-in for a configuration."""
        for name in self._always:
            self._suggest(trial, name)
        prefixes = (f"{trial.params['network']}/", f"{trial.params['optimizer']}/")
        for name in self.distributions:
            if name.startswith(prefixes):
                self._suggest(trial, name)
        names = {name: trial.params[name] for name in ("network", "optimizer")}
        return config_of({**names, f"{names['optimizer']}/lr": 0.1})

    def _suggest(self, trial: optuna.Trial, name: str) -> None:
        match self.distributions[name]:
            case CategoricalDistribution(choices=choices):
                trial.suggest_categorical(name, choices)
            case FloatDistribution(low=low, high=high, log=log):
                trial.suggest_float(name, low, high, log=log)

    @property
    def is_listed(self) -> bool:
        """Whether the pool says all of its configurations, so that they can be drawn as a list."""
        return all(each.config is not None for each in self.configurations)

    def listed(self, trial: optuna.Trial) -> Config:
        """The configurations as a space of one parameter, their number."""
        config = self.configurations[trial.suggest_categorical(NUMBER, range(len(self)))].config
        assert config is not None
        return config

    def drawn(self, number: int) -> tuple[dict[str, Any], dict[str, str]]:
        """A configuration's parameters and their distributions, as a search records them."""
        params = dict(self.configurations[number].params)
        return params, {name: distribution_to_json(self.distributions[name]) for name in params}

    def nearest(self, params: Mapping[str, Any], free: Sequence[int]) -> int:
        """The number of the free configuration that is nearest to a draw."""
        return min(free, key=lambda number: (self._distance(params, self.configurations[number].params), number))

    def _distance(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
        """The sum over all parameters: 1 for another choice or a missing parameter, else how far apart places are."""
        return sum(
            _apart(self.distributions[name], one[name], other[name]) if name in one and name in other else 1.0
            for name in one.keys() | other.keys()
        )


def _apart(distribution: BaseDistribution, one: Any, other: Any) -> float:
    if one == other:
        return 0.0
    first, second = place_of(distribution, one), place_of(distribution, other)
    return 1.0 if first is None or second is None else abs(first - second)


def _distribution(values: Sequence[Any]) -> BaseDistribution:
    """What values might have been drawn from: a range if they are many numbers, else choices."""
    different = sorted(set(values), key=lambda value: (str(type(value)), value))
    if len(different) <= FEW or not all(isinstance(value, int | float) for value in different):
        return CategoricalDistribution(different)
    low, high = float(min(different)), float(max(different))
    return FloatDistribution(low, high, log=low > 0 and high / low > WIDE)


def read_pool(path: Path, max_t: int) -> Pool:
    """The configurations of a pool that were trained for `max_t` epochs, and their curves up to there."""
    found = _read_lines(path) if path.suffix == ".jsonl" else _read_table(path)
    pool = []
    for each in found:
        cut = [[point for point in curve if point.epoch <= max_t] for curve in each.curves]
        whole = [curve for curve in cut if curve and curve[-1].epoch == max_t]
        if whole:
            goes_on = any(curve[-1].epoch > max_t for curve in each.curves)  # then another network was tested
            pool.append(replace(each, curves=whole, tested=None if goes_on else each.tested))
    if len(pool) < len(found):
        print(f"{path.name}: {len(found) - len(pool)} configurations end before epoch {max_t}", file=sys.stderr)
    return Pool(pool)


def _read_lines(path: Path) -> list[Configuration]:
    """JSON lines with `curves`, one for each seed, of [epoch, accuracy, seconds since the start]."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        read = json.loads(line)
        what = {name: read[name] for name in ("network", "optimizer") if name in read} | read.get("config", {})
        curves = [[Point(*map(float, point)) for point in curve] for curve in read["curves"]]
        found.append(Configuration(what, curves, {name: int(read[name]) for name in COSTS if name in read}))
    return found


def _read_table(path: Path) -> list[Configuration]:
    """A table in the layout of `epochs.parquet`, in which repeats are seeds, with the configurations' JSON."""
    import pandas as pd

    needed = ["trial", "repeat", "epoch", "val_accuracy", "seconds"]
    runs = pd.read_parquet(path).dropna(subset=needed)
    of_trial: dict[Hashable, list[Curve]] = defaultdict(list)
    params: dict[Hashable, dict[str, Any]] = {}
    costs: dict[Hashable, dict[str, int]] = {}
    configs: dict[Hashable, Config | None] = {}
    tests: dict[Hashable, list[float]] = defaultdict(list)
    for (trial, _), run in runs.sort_values("epoch").groupby(["trial", "repeat"]):
        values = zip(run["epoch"], run["val_accuracy"], run["seconds"].cumsum(), strict=True)
        of_trial[trial].append([Point(*each) for each in values])
        config = json.loads(run["config"].iloc[0]) if "config" in run else None
        params[trial] = _flat(config) if config else {}
        configs[trial] = Config.from_json(config) if config else None
        costs[trial] = {name: int(run[name].iloc[0]) for name in COSTS if name in run}
        if TESTED in run and run[TESTED].notna().all():
            tests[trial].append(float(run[TESTED].iloc[0]))
    return [
        Configuration(params[trial], curves, costs[trial], configs[trial], _mean(tests[trial]))
        for trial, curves in of_trial.items()
    ]


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _flat(config: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A configuration by flat names, without what is no single value."""
    found: dict[str, Any] = dict(config["training"])
    for what in ("network", "optimizer"):
        name = config[what]["name"]
        found[what] = name
        found |= {f"{name}/{key}": value for key, value in config[what].items() if key != "name"}
    return {name: value for name, value in found.items() if isinstance(value, str | int | float)}
