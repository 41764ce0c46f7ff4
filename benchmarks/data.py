"""Measures the memory of many workers on one machine, with data of CIFAR-100's size: is the data there once?

Workers of the real engine read every pixel and then wait for each other; when all have, the driver reads everybody's
`/proc/<pid>/smaps_rollup`. `shared` is what this project does, `copied` the same workers with pixels of their own,
`no data` their base: the same processes with a hundred images. A page of shared memory counts in parts, one for each
process that has it mapped (proportional set size, Pss), so that what all have together is what the machine has.

`python benchmarks/data.py` prints a Markdown table; it needs Linux and about 0.5 GiB a worker.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import header, table
from searching import noise, pretended, ray_for, run_search

from search.history.events import Event, Measured, State
from search.machines.machine import Machine
from search.run.engines.tuner import Worker  # not from where it is defined: Ray reads the environment on import
from search.spaces import find_space
from trainables.data.images import Images

MIB = 2**20


class Reading(Worker):
    """A worker that reads every pixel in each step and never ends."""

    def setup(self, config: dict[str, Any], *, train: Images, **given: Any) -> None:
        """Keep the pixels at hand."""
        super().setup(config, train=train, **given)
        self.pixels = train.pixels

    def step(self) -> dict[str, Any]:
        """An epoch that reads and does not train."""
        began = time.time()
        self.pixels.max()  # a sum would convert them first
        time.sleep(0.2)
        return pretended(State.RUNNING, 1.0, val_accuracy=None, began=began)


class Copying(Reading):
    """The same with pixels of its own."""

    def setup(self, config: dict[str, Any], *, train: Images, **given: Any) -> None:
        """Copy what Ray's object store shares."""
        super().setup(config, train=replace(train, pixels=train.pixels.copy()), **given)


@dataclass(frozen=True)
class Memory:
    """MiB: what a worker has of its own (mean), and what all of them and the driver have of shared memory."""

    own: float
    shared: float


def measure(worker: type, images: Images, here: Machine) -> Memory:
    """The memory of a search with a worker in each slot, once every one has read all images."""
    seen: set[int] = set()
    found: list[Memory] = []

    def listen(event: Event) -> None:
        if not isinstance(event, Measured) or event.pid is None or found:
            return
        seen.add(event.pid)
        if len(seen) == here.slots:
            shared = sum(field(pid, "Pss_Shmem") for pid in (*seen, os.getpid()))
            found.append(Memory(sum(field(pid, "Pss_Anon") for pid in seen) / here.slots, shared))

    run_search(
        worker,
        find_space("cnn_all"),
        images,
        noise(100),
        here,
        samples=here.slots,
        epochs=30,
        scheduler="none",
        listen=listen,
        enough=lambda: bool(found),
    )
    return found[0]


def field(pid: int, name: str) -> float:
    """A line of a process's smaps_rollup, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=50_000, help="of 3×32×32 bytes")
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--short", action="store_true", help="20,000 images, 2 workers")
    asked = parser.parse_args()
    count, workers = (20_000, 2) if asked.short else (asked.images, asked.workers)
    data, few = noise(count), noise(100)
    size = data.pixels.nbytes / MIB
    ways = {"no data": (Reading, few), "shared": (Reading, data), "copied": (Copying, data)}
    here = Machine(slots=workers, threads=1, num_gpus=0, device="cpu", precision="float32")
    found: dict[str, Memory] = {}
    with ray_for(here):
        for way, (worker, images) in ways.items():
            print(f"{way}, {workers} workers …", file=sys.stderr)
            found[way] = measure(worker, images, here)
    base = found["no data"].own
    print(header("ray"), end="\n\n")
    print(f"The data: {count:,} images of 3×32×32 bytes, {size:.1f} MiB; {workers} workers.\n")
    print(
        table(
            [
                {
                    "way": way,
                    "shared memory of all, MiB": f"{memory.shared:.1f}",
                    "a worker's own, MiB": f"{memory.own:.1f}",
                    "without its base, MiB": f"{memory.own - base:.1f}",
                    "times the data": f"{round((memory.own - base) / size, 2) + 0.0:.2f}",
                }
                for way, memory in found.items()
            ]
        )
    )


if __name__ == "__main__":
    main()
