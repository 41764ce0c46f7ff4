"""Plays searches on recorded learning curves: the epochs that a scheduler spends, and how good its winner is.

`python benchmarks/search_quality.py play --pool FILE` draws so many of a pool's configurations at random, many times
over, and plays the search of each draw with every scheduler on the simulated engine: real driver, ledger, scheduler and
ranking; accuracies and seconds are those that were recorded. Every scheduler gets the same draws. It prints a Markdown
table, or JSON for programs. What a pool is, and what the columns mean, is in README.md.

`python benchmarks/search_quality.py record --out FILE.parquet` makes a pool with the product: every configuration is
trained to its end.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import header, table

from search.history.events import Asked, State
from search.history.ledger import MemoryLedger
from search.history.record import Run, rank
from search.history.store import Request
from search.run.driver import Driver
from search.run.engines.simulated import Clock, Step, simulate
from search.run.shelf import NoShelf
from search.schedulers import SCHEDULERS
from search.schedulers.none import NoScheduler
from search.schedulers.scheduler import make_scheduler, scheduler
from trainables.worker.task import Task

IMAGES = 1_000_000  # of an epoch: the names of checkpoints hold whole numbers of them
BASE = "asha"  # the scheduler that the others are compared with


@scheduler("marked")
class Marked(NoScheduler):
    """Stops nothing, and has trials measured early on: a pool without such values plays no early rung."""

    rungs = (1 / 8, 1 / 4, 1 / 2)


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

    curves: Sequence[Curve]
    """Its trainings, one for each seed."""

    @property
    def quality(self) -> float:
        """Its best validation accuracy, the mean over its trainings."""
        return statistics.fmean(max(point.accuracy for point in curve) for curve in self.curves)


@dataclass(frozen=True)
class Played:
    """What a search came to."""

    epochs: float
    """Epochs of all trials together."""
    regret: float
    """By how much the winner's quality falls short of the best one's of the draw, a fraction of one."""
    wall: float
    """Seconds on the slots until the last one is free."""


def read_pool(path: Path, max_t: int) -> list[Configuration]:
    """The configurations of a pool that were trained for `max_t` epochs, and their curves up to there."""
    found = _read_lines(path) if path.suffix == ".jsonl" else _read_table(path)
    pool = []
    for curves in found:
        cut = [[point for point in curve if point.epoch <= max_t] for curve in curves]
        whole = [curve for curve in cut if curve and curve[-1].epoch == max_t]
        if whole:
            pool.append(Configuration(whole))
    if len(pool) < len(found):
        print(f"{path.name}: {len(found) - len(pool)} configurations end before epoch {max_t}", file=sys.stderr)
    return pool


def _read_lines(path: Path) -> list[list[Curve]]:
    """JSON lines with `curves`, one for each seed, of [epoch, accuracy, seconds since the start]."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [[[Point(*point) for point in curve] for curve in json.loads(line)["curves"]] for line in lines]


def _read_table(path: Path) -> list[list[Curve]]:
    """A table in the layout of `epochs.parquet`, in which repeats are seeds."""
    import pandas as pd

    runs = pd.read_parquet(path, columns=["trial", "repeat", "epoch", "val_accuracy", "seconds"]).dropna()
    of_trial: dict[int, list[Curve]] = defaultdict(list)
    for (trial, _), run in runs.sort_values("epoch").groupby(["trial", "repeat"]):
        columns = zip(run["epoch"], run["val_accuracy"], run["seconds"].cumsum(), strict=True)
        of_trial[trial].append([Point(*values) for values in columns])
    return list(of_trial.values())


