"""Measures when a search has a trial as good as the best that a plain Ray Tune script ends with, in the same run.

The script is Ray Tune with Tune's `ASHAScheduler`, as its documentation writes it. hpsearch searches the same sixty
configurations in the same order with `--scheduler halving`, and, in rows of their own, draws of `--sampler gp` from the
same space, and of `--sampler transfer`, which has no experience of CIFAR-10 then: half and a quarter as many and
eight, a quarter as many that are compared first after half an epoch, and as many under ASHA, which lets the first ones
go on at once. Whole commands count, start included, on the same images and the same validation images.
`small`: `cnn_all` at an eighth of the width on 16×16 images. `cnn_all`: the space as it is, on 32×32.
`python benchmarks/time_to_winner.py small` prints a Markdown table, and its progress to standard error.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import end_to_end
from common import header, spread, table
from end_to_end import (
    TUNE,
    TUNE_BEST,
    TUNE_TRIES,
    Run,
    hpsearch,
    prepare,
    progress,
    said,
    sweep,
    tune_script,
    tune_settings,
)

from search.experience.recordings import datasets
from search.samplers.make import make_sampler
from search.spaces import Space, find_space
from search.spaces.lists import write_list
from trainables.config import Config

MODES = {"small": "overhead", "cnn_all": "compute"}  # and whose image sizes they have in end_to_end.py
SPACES = {"small": "narrow:small", "cnn_all": "cnn_all"}
EARLY = {"grace-period": 0.5, "keep": 0.6}  # the defaults of halving for other samplers


def main() -> None:
    options = parse()
    options.mode, options.list = MODES[options.space], None
    with TemporaryDirectory(prefix="time-to-winner-") as name:
        folder, data = Path(name), Path(name) / "images.npz"
        end_to_end.ENVIRONMENT["PYTHONPATH"] = str(end_to_end.HERE)  # the narrow space is a module beside this one
        drawn = draws(options)
        configs = folder / "list.jsonl"
        configs.write_bytes(write_list(Space("drawn", configs=drawn)))
        print(header("ray"), end="\n\n")
        print(prepare(options, data, configs), end="\n\n")
        if options.sweep:
            few = folder / "few.jsonl"
            once = tuple(config.with_training(epochs=1) for config in drawn[: end_to_end.FEW])
            few.write_bytes(write_list(Space("few", configs=once)))
            options.tune_best = sweep("Tune script", tune_script, TUNE, TUNE_TRIES, few, data)
        print(f"Tune script: {options.precision}, {said(TUNE, options.tune_best)}.", end="\n\n")
        ways: dict[str, Callable[[Path], Run]] = {
            "Tune script, ASHA": tune_script(options.tune_best, configs, data, options.precision, options.max_t),
            "hpsearch, halving": lambda out: hpsearch(options, configs, out, **searched(options)),
            "hpsearch, halving, gp": guided(options, sampler="gp"),
            "hpsearch, halving, transfer, half as many": transfer(options, samples=options.samples // 2),
            "hpsearch, halving, transfer, a quarter as many": transfer(options, samples=options.samples // 4),
            "hpsearch, halving from half an epoch, transfer, a quarter as many": transfer(
                options, samples=options.samples // 4, **EARLY
            ),
            "hpsearch, halving, transfer, 8 draws": transfer(options, samples=8),
            "hpsearch, ASHA, transfer": transfer(options, scheduler="asha"),
        }
        if unknown := set(options.way or ()) - set(ways):
            sys.exit(f"--way takes {', '.join(ways)}; got {', '.join(sorted(unknown))}")
        ways = {way: go for way, go in ways.items() if way in (options.way or ways)}
        runs: dict[str, list[Run]] = {way: [] for way in ways}
        for repeat in range(options.repeats):  # by turns: what else happens on the machine meets all of them
            for number, (way, go) in enumerate(ways.items()):
                runs[way].append(go(folder / f"{repeat}-{number}"))
                progress(f"{way}, {repeat + 1} of {options.repeats}", runs[way][-1])
    print(table(rows(runs)))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("space", choices=tuple(MODES))
    parser.add_argument("--dataset", default="cifar10", help="a known name, or a folder of colour images")
    parser.add_argument("--data-dir", default="~/.cache/hpsearch", help="downloads and cache")
    parser.add_argument("--limit-train", type=int, default=2000, help="images")
    parser.add_argument("--samples", type=int, default=60, help="configurations")
    parser.add_argument("--max-t", type=int, default=16, help="epochs of a trial that is not stopped")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="another seed takes other images and other draws")
    parser.add_argument("--way", action="append", help="only these rows; may be given several times; the script first")
    parser.add_argument("--sweep", action="store_true", help="find the best settings of the script first")
    parser.add_argument(
        "--tune-best", type=tune_settings, default=TUNE_BEST, help="CPUs a trial,workers,threads,reuse_actors"
    )
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="the script's")
    return parser.parse_args()


def guided(options: argparse.Namespace, **more: object) -> Callable[[Path], Run]:
    """A search that draws from the space itself."""
    return lambda out: hpsearch(options, SPACES[options.space], out, **{**searched(options), **more})


def transfer(options: argparse.Namespace, **more: object) -> Callable[[Path], Run]:
    """A search by the sampler with experience, but not of the images that are searched on."""
    others = tuple(name for name in datasets(end_to_end.IMAGE_SIZE[options.mode]) if name != "cifar10")
    return guided(options, sampler="transfer", experience=others, **more)


def draws(options: argparse.Namespace) -> tuple[Config, ...]:
    """What `--sampler random` draws from the space, each to be trained for `--max-t` epochs unless it is stopped."""
    sampler = make_sampler(find_space(SPACES[options.space]), "random", options.seed, lambda _: None)
    found = [sampler.draw(trial) for trial in range(options.samples)]
    return tuple(each.config.with_training(epochs=options.max_t) for each in found if each is not None)


def searched(options: argparse.Namespace) -> dict[str, object]:
    return {"scheduler": "halving", "samples": options.samples, "epochs": options.max_t}


def rows(runs: dict[str, list[Run]]) -> list[dict[str, str]]:
    """A row a way: the script's best counts for all three of the same repeat."""
    script = next(iter(runs.values()))
    targets = [best(run) for run in script]
    found = []
    for way, done in runs.items():
        there = [reached(run, target) for run, target in zip(done, targets, strict=True)]
        pairs = [reached(run, target) for run, target in zip(script, targets, strict=True)]
        ratios = [theirs / ours for theirs, ours in zip(pairs, there, strict=True) if ours and theirs]
        met = [each for each in there if each]
        found.append(
            {
                "way": way,
                "as good as the script's best after, s": spread(met, ".1f") if met else "never",
                "of so many runs": f"{len(met)} of {len(done)}",
                "sooner than the script, times": spread(ratios, ".1f") if ratios else "",
                "whole command, s": spread([run.wall for run in done], ".1f"),
                "epochs": spread([run.trained for run in done], ".0f"),
                "best validation accuracy, %": spread([100 * best(run) for run in done], ".1f"),
            }
        )
    return found


def best(run: Run) -> float:
    return max(epoch["val_accuracy"] for epoch in run.epochs if epoch["val_accuracy"] is not None)


def reached(run: Run, target: float) -> float | None:
    """Seconds after the command until a trial was as good as that; None where none was."""
    ends = [epoch["ended"] for epoch in run.epochs if (epoch["val_accuracy"] or 0.0) >= target]
    return min(ends) - run.launched if ends else None


if __name__ == "__main__":
    main()
