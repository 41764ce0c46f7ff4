"""Measures training on one GPU, without Ray: eager and captured steps, a DataLoader loop, several processes at once.

`python benchmarks/gpu.py` prints three Markdown tables. The images are photograph tiles of 3×32×32 in 100 classes,
augmented as published. Without a GPU the same runs on the CPU with a smaller set, and what needs a GPU is "unmeasured".
"""

import argparse
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import torch
from common import header, photograph_tiles, spread, table
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from architectures.cost import Cost, cost
from architectures.families import FAMILIES
from trainables.augment import PRESETS, augment
from trainables.config import OPTIMIZERS, Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.loop import Resident, Training, default_precision

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
    "processes": [1, 4, 16],
    "seconds": 2.0,
}
QUICK = FULL | {"families": ["cnn3", "cnn5"], "batches": [8, 128], "steps": 4, "processes": [1, 2], "seconds": 1.0}

NO_GPU = "unmeasured"
NO_CAPTURE = "cannot be captured"
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


def make_training(case: Case, setup: Setup) -> Training:
    """A new training whose epoch is exactly `setup.steps` batches."""
    count = case.batch * setup.steps
    tiles = torch.from_numpy(photograph_tiles(SHAPE[1]))
    pixels = tiles[torch.arange(count) % len(tiles)].to(setup.device)
    train = Resident(pixels, (torch.arange(count) % CLASSES).to(setup.device), CLASSES)
    config = Config(
        NetworkConfig(case.family),
        OptimizerConfig(case.optimizer, lr=1e-3, arguments=ARGUMENTS.get(case.optimizer, {})),
        TrainingConfig(batch_size=case.batch, epochs=1, augment=AUGMENT),
    )
    return Training(config, train, None, seed=0, precision=setup.precision)


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


def eager_speeds(case: Case, setup: Setup, epochs: int) -> list[float]:
    training = make_training(case, setup)
    training.run_epoch()  # warms up
    return [training.run_epoch().images_per_second for _ in range(epochs)]


def captured_speeds(case: Case, setup: Setup, epochs: int) -> list[float]:
    step = StaticStep(make_training(case, setup))
    graph = capture(step)
    static_epoch(step, graph.replay)  # warms up
    return [static_epoch(step, graph.replay) for _ in range(epochs)]


class StaticStep:
    """A step of `Training` whose tensors stay where they are, so that a CUDA graph can repeat it.

    The learning rate is constant: the graph keeps its value.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        batch = training.config.training.batch_size
        self.pixels = training.train.pixels[:batch].clone()
        self.labels = training.train.labels[:batch].clone()
        self.totals = torch.zeros(2, dtype=torch.float64, device=training.device)
        self.generator = torch.Generator(training.device).manual_seed(training.seed)
        training.model.train()

    def load(self, index: Tensor) -> None:
        """Fill the buffers with the images of these indices."""
        train = self.training.train
        torch.index_select(train.pixels, 0, index, out=self.pixels)
        torch.index_select(train.labels, 0, index, out=self.labels)

    def __call__(self) -> None:
        """Augment, forward, loss, backward, update and metrics, of what is in the buffers."""
        training = self.training
        inputs = augment(self.pixels, PRESETS[AUGMENT], self.generator)
        with torch.autocast(training.device.type, torch.bfloat16, enabled=training.precision == "bfloat16"):
            logits = training.model(inputs)
        logits = logits.float()
        loss = cross_entropy(logits, self.labels)
        training.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        training.optimizer.step()
        correct = (logits.argmax(1) == self.labels).sum()
        self.totals += torch.stack((loss.detach() * len(self.labels), correct))


def capture(step: StaticStep) -> torch.cuda.CUDAGraph:
    """The step as a CUDA graph; its replay trains on what is in the step's buffers.

    Warmed up on the stream of the capture: optimizers make their state in their first step, and SGD's first step sets
    the momentum that the later ones add to. Dropout's generator is known to every graph, augmentation's is not.
    """
    for group in step.training.optimizer.param_groups:
        if "capturable" in group:  # Adam and RMSprop; SGD counts no steps
            group["capturable"] = True
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    graph.register_generator_state(step.generator)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This instance was constructed with capturable")
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    step.training.optimizer.zero_grad(set_to_none=True)  # the graph makes gradients in its own memory
    with torch.cuda.graph(graph, stream=stream):
        step()
    return graph


def static_epoch(step: StaticStep, run: Callable[[], None]) -> float:
    """Images/s of an epoch, each batch loaded and then `run`; shuffling counts, as in `Training`."""
    train = step.training.train
    start = time.perf_counter()
    for index in torch.randperm(len(train), device=step.pixels.device).split(len(step.labels)):
        step.load(index)
        run()
    step.totals.tolist()  # waits for the device
    return len(train) / (time.perf_counter() - start)


class OneByOne(Dataset):
    """Images as torchvision's datasets give them: each a PIL image, transformed alone."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.tiles = photograph_tiles(SHAPE[1]).transpose(0, 2, 3, 1).copy()
        self.transform = transforms.Compose(
            [
                transforms.RandomHorizontalFlip(),
                transforms.RandomCrop(SHAPE[1], padding=3),
                transforms.ColorJitter(0.1, 0.1, 0.1, 0.1),
                transforms.RandomRotation(5),
                transforms.ToTensor(),
                transforms.Normalize([0.5] * 3, [0.5] * 3),
            ]
        )

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.tiles[index % len(self.tiles)])
        return self.transform(image), index % CLASSES


