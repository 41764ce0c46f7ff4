"""Measures a whole search against plain scripts that train the same configurations, in the same run.

`overhead`: small images and short trials, where what surrounds the steps counts; against a plain Ray Tune script and
Optuna's loop. `compute`: images of 32 pixels and long trials, where steps count; against the Tune script and the floor,
the bare steps on tensors in memory. Every way is a command of its own that trains the same configurations for the same
epochs on the same images on the CPU, validating after each epoch. Images are decoded before anything is timed.
`python benchmarks/end_to_end.py overhead` prints Markdown tables, and its progress to standard error.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from common import header, spread, table
from searching import noise

import search
from search.history.store import Request
from search.machines.ray_variables import VARIABLES
from search.run.images import training_images
from search.run.problem import cost_of
from search.spaces import Space, find_space
from search.spaces.lists import write_list
from trainables.config import Config
from trainables.data.split import split
from trainables.precision import default_precision

HERE = Path(__file__).parent
CORES = len(os.sched_getaffinity(0))
IMAGE_SIZE = {"overhead": 16, "compute": 32}  # pixels a side
VALIDATION = 0.2
#: The scripts' settings by name, and what a sweep tries. CPUs a trial say how many trials there are at a time.
TUNE = ("CPUs a trial", "workers", "threads", "reuse_actors")
TUNE_TRIES = [(cpus, workers, cpus, reuse) for reuse in (0, 1) for cpus in (1, CORES) for workers in (0, 1, 2)]
TUNE_BEST = (1, 1, 1, 1)
OPTUNA = ("workers", "threads")
OPTUNA_TRIES = list(product((0, 1, 2), (1, CORES)))
FEW = 6  # configurations of a sweep, for an epoch each
SHORT = 4  # configurations of the short form
#: No GPU for any way, no way waits for Ray's usage report, and the scripts' Ray and Tune are as they come.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if VARIABLES.get(name) != value},
    **{"CUDA_VISIBLE_DEVICES": "", "RAY_USAGE_STATS_ENABLED": "0"},
}


@dataclass(frozen=True)
class Run:
    """A way's command once from start to end, in Unix times, and an object an epoch (see baselines/command.py)."""

    launched: float
    ended: float
    slots: int
    epochs: list[dict[str, Any]]

    @property
    def wall(self) -> float:
        """Seconds of the whole command."""
        return self.ended - self.launched

    @property
    def first(self) -> float:
        """When the first step began."""
        return min(epoch["began"] for epoch in self.epochs)

    @property
    def all_train(self) -> float:
        """When as many trials had begun as there are slots."""
        return sorted(self._begun)[: self.slots][-1]

    @property
    def _begun(self) -> Iterable[float]:
        """When each trial began."""
        begun: dict[int, float] = {}
        for epoch in self.epochs:
            begun[epoch["trial"]] = min(epoch["began"], begun.get(epoch["trial"], epoch["began"]))
        return begun.values()

    @property
    def last(self) -> float:
        """When the last step had ended."""
        return max(epoch["ended"] for epoch in self.epochs)

    @property
    def span(self) -> float:
        """Seconds from the first step's begin to the last one's end."""
        return self.last - self.first

    @property
    def none_waits(self) -> float:
        """When the last trial began, and no slot had anything to wait for but the end."""
        return max(self._begun)

    @property
    def busy(self) -> float:
        """Seconds of training and validation, summed over slots."""
        return sum(epoch["seconds"] for epoch in self.epochs)

    @property
    def share(self) -> float:
        """Training and validation over slots × wall clock, from the first step until no trial waits."""
        until = self.none_waits
        within = sum(max(0.0, min(epoch["seconds"], until - epoch["began"])) for epoch in self.epochs)
        return within / (self.slots * (until - self.first)) if until > self.first else 1.0

    @property
    def trained(self) -> float:
        """Epochs that were trained; the list has more measurements where epochs are also measured in part."""
        last: dict[int, float] = defaultdict(float)
        for epoch in self.epochs:
            last[epoch["trial"]] = max(last[epoch["trial"]], epoch["epoch"])
        return sum(last.values())

    @property
    def accuracy(self) -> float:
        """Mean over trials of the best validation accuracy."""
        best: dict[int, float] = defaultdict(float)
        for epoch in self.epochs:
            best[epoch["trial"]] = max(best[epoch["trial"]], epoch["val_accuracy"])
        return statistics.mean(best.values())


