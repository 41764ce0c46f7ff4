"""A search whose two workers share a GPU through MPS, as far as driver and Ray know; they train on the processor.

python -m tests.contracts.sharing RESULTS DATA shared|turns
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from search.machines import machine, mps
from search.run.engines import tuner
from tests.contracts import searches
from trainables.worker.actor import Worker


class Unfenced(Worker):
    """A worker that does not limit its part of the GPU's memory, as there is none."""

    def setup(self, config: dict[str, Any], **settings: Any) -> None:
        super().setup(config, **settings | {"sharers": 0})


class Faulty(torch.nn.Linear):
    """A network that ends its worker as a fault of a GPU does."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x.device.type != "meta":
            raise RuntimeError("CUDA error: unspecified launch failure")
        return super().forward(x.flatten(1))


def faulty(input_shape: tuple[int, int, int], num_classes: int) -> Faulty:
    channels, height, width = input_shape
    return Faulty(channels * height * width, num_classes)


@contextmanager
def as_if_by_mps(_: int) -> Iterator[tuple[bool, None]]:
    """What `mps.sharing` is where the service works."""
    yield sys.argv[3] == "shared", None


if __name__ == "__main__":
    of_this_machine = machine.find
    machine.find = lambda *arguments: replace(of_this_machine(*arguments), num_gpus=1)  # type: ignore[assignment]
    mps.sharing = as_if_by_mps
    tuner.run_workers = partial(tuner.run_workers, worker=Unfenced)  # type: ignore[assignment]
    searches.CONFIGS = [
        searches.CONFIGS[0] | {"network": {"name": "tests.contracts.sharing:faulty"}},
        searches.CONFIGS[1],
    ]
    searches.run(Path(sys.argv[1]), Path(sys.argv[2]), engine="tune", scheduler="none", slots=2)
