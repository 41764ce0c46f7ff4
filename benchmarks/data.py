"""Measures the memory of more workers on one machine, with data of CIFAR-100's size: is the data there once?

Workers of the real engine read every pixel and then wait for each other; when all have, the driver reads everybody's
`/proc/<pid>/smaps_rollup`. `shared` is what this project does, `copied` the same workers with pixels of their own,
`no data` their base: the same processes with a hundred images. A page of shared memory counts in parts, one for each
process that has it mapped (proportional set size, Pss).

`python benchmarks/data.py` prints Markdown tables; it needs Linux and about 0.5 GiB a worker.
"""

import argparse
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import header, table
from trials import noise, pretended, run_search

from search.driver import Driver
from search.engine import Worker
from search.ledger import Event
from search.machine import Machine
from search.spaces import find_space
from trainables.datasets import Images

MIB = 2**20


class Reading(Worker):
    """A worker that reads every pixel in each step and never ends."""

    def step(self) -> dict[str, Any]:
        """An epoch that reads and does not train."""
        began = time.time()
        self._train.pixels.max()  # a sum would convert them first
        time.sleep(0.2)
        return self._answer(began, state="running", **pretended(1.0, val_accuracy=None))


class Copying(Reading):
    """The same with pixels of its own."""

    def setup(self, config: dict[str, Any], **given: Any) -> None:
        """Copy what Ray's object store shares."""
        super().setup(config, **given)
        self._train = replace(self._train, pixels=self._train.pixels.clone())


class _EnoughError(Exception):
    """Ends a search when its workers have been measured."""


@dataclass(frozen=True)
class Memory:
    """MiB: what all workers together have of their own, and what they and the driver have of shared memory."""

    own: float
    shared: float

    @property
    def both(self) -> float:
        """All of it."""
        return self.own + self.shared


def measure(worker: type, images: Images, workers: int) -> Memory:
    """The memory of so many workers once each has read all images."""
    seen: set[int] = set()
    found: list[Memory] = []

    def listen(driver: Driver, event: Event) -> None:
        if event["event"] != "measured" or found:
            return
        seen.add(event["pid"])
        if len(seen) == workers:
            shared = sum(field(pid, "Pss_Shmem") for pid in (*seen, os.getpid()))
            found.append(Memory(own=sum(field(pid, "Pss_Anon") for pid in seen), shared=shared))
            raise _EnoughError

    here = Machine(slots=workers, threads=1, num_gpus=0, device="cpu", precision="float32")
    with suppress(_EnoughError):
        run_search(
            worker,
            find_space("cnn_all"),
            images,
            noise(100),
            here,
            samples=workers,
            epochs=30,
            scheduler="none",
            listen=listen,
        )
    return found[0]


def field(pid: int, name: str) -> float:
    """A line of a process's smaps_rollup, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000, help="of 3×32×32 bytes")
    parser.add_argument("--workers", type=int, nargs=2, default=(2, 10), help="few and many")
    parser.add_argument("--short", action="store_true", help="10,000 images, 2 and 4 workers")
    asked = parser.parse_args()
    count, (few, many) = (10_000, (2, 4)) if asked.short else (asked.images, asked.workers)
    data, base = noise(count), noise(100)
    size = data.pixels.nbytes / MIB
    ways = {"no data": (Reading, base), "shared": (Reading, data), "copied": (Copying, data)}
    found: dict[str, dict[int, Memory]] = {}
    for way, (worker, images) in ways.items():
        found[way] = {}
        for workers in (few, many):
            print(f"{way}, {workers} workers …", file=sys.stderr)
            found[way][workers] = measure(worker, images, workers)
    print(header("ray"), end="\n\n")
    print(f"The data: {count:,} images of 3×32×32 bytes, {size:.1f} MiB.\n")
    print(
        table(
            [
                {
                    "way": way,
                    "workers": workers,
                    "shared memory, MiB": f"{memory.shared:.1f}",
                    "workers' own, MiB": f"{memory.own:.0f}",
                    "both, MiB": f"{memory.both:.0f}",
                }
                for way, by_workers in found.items()
                for workers, memory in by_workers.items()
            ]
        ),
        end="\n\n",
    )
    growth = {way: (by[many].both - by[few].both) / (many - few) for way, by in found.items()}
    base = growth.pop("no data")
    print(
        table(
            [
                {
                    "way": way,
                    "a worker more, MiB": f"{each:.1f}",
                    "without its base, MiB": f"{each - base:.1f}",
                    "times the data": f"{round((each - base) / size, 2) + 0.0:.2f}",
                }
                for way, each in growth.items()
            ]
        )
    )


if __name__ == "__main__":
    main()