Way = Callable[[Path], Run]


def main() -> None:
    options = parse()
    if options.short:
        options.repeats, options.sweep = 1, False
    options.limit_train = options.limit_train or (2000 if options.short else 4000)
    with TemporaryDirectory(prefix="end-to-end-") as name:
        folder = Path(name)
        configs = folder / "list.jsonl"
        space = checked(find_space(str(options.list or HERE / f"lists/{options.mode}.jsonl")))
        configs.write_bytes(write_list(shortened(space, options.mode) if options.short else space))
        few = folder / "few.jsonl"
        once = tuple(config.with_training(epochs=1) for config in space.configs[:FEW])
        few.write_bytes(write_list(Space(space.name, configs=once)))
        data = folder / "images.npz"
        print(header("ray", "optuna", "torchvision"), end="\n\n")
        print(prepare(options, data, configs), end="\n\n")
        if options.sweep:
            options.tune_best = sweep("Tune script", tune_script, TUNE, TUNE_TRIES, few, data)
            if options.mode == "overhead":
                options.optuna_best = sweep("Optuna loop", optuna_loop, OPTUNA, OPTUNA_TRIES, few, data)
        print(f"Tune script: {said(TUNE, options.tune_best)}.", end=" " if options.mode == "overhead" else "\n\n")
        if options.mode == "overhead":
            print(f"Optuna loop: {said(OPTUNA, options.optuna_best)}.", end="\n\n")
        ways = make_ways(options, configs, data)
        runs: dict[str, list[Run]] = {way: [] for way in ways}
        for repeat in range(options.repeats):  # interleaved: what else happens on the machine meets all of them
            for number, (way, go) in enumerate(ways.items()):
                runs[way].append(go(folder / f"{repeat}-{number}"))
                progress(f"{way}, {repeat + 1} of {options.repeats}", runs[way][-1])
    print(whole_commands({way: done for way, done in runs.items() if way != "floor"}), end="\n\n")
    print(steps(runs))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=tuple(IMAGE_SIZE))
    parser.add_argument("--dataset", default="cifar10", help="a known name, or a folder of colour images")
    parser.add_argument("--data-dir", default="~/.cache/hpsearch", help="downloads and cache")
    parser.add_argument("--limit-train", type=int, help="images; 4000, or 2000 in the short form")
    parser.add_argument("--list", type=Path, help="configurations as JSON lines  [default: lists/MODE.jsonl]")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="another seed takes other images")
    parser.add_argument("--sweep", action="store_true", help="find the best settings of the scripts first")
    parser.add_argument(
        "--tune-best", type=tune_settings, default=TUNE_BEST, help="CPUs a trial,workers,threads,reuse_actors"
    )
    parser.add_argument("--optuna-best", type=numbers, default=(2, 1), help="workers,threads")
    parser.add_argument("--short", action="store_true", help="four configurations, once, without a sweep")
    return parser.parse_args()


def numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def tune_settings(text: str) -> tuple[int, ...]:
    """The Tune script's settings, in the order of `TUNE`; without the last, Tune's default for it."""
    return (*numbers(text), 0)[: len(TUNE)]


def checked(space: Space) -> Space:
    for place, config in zip(space.places, space.configs, strict=True):
        if config.training.epochs is None or config.training.augment not in (None, "published"):
            raise SystemExit(f"{space.name}, {place}: a configuration here has epochs, and 'published' augmentation")
    return space


def shortened(space: Space, mode: str) -> Space:
    """The first few of short trials; of long ones those that compute the least: one may take as long as all others."""

    images = noise(1, (3, 32, 32), classes=10)

    def work(config: Config) -> int:
        return (config.training.epochs or 0) * cost_of(config, images).flops

    chosen = sorted(space.configs, key=work) if mode == "compute" else space.configs
    return Space(space.name, configs=tuple(chosen[:SHORT]))