def loader_speed(case: Case, setup: Setup, workers: int) -> float:
    """Images/s of a loop over a DataLoader, with the same model, optimizer and precision.

    The first batches, one a worker, are not timed: workers start, and deliver together.
    """
    training = make_training(case, Setup(1, setup.device, setup.precision))
    model, optimizer = training.model, training.optimizer
    skipped = max(1, workers)
    timed = max(4 * skipped, 512 // case.batch)
    loader = DataLoader(OneByOne((skipped + timed) * case.batch), case.batch, shuffle=True, num_workers=workers)
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
    speeds: list[float | str] = []
    for windows in zip(*(results.get() for _ in range(processes)), strict=True):
        if NO_MEMORY in windows:
            speeds.append(NO_MEMORY)
        else:
            speeds.append(sum(images for images, _ in windows) / max(took for _, took in windows))
    return speeds


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


def warm_training(case: Case, setup: Setup) -> Training:
    training = make_training(case, setup)
    training.run_epoch()
    return training


def train_for(training: Training, seconds: float) -> tuple[int, float]:
    before, start = training.images, time.perf_counter()
    while time.perf_counter() - start < seconds:
        training.run_epoch()
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
        eager[case] = within_memory(eager_speeds, case, setup, epochs)
        captured[case] = why_not_captured(case, setup) or within_memory(captured_speeds, case, setup, epochs)
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
- "captured": the whole step as a CUDA graph. "{NO_CAPTURE}": torch's Adagrad counts its steps on the CPU, so a graph \
would not go on counting."""


def why_not_captured(case: Case, setup: Setup) -> str:
    if setup.device != "cuda":
        return NO_GPU
    return NO_CAPTURE if case.optimizer == "adagrad" else ""


def step_columns(way: str, speeds: list[float] | str, case: Case, setup: Setup, ceilings: Ceilings) -> dict[str, str]:
    """Four columns of a way to step."""
    names = [f"{way} {what}" for what in ("steps/s", "images/s", "of copy", "of product")]
    if isinstance(speeds, str):
        return dict.fromkeys(names, speeds)
    images = statistics.median(speeds)
    steps = images / case.batch
    found = cost(FAMILIES[case.family](), SHAPE, CLASSES)
    copied = steps * step_bytes(case, found, setup) / ceilings.copy
    multiplied = 3 * found.flops * images / ceilings.product
    cells = [f"{steps:,.1f}", spread(speeds, ",.0f"), f"{copied:.1%}", f"{multiplied:.1%}"]
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


def faster(speeds: list[float] | str, loop: float | str) -> str:
    if isinstance(speeds, str):
        return speeds
    return loop if isinstance(loop, str) else f"{statistics.median(speeds) / loop:.1f}×"


def print_processes(cases: Sequence[Case], setup: Setup, counts: Sequence[int], seconds: float) -> None:
    print(f"### Processes on one {'GPU' if setup.device == 'cuda' else 'CPU'}", end="\n\n")
    print(
        f"Images/s of all together, eager, {cases[0].optimizer}, {seconds:g} s from a common start; each has an equal "
        "share of threads and of the GPU's memory. In brackets: against the first column.\n"
    )
    if setup.device == "cuda":
        torch.cuda.empty_cache()  # what this process holds, the others cannot have
    rows: list[dict[str, Any]] = [{"network": case.family, "batch": case.batch} for case in cases]
    alone: list[float | str] = []
    for count in counts:
        speeds = together(cases, setup, count, seconds)
        alone = alone or speeds
        for row, speed, first in zip(rows, speeds, alone, strict=True):
            ratio = "" if count == counts[0] else f" ({faster([speed], first)})"
            row[f"{count} process{'es' * (count > 1)}"] = speed if isinstance(speed, str) else f"{speed:,.0f}{ratio}"
            progress(row)
    print(table(rows))


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
    parser.add_argument("--optimizers", nargs="+", choices=OPTIMIZERS, metavar="NAME", help="by default all four")
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


if __name__ == "__main__":
    main()