def play(
    curves: Sequence[Curve], qualities: Sequence[float], scheduler: str, options: Mapping[str, float], slots: int
) -> Played:
    """One search: trial n has curves[n] and qualities[n]."""
    clock, max_t = Clock(), round(curves[0][-1].epoch)
    config = {"training": {"batch_size": 1, "epochs": max_t}}
    no_draw: dict[str, Any] = {"params": {}, "distributions": {}, "redrawn": 0, "parameters": 0, "flops": 0}

    def source(driver: Driver) -> Iterator[Run]:
        for trial in range(len(curves)):
            driver.append(Asked(trial=trial, repeat=0, config=config, seed=0, **no_draw))
            yield driver.record.runs[trial, 0]

    def steps(task: Task) -> Iterator[Step]:
        begins = int(task.resume_from.rpartition("-")[2].removesuffix(".pt")) / IMAGES if task.resume_from else 0.0
        measured, marks = curves[task.trial], list(task.marks)
        spent = max((point.seconds for point in measured if point.epoch <= begins), default=0.0)
        for point in measured:
            at_mark = any(mark <= point.epoch for mark in marks)
            marks = [mark for mark in marks if mark > point.epoch]
            if point.epoch > begins and (at_mark or point.epoch.is_integer()):
                yield point.seconds - spent, _answer(task, point, max_t, point.seconds - spent)
                spent = point.seconds

    made = make_scheduler(scheduler, max_t=max_t, samples=len(curves), **options)
    driver = Driver(MemoryLedger(clock=clock), source, made, NoShelf(), clock=clock)
    simulate(driver, steps, slots=slots, clock=clock)
    winner = rank(driver.record)[0].key[0]
    epochs = sum(run.epochs for run in driver.record.trials)
    return Played(epochs, max(qualities) - qualities[winner], clock.now)


def _answer(task: Task, point: Point, max_t: int, seconds: float) -> dict[str, object]:
    images, is_last = round(point.epoch * IMAGES), point.epoch == max_t
    return {
        "state": State.DONE if is_last else State.RUNNING,
        "images": images,
        "epoch": point.epoch,
        "val_accuracy": point.accuracy,
        "seconds": seconds,
        "checkpoint": f"{task.prefix}-{images}.pt" if task.pauses and not is_last else None,
    }


def replays(
    pool: Sequence[Configuration],
    samples: int,
    number: int,
    scheduler: str,
    options: Mapping[str, float],
    slots: int,
) -> list[Played]:
    """The searches of so many draws without replacement; the same draws and seeds whatever the scheduler."""
    found = []
    for replay in range(number):
        rng = np.random.default_rng(replay)
        drawn = [pool[i] for i in rng.permutation(len(pool))[:samples]]
        curves = [each.curves[rng.integers(len(each.curves))] for each in drawn]
        found.append(play(curves, [each.quality for each in drawn], scheduler, options, slots))
    return found


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the half width of its 95 % interval."""
    spread = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return statistics.fmean(values), 1.96 * spread


def rows(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each pool, number of slots and scheduler."""
    for path in asked.pool:
        pool = read_pool(path, asked.max_t)
        if len(pool) < asked.samples:
            sys.exit(f"{path} has {len(pool)} configurations, fewer than --samples {asked.samples}")
        for slots in asked.slots:
            base = replays(pool, asked.samples, asked.replays, BASE, {}, slots)
            for label, name, options in asked.scheduler:
                is_base = label == BASE
                found = base if is_base else replays(pool, asked.samples, asked.replays, name, options, slots)
                yield _row(path.stem, label, slots, found, base)


