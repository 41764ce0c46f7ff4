"""Measures the time from one trial's last step to the next one's first: in a warm worker, against a fresh one a trial.

The same search of tiny configurations on the digits, by the real engine with one slot: as it is, and with a process of
its own for each trial, interleaved. A trial has two epochs, as only its first step holds more than the epoch it times.

`python benchmarks/gap.py` prints a Markdown table.
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from common import began, ended, header, spread, table
from searching import ray_for, run_search

from search.history.record import Record
from search.machines.machine import Machine
from search.run.engines.tuner import Worker  # not from where it is defined: Ray reads the environment on import
from search.spaces import Space
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.data.images import Images
from trainables.data.load import load
from trainables.data.split import split

EPOCHS = 2
ONE_SLOT = Machine(slots=1, threads=1, num_gpus=0, device="cpu", precision="float32")
TINY = Config(NetworkConfig("cnn5", {"width": 0.25}), OptimizerConfig("adam", lr=1e-3), TrainingConfig(batch_size=256))
WAYS = {"warm worker": True, "a fresh one a trial": False}


@dataclass(frozen=True)
class Gaps:
    """Of one search: ms between its trials, and the processes that trained them."""

    milliseconds: list[float]
    processes: int


def measure(images: Images, trials: int, warm: bool) -> Gaps:
    """One search; its trials follow one another in one slot."""
    learn, validate = split(images.labels, 0.2, seed=0)
    record = run_search(
        Worker,
        Space("tiny", configs=(TINY,) * trials),
        images.take(learn),
        images.take(validate),
        ONE_SLOT,
        samples=trials,
        epochs=EPOCHS,
        scheduler="none",
        warm=warm,
    )
    return gaps(record)


def gaps(record: Record) -> Gaps:
    """From each trial's end to the next one's beginning."""
    runs = sorted((run.measurements for run in record.trials), key=lambda steps: began(steps[0]))
    found = [1000 * (began(following[0]) - ended(last[-1])) for last, following in pairwise(runs)]
    return Gaps(found, len({step.pid for steps in runs for step in steps}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=12, help="of a search")
    parser.add_argument("--repeats", type=int, default=3, help="searches of each kind")
    parser.add_argument("--short", action="store_true", help="2 trials, one search of each kind")
    asked = parser.parse_args()
    trials, repeats = (2, 1) if asked.short else (asked.trials, asked.repeats)
    found: dict[str, list[Gaps]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder, ray_for(ONE_SLOT):
        images = load("digits", "train", data_dir=Path(folder))
        for _ in range(repeats):
            for way, warm in WAYS.items():
                print(f"{way}, {trials} trials …", file=sys.stderr)
                found[way].append(measure(images, trials, warm))
    medians = {way: [statistics.median(each.milliseconds) for each in found[way]] for way in WAYS}
    fresh = statistics.median(medians["a fresh one a trial"])
    print(header("ray"), end="\n\n")
    print(
        table(
            [
                {
                    "way": way,
                    "gap, ms": spread(medians[way], ".0f"),
                    "longest, ms": f"{max(max(each.milliseconds) for each in found[way]):.0f}",
                    "processes a search": spread([each.processes for each in found[way]], ".0f"),
                    "shorter by": f"{fresh / statistics.median(medians[way]):.0f}×",
                }
                for way in WAYS
            ]
        )
    )


if __name__ == "__main__":
    main()
