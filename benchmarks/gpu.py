"""Measures training on one GPU, without Ray: eager and captured steps, a DataLoader loop, several processes at once.

`python benchmarks/gpu.py` prints four Markdown tables. The images are photograph tiles of 3×32×32 in 100 classes,
augmented as published. Without a GPU the same runs on the CPU with a smaller set, and what needs a GPU is "unmeasured".
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from common import header, photograph_tiles, spread, table
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from architectures.cost import Cost, cost
from architectures.families import FAMILIES
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.optimizers import OPTIMIZERS
from trainables.resident import Resident
from trainables.training import Training, default_precision

SHAPE = (3, 32, 32)
CLASSES = 100
AUGMENT = "published"
# SGD with momentum, as it is searched; the others with torch's defaults.
ARGUMENTS = {"sgd": {"momentum": 0.9}}
# Values that an optimizer keeps for each parameter, with those arguments.
STATES = {"adam": 2, "rmsprop": 1, "adagrad": 1, "sgd": 1}

FULL = {
    "families": list(FAMILIES),
    "optimizers": list(OPTIMIZERS),
    "batches": [8, 128, 1024],
    "steps": 50,
    "processes": [1, 2, 4, 8, 16],
    "seconds": 2.0,
}
QUICK = FULL | {"families": ["cnn3", "cnn5"], "batches": [8, 128], "steps": 4, "processes": [1, 2], "seconds": 1.0}

NO_GPU = "unmeasured"
NO_MEMORY = "out of memory"

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


# Ceilings


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


# One process: eager, captured, DataLoader loop. Each returns images/s, an epoch's or a loop's.


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


# Several processes


def together(cases: Sequence[Case], setup: Setup, processes: int, seconds: float) -> list[float | str]:
    """Images/s of all processes for each case, or why there are none.

    All images over the longest process's time, so that none is credited for having the device to itself at the end.
    """
    context = torch.multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(processes), context.SimpleQueue()
    torch.multiprocessing.spawn(one_of, (cases, setup, processes, seconds, barrier, results), nprocs=processes)
    found: list[float | str] = []
    for windows in zip(*(results.get() for _ in range(processes)), strict=True):
        if NO_MEMORY in windows:
            found.append(NO_MEMORY)
        else:
            found.append(sum(images for images, _ in windows) / max(took for _, took in windows))
    return found


def one_of(
    _rank: int, cases: Sequence[Case], setup: Setup, processes: int, seconds: float, barrier: Any, results: Any
) -> None:
    """One process with its share of memory and threads; puts a `window` for each case."""
    torch.set_num_threads(max(1, torch.get_num_threads() // processes))
    if setup.device == "cuda":
        torch.cuda.set_per_process_memory_fraction(0.9 / processes)  # a tenth is left to the CUDA contexts
    results.put([window(case, setup, seconds, barrier) for case in cases])


def window(case: Case, setup: Setup, seconds: float, barrier: Any) -> tuple[int, float] | str:
    """Images, and the seconds they took, of epochs begun within `seconds` after all processes have warmed up."""
    training = within_memory(warm_training, case, setup)
    barrier.wait()
    found = training if isinstance(training, str) else within_memory(train_for, training, seconds)
    barrier.wait()  # the next case begins when all have measured this one
    return found


def survivors(case: Case, setup: Setup, processes: int, seconds: float) -> int:
    """How many of the others train on for `seconds` after one process has made the device fail."""
    context = torch.multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    everyone = [
        context.Process(target=beside_a_failure, args=(rank, case, setup, seconds, barrier))
        for rank in range(processes)
    ]
    for process in everyone:
        process.start()
    for process in everyone:
        process.join()
    return sum(process.exitcode == 0 for process in everyone[1:])


def beside_a_failure(rank: int, case: Case, setup: Setup, seconds: float, barrier: Any) -> None:
    training = warm_training(case, setup)
    barrier.wait()
    if rank == 0:
        with suppress(IndexError, RuntimeError):  # this failure is meant
            print(torch.zeros(1, device=setup.device)[torch.tensor([1], device=setup.device)])
        sys.exit(1)
    train_for(training, seconds)


@contextmanager
def mps(setup: Setup) -> Iterator[bool]:
    """NVIDIA's MPS for processes that start within this: their kernels share the GPU instead of taking turns.

    False where there is no GPU, or no MPS.
    """
    if setup.device != "cuda" or not shutil.which("nvidia-cuda-mps-control"):
        yield False
        return
    with TemporaryDirectory() as folder:
        names = ("CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY")
        os.environ.update(dict.fromkeys(names, folder))
        subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True)
        try:
            yield True
        finally:
            subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, check=True)
            for name in names:
                del os.environ[name]


def warm_training(case: Case, setup: Setup) -> Training:
    training = make_training(case, setup)
    training.run_segment()
    return training


def train_for(training: Training, seconds: float) -> tuple[int, float]:
    before, start = training.images, time.perf_counter()
    while time.perf_counter() - start < seconds:
        training.run_segment()
    return training.images - before, time.perf_counter() - start


def within_memory(measure: Callable[Given, Result], *given: Given.args, **named: Given.kwargs) -> Result | str:
    """What `measure` returns, or NO_MEMORY when the device's memory does not suffice."""
    try:
        return measure(*given, **named)
    except torch.OutOfMemoryError:
        return NO_MEMORY


