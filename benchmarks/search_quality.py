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
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from anytime import plot
from common import header, table
from pool_playing import Played, Way, play
from pool_recording import record
from pools import COSTS, Pool, read_pool
from remembering import remember
from scipy.stats import t

from search.samplers import EXPERIENCED, HEARS, LEARNING, SAMPLERS
from search.schedulers import SCHEDULERS

BASE = "asha"  # the scheduler that, with random draws, the others are compared with
ROUNDING = 1e-9  # of a mean of accuracies, whose sum depends on the order
RESAMPLED = 400  # times the searches are drawn again from themselves, for the interval of where a curve is reached
TEST = {"winner in the test, %": "tested", f"more than {BASE}'s, points": "tested_difference"}
FRONT = {"front, % of the pool's": "front", f"more than {BASE}'s with one objective": "front_difference"}


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean and the half width of its 95 % interval (Student's t)."""
    if len(values) < 2:
        return statistics.fmean(values), 0.0
    spread = statistics.stdev(values) / math.sqrt(len(values))
    return statistics.fmean(values), float(t.ppf(0.975, len(values) - 1)) * spread


def anytime(found: Sequence[Played]) -> np.ndarray:
    """The best accuracy so far of each search, (searches, epochs)."""
    longest = max(len(each.anytime) for each in found)
    return np.stack([np.pad(each.anytime, (0, longest - len(each.anytime)), mode="edge") for each in found])


def reached(curves: np.ndarray, target: float) -> float | None:
    """The epochs after which the mean of any-time curves is at a target; None if it never is."""
    there = curves.mean(axis=0) >= target - ROUNDING
    return float(there.argmax()) if there.any() else None


def rows(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each pool, number of slots, and way to search."""
    for path in asked.pool:
        pool = read_pool(path, asked.max_t)
        if len(pool) < max(asked.samples):
            sys.exit(f"{path} has {len(pool)} configurations, fewer than --samples {max(asked.samples)}")
        if not pool.is_space and asked.sampler != ["random"]:
            sys.exit(f"{path} does not say what its configurations are, so only --sampler random can draw from it")
        if not pool.is_listed and set(asked.sampler) & set(EXPERIENCED):
            sys.exit(f"{path} does not say all of its configurations, which {EXPERIENCED[0]} chooses from")
        for slots in asked.slots:

            def searches(way: Way, pool: Pool = pool, slots: int = slots) -> list[Played]:
                return [play(pool, way, slots, replay, asked.max_t) for replay in range(asked.replays)]

            if missing := [cost for cost in asked.also if any(cost not in each.costs for each in pool.configurations)]:
                sys.exit(f"{path} does not say the {missing[0]} of its configurations, so --also cannot go by them")
            first = Way(
                BASE, BASE, {}, "random", None, asked.samples[0], weighed=tuple(asked.also), size=asked.image_size
            )
            base = searches(first)
            for way in ways(asked):
                yield _row(path.stem, way, slots, base if way == first else searches(way), base)


def ways(asked: argparse.Namespace) -> Iterator[Way]:
    """Every scheduler with every sampler and number of samples, without and with more than one objective."""
    costs = tuple(asked.also)
    earlier = read_pool(asked.earlier, asked.max_t) if asked.earlier else None
    choices = product(asked.scheduler, asked.sampler, asked.samples, [(), costs] if costs else [()])
    for (label, name, options), sampler, samples, also in choices:
        hears = HEARS if asked.hears == "both" else [asked.hears]
        known = tuple(asked.experience or ()) if sampler in EXPERIENCED else ()
        before = earlier if sampler in EXPERIENCED else None
        for heard in hears if sampler in LEARNING else [None]:
            yield Way(label, name, options, sampler, heard, samples, also, costs, known, asked.image_size, before)


def _row(pool: str, way: Way, slots: int, found: Sequence[Played], base: Sequence[Played]) -> dict[str, Any]:
    regret, around = interval([each.regret for each in found])
    short, about = interval([each.short for each in found])
    difference, within = interval([a.short - b.short for a, b in zip(found, base, strict=True)])
    epochs, of_base = (statistics.fmean(each.epochs for each in some) for some in (found, base))
    work, works = (statistics.fmean(each.work for each in some) for some in (found, base))
    # As a share of the base's mean epochs. Its own is above 1: its replays differ in length, and all must have ended.
    curves, target = anytime(found), float(anytime(base)[:, -1].mean())
    there = reached(curves, target)
    rng = np.random.default_rng(0)
    again = [reached(curves[rng.integers(len(curves), size=len(curves))], target) for _ in range(RESAMPLED)]
    ends = sorted(math.inf if each is None else each / of_base for each in again)
    low, high = ends[round(0.025 * (RESAMPLED - 1))], ends[round(0.975 * (RESAMPLED - 1))]
    return {
        "pool": pool,
        "scheduler": way.label,
        "sampler": way.sampler,
        "hears": way.hears,
        "also": list(way.also),
        "samples": way.samples,
        "slots": slots,
        "epochs": epochs,
        "epochs_of_base": epochs / of_base,
        "flops_of_base": work / works if works else None,
        "reached": there,
        "reached_of_base": None if there is None else there / of_base,
        "reached_interval": [None if math.isinf(end) else end for end in (low, high)],
        "regret": regret,
        "regret_interval": [regret - around, regret + around],
        "short": short,
        "short_interval": [short - about, short + about],
        "difference": difference,
        "difference_interval": [difference - within, difference + within],
        "wall": statistics.fmean(each.wall for each in found),
        **_compared("tested", found, base),
        **_compared("front", found, base),
        "anytime": [round(float(value), 5) for value in curves.mean(axis=0)],
    }


def _compared(what: str, found: Sequence[Played], base: Sequence[Played]) -> dict[str, Any]:
    """The mean of a field of `Played`, and how much more it is than the base's; nothing without values of it."""
    both = [(getattr(each, what), getattr(other, what)) for each, other in zip(found, base, strict=True)]
    pairs = [(own, other) for own, other in both if own is not None and other is not None]
    if not pairs:
        return {}
    mean, around = interval([own for own, _ in pairs])
    more, within = interval([own - other for own, other in pairs])
    return {
        what: mean,
        f"{what}_interval": [mean - around, mean + around],
        f"{what}_difference": more,
        f"{what}_difference_interval": [more - within, more + within],
    }


def shown(row: Mapping[str, Any], *, tested: bool) -> dict[str, Any]:
    """A row of the Markdown table; regrets in hundredths of a per cent read badly, so in thousandths.

    tested: whether a pool of the table has test accuracies.
    """

    def thousandths(name: str) -> str:
        low, high = (1000 * end for end in row[f"{name}_interval"])
        return f"{1000 * row[name]:.2f} ({low:.2f} to {high:.2f})"

    def percent(name: str) -> str:
        low, high = (100 * end for end in row[f"{name}_interval"])
        return f"{100 * row[name]:.1f} ({low:.1f} to {high:.1f})"

    def times(value: float | None) -> str:
        return "never" if value is None else f"{value:.2f}"

    low, high = map(times, row["reached_interval"])
    return {
        "pool": row["pool"],
        "scheduler": row["scheduler"],
        "sampler": row["sampler"] + (f", {row['hears']}" if row["hears"] else ""),
        **({"also": ", ".join(row["also"]) or "–"} if "front" in row else {}),
        "samples": row["samples"],
        "slots": row["slots"],
        "epochs": f"{row['epochs']:.0f}",
        f"of {BASE}'s": f"{row['epochs_of_base']:.2f}",
        f"FLOPs, of {BASE}'s": "–" if row["flops_of_base"] is None else f"{row['flops_of_base']:.2f}",
        f"to {BASE}'s accuracy": f"{times(row['reached_of_base'])} ({low} to {high})",
        "regret, thousandths": thousandths("regret"),
        "short of the pool's best": thousandths("short"),
        f"less {BASE}'s": thousandths("difference"),
        **({name: percent(key) if key in row else "–" for name, key in TEST.items()} if tested else {}),
        "wall clock, s": f"{row['wall']:.1f}",
        **({name: percent(key) for name, key in FRONT.items()} if "front" in row else {}),
    }


def _scheduler(text: str) -> tuple[str, str, dict[str, float]]:
    """NAME or NAME:option=value,…, as a label, the name and the options."""
    name, _, options = text.partition(":")
    pairs = (pair.partition("=") for pair in options.split(",") if pair)
    return text, name, {option: float(value) for option, _, value in pairs}


def compare(asked: argparse.Namespace) -> None:
    """Play, and print what came of it."""
    asked.slots = asked.slots or [1, 16]
    asked.samples = asked.samples or [60]
    asked.sampler = asked.sampler or ["random"]
    if set(asked.sampler) & set(EXPERIENCED) and not (asked.experience or asked.earlier):
        sys.exit(f"name the --experience of {EXPERIENCED[0]}, all datasets but the pool's own, or an --earlier pool")
    asked.scheduler = asked.scheduler or [_scheduler(name) for name in SCHEDULERS]
    if asked.plot and not asked.plot.absolute().parent.is_dir():
        sys.exit(f"--plot {asked.plot}: there is no such folder")
    found = list(rows(asked))
    if asked.json:
        print(json.dumps(found, indent=1))
    else:
        print(header(), end="\n\n")
        tested = any("tested" in row for row in found)
        print(table([shown(row, tested=tested) for row in found]))
    if asked.plot:
        plot(found, asked.plot)


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
    verb.add_argument("--label", help="column of labels")
    verb.add_argument("--limit-train", type=int)
    verb.add_argument("--image-size", type=int)
    verb.add_argument("--validation", type=float, default=0.5)
    verb.add_argument("--again", type=float, default=0.25, help="share of the best that a second seed trains as well")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--parallel", type=int)
    verb.add_argument("--engine", default="tune")
    verb = verbs.add_parser("remember", help="write a pool or a search as a recording for the sampler transfer")
    verb.set_defaults(call=remember)
    source = verb.add_mutually_exclusive_group(required=True)
    source.add_argument("--pool", type=Path)
    source.add_argument("--search", type=Path, help="the folder of a finished search")
    verb.add_argument("--image-size", type=int, default=16, help="pixels a side of a pool's images")
    verb.add_argument("--dataset", required=True, help="the name by which --experience knows it")
    verb.add_argument("--what", required=True, help="what was trained, in a few words")
    verb.add_argument("--max-t", type=int, default=16, help="epochs of the longest trial")
    verb.add_argument("--out", type=Path, required=True, help="the .jsonl file to write, in search/experience/data")
    verb = verbs.add_parser("play", help="play searches on recorded pools")
    verb.set_defaults(call=compare)
    verb.add_argument("--pool", type=Path, action="append", required=True, help="may be given several times")
    verb.add_argument(
        "--samples",
        type=int,
        action="append",
        help="trials of a search; may be given several times, the first number is that of the base; 60 by default",
    )
    verb.add_argument(
        "--sampler", choices=list(SAMPLERS), action="append", help="may be given several times; random by default"
    )
    verb.add_argument("--hears", choices=[*HEARS, "both"], default=next(iter(HEARS)), help="of samplers that learn")
    verb.add_argument(
        "--experience",
        action="append",
        help="a dataset that `transfer` begins with; may be given several times",
    )
    verb.add_argument("--image-size", type=int, default=16, help="pixels a side of the pool's images, for experience")
    verb.add_argument(
        "--earlier", type=Path, help="a pool of other images: `transfer` begins with a search of 60 draws of it instead"
    )
    verb.add_argument("--slots", type=int, action="append", help="may be given several times; 1 and 16 by default")
    verb.add_argument("--max-t", type=int, default=16, help="epochs of the longest trial")
    verb.add_argument("--replays", type=int, default=400, help="draws of a pool")
    verb.add_argument(
        "--scheduler",
        type=_scheduler,
        action="append",
        help="NAME or NAME:option=value,… such as halving:keep=0.5; may be given several times; all by default",
    )
    verb.add_argument(
        "--also", choices=COSTS, action="append", default=[], help="a cost; every search is played without and with it"
    )
    verb.add_argument("--json", action="store_true", help="a list of rows instead of a table")
    verb.add_argument("--plot", type=Path, help="a file for the any-time curves as well, such as curves.svg")
    asked = parser.parse_args()
    asked.call(asked)


if __name__ == "__main__":
    main()