def _row(pool: str, label: str, slots: int, found: Sequence[Played], base: Sequence[Played]) -> dict[str, Any]:
    regret, around = interval([each.regret for each in found])
    difference, within = interval([a.regret - b.regret for a, b in zip(found, base, strict=True)])
    epochs = statistics.fmean(each.epochs for each in found)
    return {
        "pool": pool,
        "scheduler": label,
        "sampler": "random",
        "slots": slots,
        "epochs": epochs,
        "epochs_of_base": epochs / statistics.fmean(each.epochs for each in base),
        "regret": regret,
        "regret_interval": [regret - around, regret + around],
        "difference": difference,
        "difference_interval": [difference - within, difference + within],
        "wall": statistics.fmean(each.wall for each in found),
    }


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the Markdown table; regrets in hundredths of a per cent read badly, so in thousandths."""

    def thousandths(name: str) -> str:
        low, high = (1000 * end for end in row[f"{name}_interval"])
        return f"{1000 * row[name]:.2f} ({low:.2f} to {high:.2f})"

    return {
        "pool": row["pool"],
        "scheduler": row["scheduler"],
        "slots": row["slots"],
        "epochs": f"{row['epochs']:.0f}",
        f"of {BASE}'s": f"{row['epochs_of_base']:.2f}",
        "regret, thousandths": thousandths("regret"),
        f"less {BASE}'s": thousandths("difference"),
        "wall clock, s": f"{row['wall']:.0f}",
    }


def record(asked: argparse.Namespace) -> None:
    """Train configurations to their ends, and write their curves with what they are."""
    from search.history.load import read_search
    from search.run.launch import launch
    from search.run.session import Options

    request = Request(
        space=asked.space,
        samples=asked.samples,
        epochs=asked.max_t,
        dataset=asked.dataset,
        data_dir=str(asked.data_dir.expanduser().absolute()),
        limit_train=asked.limit_train,
        image_size=asked.image_size,
        validation=asked.validation,
        scheduler="marked",
        seed=asked.seed,
    )
    with tempfile.TemporaryDirectory(prefix="hpsearch-pool-") as folder:
        launch(request, Options(parallel=asked.parallel), results=Path(folder), name="pool")
        found = read_search(Path(folder), "pool")
        what = found.trials[["trial", "network", "optimizer", "parameters", "flops", "config"]]
        found.epochs.merge(what, on="trial").to_parquet(asked.out, index=False)


def _scheduler(text: str) -> tuple[str, str, dict[str, float]]:
    """NAME or NAME:option=value,…, as a label, the name and the options."""
    name, _, options = text.partition(":")
    pairs = (pair.partition("=") for pair in options.split(",") if pair)
    return text, name, {option: float(value) for option, _, value in pairs}


def compare(asked: argparse.Namespace) -> None:
    """Play, and print what came of it."""
    asked.slots = asked.slots or [1, 16]
    asked.scheduler = asked.scheduler or [_scheduler(name) for name in SCHEDULERS]
    found = list(rows(asked))
    if asked.json:
        print(json.dumps(found, indent=1))
        return
    print(header(), end="\n\n")
    print(table([shown(row) for row in found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("record", help="make a pool")
    verb.set_defaults(call=record)
    verb.add_argument("--out", type=Path, required=True, help="the Parquet file to write")
    verb.add_argument("--space", default="cnn_all")
    verb.add_argument("--samples", type=int, default=150, help="configurations")
    verb.add_argument("--max-t", type=int, default=16, help="epochs of each")
    verb.add_argument("--dataset", default="digits")
    verb.add_argument("--data-dir", type=Path, default=Path("~/.cache/hpsearch"))
    verb.add_argument("--limit-train", type=int)
    verb.add_argument("--image-size", type=int)
    verb.add_argument("--validation", type=float, default=0.5)
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--parallel", type=int)
    verb = verbs.add_parser("play", help="play searches on recorded pools")
    verb.set_defaults(call=compare)
    verb.add_argument("--pool", type=Path, action="append", required=True, help="may be given several times")
    verb.add_argument("--samples", type=int, default=60, help="trials of a search")
    verb.add_argument("--slots", type=int, action="append", help="may be given several times; 1 and 16 by default")
    verb.add_argument("--max-t", type=int, default=16, help="epochs of the longest trial")
    verb.add_argument("--replays", type=int, default=400, help="draws of a pool")
    verb.add_argument(
        "--scheduler",
        type=_scheduler,
        action="append",
        help="NAME or NAME:option=value,… such as halving:keep=0.5; may be given several times; all by default",
    )
    verb.add_argument("--json", action="store_true", help="a list of rows instead of a table")
    asked = parser.parse_args()
    asked.call(asked)


if __name__ == "__main__":
    main()