# What is printed. Speeds are images/s of each epoch, or a word why there are none.


def print_steps(cases: Sequence[Case], setup: Setup, epochs: int) -> tuple[dict[Case, Any], dict[Case, Any]]:
    """The table of steps; returns the eager and the captured speeds of each case."""
    ceilings = measure_ceilings(setup)
    print("### Steps", explain(setup, ceilings), sep="\n\n", end="\n\n")
    print(f"Images/s: median (least–most) of {epochs} epochs of {setup.steps} steps, after one that warms up.\n")
    rows, eager, captured = [], {}, {}
    for case in cases:
        eager[case] = within_memory(speeds, case, setup, epochs, captured=False)
        on_gpu = setup.device == "cuda"
        captured[case] = within_memory(speeds, case, setup, epochs, captured=True) if on_gpu else NO_GPU
        row: dict[str, Any] = {"network": case.family, "optimizer": case.optimizer, "batch": case.batch}
        row |= step_columns("eager", eager[case], case, setup, ceilings)
        rows.append(row | step_columns("captured", captured[case], case, setup, ceilings))
        progress(rows[-1])
    print(table(rows), end="\n\n")
    return eager, captured


def explain(setup: Setup, ceilings: Ceilings) -> str:
    """The ceilings, and what is counted against them."""
    kept = "half of float32's, as maps are bfloat16" if setup.precision == "bfloat16" else "float32"
    states = ", ".join(f"{name} {count}" for name, count in STATES.items())
    return f"""\
- Ceilings, measured in this run: copy {ceilings.copy / 1e9:,.1f} GB/s (read plus written), {setup.precision} matrix \
product {ceilings.product / 1e12:,.2f} TFLOP/s.
- "of product": 3 × forward FLOP (`architectures.cost`) × images/s, over the product's.
- "of copy": bytes that steps move at the least, over the copy's. Counted are 3 × what autograd keeps of a batch \
({kept}): written, read forward, read backward; and 4 bytes × parameters × (6 + 2 × states): weights read twice and \
updated, gradients written and read, states updated ({states}). Not counted are gradients of maps and augmentation; \
what a cache saves is not subtracted.
- "captured": forward, loss, backward and metrics as one CUDA graph (`trainables.cuda_graph`), at any batch
size."""


def step_columns(way: str, found: list[float] | str, case: Case, setup: Setup, ceilings: Ceilings) -> dict[str, str]:
    """Four columns of a way to step."""
    names = [f"{way} {what}" for what in ("steps/s", "images/s", "of copy", "of product")]
    if isinstance(found, str):
        return dict.fromkeys(names, found)
    images = statistics.median(found)
    steps = images / case.batch
    needed = cost(FAMILIES[case.family](), SHAPE, CLASSES)
    copied = steps * step_bytes(case, needed, setup) / ceilings.copy
    multiplied = 3 * needed.flops * images / ceilings.product
    cells = [f"{steps:,.1f}", spread(found, ",.0f"), f"{copied:.1%}", f"{multiplied:.1%}"]
    return dict(zip(names, cells, strict=True))


def print_loader(
    cases: Sequence[Case], setup: Setup, workers: int, eager: dict[Case, Any], captured: dict[Case, Any]
) -> None:
    print("### Against a DataLoader loop", end="\n\n")
    print(
        "PIL images through torchvision's transforms one at a time, `loss.item()` each step; the same network, "
        f"optimizer ({cases[0].optimizer}) and precision; {workers} workers.\n"
    )
    rows = []
    for case in cases:
        loop = within_memory(loader_speed, case, setup, workers)
        rows.append(
            {
                "network": case.family,
                "batch": case.batch,
                "loop images/s": loop if isinstance(loop, str) else f"{loop:,.0f}",
                "eager is faster by": faster(eager[case], loop),
                "captured is faster by": faster(captured[case], loop),
            }
        )
        progress(rows[-1])
    print(table(rows), end="\n\n")


