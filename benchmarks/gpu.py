"""Measures training on one GPU, without Ray: eager and captured steps, a DataLoader loop, several processes at once.

`python benchmarks/gpu.py` prints four Markdown tables; other optimizers than the first are measured with the first
network alone. A measurement that fails costs its own cell or table alone, and then the exit code is 1. The images are
photograph tiles of 3×32×32 in 100 classes, augmented as published. Without a GPU the same runs on the CPU with a
smaller set, and what needs a GPU is "unmeasured".
"""

import argparse
import os
import sys
from typing import Any

import torch
from common import header
from gpu_step import FAILED, NO_GPU, Case, Setup, failures, measured
from gpu_tables import print_failures, print_loader, print_processes, print_steps

from architectures.families import FAMILIES
from architectures.families.published import PUBLISHED
from trainables.optimizers import OPTIMIZERS
from trainables.precision import default_precision

FULL = {
    "families": [*PUBLISHED, "resnet9"],
    "optimizers": ["adam", "rmsprop", "adagrad", "sgd"],
    "batches": [8, 128, 1024],
    "steps": 50,
    "processes": [1, 4, 8, 16],
    "seconds": 1.0,
}
QUICK = FULL | {"families": ["cnn3", "cnn5"], "batches": [8, 128], "steps": 4, "processes": [1, 2]}
PARTS = ("steps", "loader", "processes", "failures")


def gpu_name() -> str:
    if not torch.cuda.is_available():
        return "none"
    properties = torch.cuda.get_device_properties(0)
    return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"


def parse() -> argparse.Namespace:
    """The options; those not given are FULL's, or QUICK's with --quick or without a GPU."""
    on_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="+", choices=FAMILIES, metavar="NAME", help="networks, as published")
    parser.add_argument(
        "--optimizers",
        nargs="+",
        choices=OPTIMIZERS,
        metavar="NAME",
        help="by default the four of the published search",
    )
    parser.add_argument("--batches", nargs="+", type=int, metavar="N", help="images a batch")
    parser.add_argument("--steps", type=int, help="steps an epoch")
    parser.add_argument("--epochs", type=int, default=3, help="epochs that are timed, after one that warms up")
    parser.add_argument("--processes", nargs="+", type=int, metavar="N", help="processes at once")
    parser.add_argument("--seconds", type=float, help="how long the processes train, for each network and batch")
    workers = len(os.sched_getaffinity(0)) if on_gpu else 0
    parser.add_argument(
        "--workers", type=int, default=workers, help="of the DataLoader; by default the cores, on a CPU 0"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="by default all four tables")
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
    first, *others = options.optimizers
    firsts = [Case(family, first, batch) for family in options.families for batch in options.batches]
    cases = firsts + [Case(options.families[0], other, batch) for other in others for batch in options.batches]
    found: dict[str, dict[Case, Any]] = {
        "eager": dict.fromkeys(cases, FAILED),
        "captured": dict.fromkeys(cases, FAILED),
    }
    parts = {
        "steps": lambda: print_steps(cases, setup, options.epochs, found),
        "loader": lambda: print_loader(firsts, setup, options.workers, found),
        "processes": lambda: print_processes(firsts, setup, options.processes, options.seconds),
        "failures": lambda: print_failures(firsts[0], setup, max(options.processes), options.seconds),
    }
    for part in options.parts:
        measured(parts[part])
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