def prepare(options: argparse.Namespace, data: Path, configs: Path) -> str:
    """Write the images that hpsearch will train and validate on, for the scripts; what they and the list are."""
    options.data_dir = str(Path(options.data_dir).expanduser().absolute())
    request = Request(
        space=str(configs),
        samples=1,
        dataset=options.dataset,
        data_dir=options.data_dir,
        limit_train=options.limit_train,
        image_size=IMAGE_SIZE[options.mode],
        validation=VALIDATION,
        seed=options.seed,
    )
    images = training_images(request)
    arrays: dict[str, Any] = {"num_classes": len(images.classes)}
    for part, indices in zip(("train", "val"), split(images.labels, VALIDATION, options.seed), strict=True):
        arrays[f"{part}_pixels"] = np.ascontiguousarray(images.pixels[indices].transpose(0, 2, 3, 1))
        arrays[f"{part}_labels"] = images.labels[indices]
    np.savez(data, **arrays)
    epochs = [config.training.epochs or 0 for config in find_space(str(configs)).configs]
    return (
        f"{len(epochs)} configurations, {sum(epochs)} epochs; {len(arrays['train_labels']):,} images to train and "
        f"{len(arrays['val_labels']):,} to validate, {'×'.join(map(str, images.shape))}."
    )


def make_ways(options: argparse.Namespace, configs: Path, data: Path) -> dict[str, Way]:
    """The ways by name, hpsearch first."""
    native = default_precision("cpu")
    ways: dict[str, Way] = {f"hpsearch, {native}": lambda out: hpsearch(options, configs, out)}
    ways["Tune script, float32"] = tune_script(options.tune_best, configs, data, "float32")
    if options.mode == "overhead":
        ways["Optuna loop, float32"] = optuna_loop(options.optuna_best, configs, data, "float32")
    else:
        # Not what the documentation teaches, but then the arithmetic is the same.
        if native != "float32" and not options.short:
            ways[f"Tune script, {native}"] = tune_script(options.tune_best, configs, data, native)
        ways["floor"] = baseline("floor.py", configs, data, native, {"slots": CORES}, CORES)
    return ways


def hpsearch(options: argparse.Namespace, space: Path | str, out: Path, **more: object) -> Run:
    """The installed command; its epochs come from its ledger. more: options of the launch."""
    asked = {
        "space": space,
        "scheduler": "none",
        "dataset": options.dataset,
        "data-dir": options.data_dir,
        "image-size": IMAGE_SIZE[options.mode],
        "limit-train": options.limit_train,
        "validation": VALIDATION,
        "seed": options.seed,
        "results": out.parent,
        "name": out.name,
        **more,
    }
    launched, ended = timed([Path(sys.executable).with_name("hpsearch"), "launch", *flags(asked)], out)
    found = search.load(out.name, results=str(out.parent))
    measured = [event for run in found.record.trials for event in run.measurements]
    epochs = [{**vars(event), "ended": event.time} for event in measured]
    return Run(launched, ended, found.search.facts["slots"], epochs)