def faster(found: list[float] | str, loop: float | str) -> str:
    if isinstance(found, str):
        return found
    return loop if isinstance(loop, str) else f"{statistics.median(found) / loop:.1f}×"


def print_processes(cases: Sequence[Case], setup: Setup, counts: Sequence[int], seconds: float) -> None:
    print(f"### Processes on one {'GPU' if setup.device == 'cuda' else 'CPU'}", end="\n\n")
    print(
        f"Images/s of all together, as a search trains, {cases[0].optimizer}, {seconds:g} s from a common start; each "
        "has an equal share of threads and of the GPU's memory. In brackets: against the first column. Enough: the "
        "fewest that give 95 % of the most. MPS is NVIDIA's Multi-Process Service.\n"
    )
    if setup.device == "cuda":
        torch.cuda.empty_cache()  # what this process holds, the others cannot have
    columns = {processes_of(count): together(cases, setup, count, seconds) for count in counts}
    rows: list[dict[str, Any]] = []
    for number, case in enumerate(cases):
        found = [column[number] for column in columns.values()]
        row: dict[str, Any] = {"network": case.family, "batch": case.batch}
        for name, speed in zip(columns, found, strict=True):
            ratio = "" if name == next(iter(columns)) else f" ({faster([speed], found[0])})"  # type: ignore[list-item]
            row[name] = speed if isinstance(speed, str) else f"{speed:,.0f}{ratio}"
        numbers = {count: speed for count, speed in zip(counts, found, strict=True) if not isinstance(speed, str)}
        row["enough"] = next((n for n, speed in numbers.items() if speed >= 0.95 * max(numbers.values())), NO_MEMORY)
        rows.append(row)
    most = max(counts)
    with mps(setup) as running:
        under = together(cases, setup, most, seconds) if running else [NO_GPU] * len(cases)
    for row, speed in zip(rows, under, strict=True):
        row[f"{processes_of(most)}, MPS"] = speed if isinstance(speed, str) else f"{speed:,.0f}"
        progress(row)
    print(table(rows), end="\n\n")


def processes_of(count: int) -> str:
    return f"{count} process{'es' * (count > 1)}"


def print_failures(case: Case, setup: Setup, processes: int, seconds: float) -> None:
    print("### When one of them fails", end="\n\n")
    print(f"One of {processes_of(processes)} makes the device fail; of the others, so many train on.\n")
    alone = survivors(case, setup, processes, seconds)
    with mps(setup) as running:
        under = survivors(case, setup, processes, seconds) if running else NO_GPU
    row = {"network": case.family, "batch": case.batch, "others": processes - 1, "train on": alone, "MPS": under}
    progress(row)
    print(table([row]))


def gpu_name() -> str:
    if not torch.cuda.is_available():
        return "none"
    properties = torch.cuda.get_device_properties(0)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


def progress(row: dict[str, Any]) -> None:
    print(*row.values(), file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    """The options; those not given are FULL's, or QUICK's with --quick or without a GPU."""
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, metavar="NAME", help="networks, as published")
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, metavar="NAME", help="by default all")
    parser.add_argument("--batches", nargs="+", type=int, metavar="N", help="images a batch")
    parser.add_argument("--steps", type=int, help="steps an epoch")
    parser.add_argument("--epochs", type=int, default=3, help="epochs that are timed, after one that warms up")
    parser.add_argument("--processes", nargs="*", type=int, metavar="N", help="processes at once; none leaves them out")
    parser.add_argument("--seconds", type=float, help="how long the processes train, for each network and batch")
    workers = len(os.sched_getaffinity(0)) if on_gpu else 0
    parser.add_argument(
        "--workers", type=int, default=workers, help="of the DataLoader; by default the cores, on a CPU 0"
    )
    parser.add_argument("--quick", action="store_true", help="a smaller set; the default without a GPU")
    options = parser.parse_args()
    options.quick = options.quick or not on_gpu
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


def main() -> None:
    options = parse()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    setup = Setup(options.steps, device, default_precision(device))
    print(header("torchvision"), end="\n\n")
    print(f"GPU: {gpu_name()}. Precision: {setup.precision}.", end="\n\n")
    if device == "cpu":
        print(f"Without a GPU options default to those of --quick, and what needs one is {NO_GPU}.\n")
    cases = [Case(f, o, b) for f in options.families for o in options.optimizers for b in options.batches]
    eager, captured = print_steps(cases, setup, options.epochs)
    firsts = [case for case in cases if case.optimizer == options.optimizers[0]]
    print_loader(firsts, setup, options.workers, eager, captured)
    if options.processes:
        print_processes(firsts, setup, options.processes, options.seconds)
        print_failures(firsts[0], setup, max(options.processes), options.seconds)


if __name__ == "__main__":
    main()
