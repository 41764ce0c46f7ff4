"""One process of `gpu.py`: what is trained and how, its speed with and without a capture, a DataLoader loop."""

import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import numpy as np
import torch
from common import photograph_tiles
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from architectures.cost import Cost
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.optimizers import OPTIMIZERS
from trainables.resident import Resident
from trainables.training import Training

SHAPE = (3, 32, 32)
CLASSES = 100
AUGMENT = "published"
# SGD with momentum, as it is searched; the others with torch's defaults.
ARGUMENTS = {"sgd": {"momentum": 0.9}}
# Values that an optimizer keeps for each parameter, with those arguments.
STATES = {name: 1 if name == "rmsprop" else optimizer.state_tensors for name, optimizer in OPTIMIZERS.items()}

NO_GPU = "unmeasured"
NO_MEMORY = "out of memory"
FAILED = "failed"
failures: list[Exception] = []
"""What measurements of this process raised, but for a lack of memory."""

Result = TypeVar("Result")
Given = ParamSpec("Given")


@dataclass(frozen=True)
class Case:
    """What is trained: a family as published, an optimizer, images a batch."""

    family: str
    optimizer: str
    batch: int


@dataclass(frozen=True)
class Setup:
    """How it is trained: steps an epoch, "cuda" or "cpu", "bfloat16" or "float32"."""

    steps: int
    device: str
    precision: str


@dataclass(frozen=True)
class Ceilings:
    """The most this device does: copying in bytes/s (read plus written), a matrix product in FLOP/s."""

    copy: float
    product: float


def make_training(case: Case, setup: Setup, *, captured: bool | None = None) -> Training:
    """A new training whose epoch is exactly `setup.steps` batches; `captured` as in `Training`."""
    count = case.batch * setup.steps
    tiles = torch.from_numpy(photograph_tiles(SHAPE[1]))
    pixels = tiles[torch.arange(count) % len(tiles)].to(setup.device)
    train = Resident(pixels, (torch.arange(count) % CLASSES).to(setup.device), CLASSES)
    config = Config(
        NetworkConfig(case.family),
        OptimizerConfig(case.optimizer, lr=1e-3, arguments=ARGUMENTS.get(case.optimizer, {})),
        TrainingConfig(batch_size=case.batch, epochs=1, augment=AUGMENT),
    )
    return Training(config, train, None, seed=0, precision=setup.precision, captured=captured)


def measure_ceilings(setup: Setup) -> Ceilings:
    """Copy a large float32 tensor on the device, and multiply two large random matrices in the training's precision."""
    on_gpu = setup.device == "cuda"
    source = torch.ones((2**30 if on_gpu else 2**28) // 4, device=setup.device)
    target = torch.empty_like(source)
    copy = fastest(lambda: target.copy_(source), setup)
    side = 8192 if on_gpu else 2048
    dtype = getattr(torch, setup.precision)
    left, right = (torch.randn(side, side, device=setup.device, dtype=dtype) for _ in range(2))
    product = fastest(lambda: left @ right, setup)
    return Ceilings(2 * source.nbytes / copy, 2 * side**3 / product)


def fastest(work: Callable[[], object], setup: Setup) -> float:
    """Seconds that `work` takes: the best of five rounds, after one call that warms up."""
    calls = 20 if setup.device == "cuda" else 1
    work()
    rounds = []
    for _ in range(5):
        wait(setup.device)
        start = time.perf_counter()
        for _ in range(calls):
            work()
        wait(setup.device)
        rounds.append((time.perf_counter() - start) / calls)
    return min(rounds)


def wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def step_bytes(case: Case, found: Cost, setup: Setup) -> int:
    """Bytes that a step moves at the least, if no cache helps; `explain` says what is counted."""
    kept = case.batch * found.activation_bytes // (2 if setup.precision == "bfloat16" else 1)
    return 3 * kept + 4 * found.parameters * (6 + 2 * STATES[case.optimizer])


def speeds(case: Case, setup: Setup, epochs: int, *, captured: bool) -> list[float]:
    training = make_training(case, setup, captured=captured)
    training.run_segment()  # warms up
    return [training.run_segment().images_per_second for _ in range(epochs)]


def loader_speed(case: Case, setup: Setup, workers: int) -> float:
    """Images/s of a loop over a DataLoader, with the same model, optimizer and precision.

    The first batches, one a worker, are not timed: workers start, and deliver together.
    """
    from baselines.plain import Pictures, augmented  # imported late: torchvision takes longer than torch does

    training = make_training(case, Setup(1, setup.device, setup.precision))
    model, optimizer = training.model, training.optimizer
    skipped = max(1, workers)
    timed = max(4 * skipped, 512 // case.batch)
    index = np.arange((skipped + timed) * case.batch)
    tiles = photograph_tiles(SHAPE[1]).transpose(0, 2, 3, 1)
    pictures = Pictures(tiles[index % len(tiles)], index % CLASSES, augmented(*SHAPE[1:]))
    loader = DataLoader(pictures, case.batch, shuffle=True, num_workers=workers)
    model.train()
    running, start = 0.0, 0.0
    for number, (inputs, labels) in enumerate(loader, 1):
        inputs, labels = inputs.to(setup.device), labels.to(setup.device)
        optimizer.zero_grad()
        with torch.autocast(setup.device, torch.bfloat16, enabled=setup.precision == "bfloat16"):
            loss = cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        running += loss.item()  # waits for the device
        if number == skipped:
            start = time.perf_counter()
    return timed * case.batch / (time.perf_counter() - start)


def measured(measure: Callable[Given, Result], *given: Given.args, **named: Given.kwargs) -> Result | str:
    """What `measure` returns; NO_MEMORY when memory does not suffice, FAILED when it raises anything else."""
    try:
        return measure(*given, **named)
    except torch.OutOfMemoryError:
        return NO_MEMORY
    except Exception as error:  # the other measurements can do without this one
        failures.append(error)
        traceback.print_exc(file=sys.stderr)
        return FAILED