def tune_script(
    settings: Sequence[int], configs: Path, data: Path, precision: str = "float32", asha: int | None = None
) -> Way:
    """The plain Ray Tune script with these settings, in the order of `TUNE`. asha: its max_t, if it stops."""
    named = dict(zip(("cpus-per-trial", "workers", "threads", "reuse"), settings, strict=True))
    named |= {} if asha is None else {"asha": asha}
    return baseline("tune_script.py", configs, data, precision, named, CORES // settings[0])


def optuna_loop(settings: Sequence[int], configs: Path, data: Path, precision: str = "float32") -> Way:
    """Optuna's loop with these loader processes and threads."""
    named = dict(zip(("workers", "threads"), settings, strict=True))
    return baseline("optuna_loop.py", configs, data, precision, named, 1)


def baseline(script: str, configs: Path, data: Path, precision: str, settings: dict[str, int], slots: int) -> Way:
    def go(out: Path) -> Run:
        epochs = out.with_suffix(".json")
        asked = {"configs": configs, "data": data, "precision": precision, "out": epochs, **settings}
        launched, ended = timed([sys.executable, HERE / "baselines" / script, *flags(asked)], out)
        return Run(launched, ended, slots, json.loads(epochs.read_text()))

    return go


def flags(asked: dict[str, Any]) -> list[str]:
    """Options as words; one with several values is given as often."""
    several = ((name, value if isinstance(value, tuple) else (value,)) for name, value in asked.items())
    return [word for name, values in several for value in values for word in (f"--{name}", str(value))]


def timed(command: Sequence[str | Path], out: Path) -> tuple[float, float]:
    """Run a command with its output in a log; when it began and ended, in Unix times."""
    log = out.with_suffix(".log")
    with log.open("w") as file:
        began = time.time()
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=ENVIRONMENT)
        ended = time.time()
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{log.read_text()[-4000:]}")
    return began, ended


def progress(what: str, run: Run) -> None:
    print(f"{what}: {run.wall:.1f} s", file=sys.stderr, flush=True)


def sweep(
    name: str,
    make: Callable[..., Way],
    names: Sequence[str],
    tries: Sequence[tuple[int, ...]],
    configs: Path,
    data: Path,
) -> tuple[int, ...]:
    """Run a script once for each combination of settings, float32, print what it took, and return the fastest."""
    walls: dict[tuple[int, ...], float] = {}
    for settings in dict.fromkeys(tries):
        run = make(settings, configs, data)(configs.with_name(f"sweep-{len(walls)}"))
        progress(f"{name}, {said(names, settings)}", run)
        walls[settings] = run.wall
    best = min(walls, key=lambda settings: walls[settings])
    print(f"{name}, first {len(find_space(str(configs)).configs)} configurations, once each:\n")
    print(
        table(
            [
                {**dict(zip(names, settings, strict=True)), "wall, s": f"{wall:.1f}" + " (best)" * (settings == best)}
                for settings, wall in walls.items()
            ]
        ),
        end="\n\n",
    )
    return best


def said(names: Iterable[str], settings: Sequence[int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(names, settings, strict=True))


def whole_commands(runs: dict[str, list[Run]]) -> str:
    """The table of whole commands, start to end."""
    ours = next(iter(runs.values()))
    return table(
        [
            {
                "way": way,
                "whole command, s": spread([run.wall for run in done], ".1f"),
                "× hpsearch": f"{median(done, 'wall') / median(ours, 'wall'):.2f}",
                "epochs": round(done[0].trained),
                "mean best validation accuracy": spread([100 * run.accuracy for run in done], ".1f") + " %",
            }
            for way, done in runs.items()
        ]
    )


def steps(runs: dict[str, list[Run]]) -> str:
    """The table from the first step to the last, in which no way's start counts."""
    reference = list(runs)[-1 if "floor" in runs else 0]
    return table(
        [
            {
                "way": way,
                "first to last step, s": spread([run.span for run in done], ".1f"),
                f"× {reference.partition(',')[0]}": f"{median(done, 'span') / median(runs[reference], 'span'):.3f}",
                "before, s": spread([run.first - run.launched for run in done], ".1f"),
                "until every slot trains, s": spread([run.all_train - run.launched for run in done], ".1f"),
                "after, s": spread([run.ended - run.last for run in done], ".1f"),
                "in epochs, s × slots": spread([run.busy for run in done], ".1f"),
                "slots": done[0].slots,
                "busy until no trial waits": spread([100 * run.share for run in done], ".1f") + " %",
                "tail after that, s": spread([run.last - run.none_waits for run in done], ".1f"),
            }
            for way, done in runs.items()
        ]
    )


def median(runs: Sequence[Run], figure: str) -> float:
    return statistics.median(getattr(run, figure) for run in runs)


if __name__ == "__main__":
    main()
