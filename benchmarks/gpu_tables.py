"""The tables of `gpu.py`. Speeds are images/s of each epoch, or a word why there are none."""

import statistics
import sys
from collections.abc import Sequence
from typing import Any

import torch
from common import spread, table
from gpu_processes import mps, survivors, together
from gpu_step import (
    CLASSES,
    NO_GPU,
    SHAPE,
    STATES,
    Case,
    Ceilings,
    Setup,
    loader_speed,
    measure_ceilings,
    measured,
    speeds,
    step_bytes,
)

from architectures.cost import cost
from architectures.families import FAMILIES


def print_steps(cases: Sequence[Case], setup: Setup, epochs: int, found: dict[str, dict[Case, Any]]) -> None:
    """The table of steps; puts the speeds of each case into `found`, "eager" and "captured"."""
    ceilings = measure_ceilings(setup)
    print("### Steps", explain(setup, ceilings), sep="\n\n", end="\n\n")
    print(f"Images/s: median (least–most) of {epochs} epochs of {setup.steps} steps, after one that warms up.\n")
    rows = []
    for case in cases:
        found["eager"][case] = measured(speeds, case, setup, epochs, captured=False)
        on_gpu = setup.device == "cuda"
        found["captured"][case] = measured(speeds, case, setup, epochs, captured=True) if on_gpu else NO_GPU
        row: dict[str, Any] = {"network": case.family, "optimizer": case.optimizer, "batch": case.batch}
        for way, speed in found.items():
            row |= step_columns(way, speed[case], case, setup, ceilings)
        rows.append(row)
        progress(row)
    print(table(rows), end="\n\n")


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


def print_loader(cases: Sequence[Case], setup: Setup, workers: int, found: dict[str, dict[Case, Any]]) -> None:
    print("### Against a DataLoader loop", end="\n\n")
    print(
        "PIL images through torchvision's transforms one at a time, `loss.item()` each step; the same network, "
        f"optimizer ({cases[0].optimizer}) and precision; {workers} workers.\n"
    )
    rows = []
    for case in cases:
        loop = measured(loader_speed, case, setup, workers)
        rows.append(
            {
                "network": case.family,
                "batch": case.batch,
                "loop images/s": loop if isinstance(loop, str) else f"{loop:,.0f}",
                "eager is faster by": faster(found["eager"][case], loop),
                "captured is faster by": faster(found["captured"][case], loop),
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
        "has an equal share of threads and of the GPU's memory. They share the GPU by NVIDIA's Multi-Process Service "
        'where there is one, and take turns in the column "by turns". In brackets: against the first column. Enough: '
        "the fewest that give 95 % of the most.\n"
    )
    if setup.device == "cuda":
        torch.cuda.empty_cache()  # what this process holds, the others cannot have
    with mps(setup) as running:
        found = {count: all_together(cases, setup, count, seconds) for count in counts}
    turns = all_together(cases, setup, max(counts), seconds) if running else [NO_GPU] * len(cases)
    rows: list[dict[str, Any]] = []
    for number, case in enumerate(cases):
        speeds = {count: column[number] for count, column in found.items()}
        row: dict[str, Any] = {"network": case.family, "batch": case.batch}
        for count, speed in speeds.items():
            ratio = "" if count == counts[0] else f" ({faster([speed], speeds[counts[0]])})"  # type: ignore[list-item]
            row[processes_of(count)] = speed if isinstance(speed, str) else f"{speed:,.0f}{ratio}"
        numbers = {count: speed for count, speed in speeds.items() if not isinstance(speed, str)}
        enough = (n for n, speed in numbers.items() if speed >= 0.95 * max(numbers.values()))
        row["enough"] = next(enough, speeds[counts[-1]])
        alone = turns[number]
        row[f"{processes_of(max(counts))}, by turns"] = alone if isinstance(alone, str) else f"{alone:,.0f}"
        rows.append(row)
        progress(row)
    print(table(rows), end="\n\n")


def all_together(cases: Sequence[Case], setup: Setup, processes: int, seconds: float) -> list[float | str]:
    """As `together`; a word for each case where the processes do not come to their end."""
    found = measured(together, cases, setup, processes, seconds)
    return [found] * len(cases) if isinstance(found, str) else found


def processes_of(count: int) -> str:
    return f"{count} process{'es' * (count > 1)}"


def print_failures(case: Case, setup: Setup, processes: int, seconds: float) -> None:
    print("### When one of them fails", end="\n\n")
    print(f"One of {processes_of(processes)} makes the device fail; of the others, so many train on.\n")
    alone = measured(survivors, case, setup, processes, seconds)
    with mps(setup) as running:
        under = measured(survivors, case, setup, processes, seconds) if running else NO_GPU
    row = {"network": case.family, "batch": case.batch, "others": processes - 1, "train on": alone, "MPS": under}
    progress(row)
    print(table([row]))


def progress(row: dict[str, Any]) -> None:
    print(*row.values(), file=sys.stderr, flush=True)
