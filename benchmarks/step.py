"""Where the time of a training step goes, and what each trick gives: every family, one core by default.

First the machine's own ceilings (a matrix product, a copy), then each family's step beside them: its parts by a
profiler, and the same step with one thing done otherwise. Ratios are of medians of interleaved repeats.
"""

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import torch
from common import header, photograph_tiles, table
from torch.profiler import ProfilerActivity, profile

from architectures.families import network_cost
from architectures.families.published import PUBLISHED
from trainables.augment import augment
from trainables.augmentation import PRESETS
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.memory import keep_freed_memory
from trainables.precision import default_precision
from trainables.resident import Resident
from trainables.training import Training

CLASSES = 10
LARGE_BATCH = 256  # images, where whole maps outgrow what the C library keeps by itself

#: Operators by what they belong to: the first that is part of an operator's name counts.
PARTS = {
    "convolution, backward": ("convolution_backward",),
    "convolution, forward": ("mkldnn_convolution", "convolution"),
    "norm": ("batch_norm",),
    "pool": ("pool",),
    "dense": ("addmm", "aten::mm", "linear"),
    "activation, dropout": ("relu", "elu", "sigmoid", "tanh", "threshold", "dropout", "bernoulli", "gelu", "silu"),
    "optimizer": ("_fused", "_foreach", "zero_grad", "Optimizer", "addcdiv", "addcmul"),
    "loss": ("softmax", "nll_loss", "argmax", "cross_entropy"),
    "conversion": ("aten::copy_", "aten::to", "_to_copy", "contiguous"),
}


def config(family: str, width: float, batch: int, optimizer: str = "adam") -> Config:
    return Config(
        NetworkConfig(family, {"width": width}),
        OptimizerConfig(optimizer, 1e-3),
        TrainingConfig(batch_size=batch, epochs=1_000_000, augment="published"),
    )


def best(call: Callable[[], object], seconds: float = 0.3) -> float:
    """The shortest time of a call, in seconds, over some time."""
    times: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(times) < 3:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def ceilings() -> dict[str, float]:
    """GFLOP/s of a matrix product in each precision, GB/s (read and written) of a copy."""
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.rand(1024, 1024).to(dtype)
        found[str(dtype).removeprefix("torch.")] = 2 * 1024**3 / best(partial(torch.matmul, a, a)) / 1e9
    source = torch.rand(2**25)
    target = torch.empty_like(source)
    found["copy"] = 2 * source.nbytes / best(lambda: target.copy_(source)) / 1e9
    return found


def steps(made: Training) -> float:
    """Seconds of a step, after what a first one costs."""
    began = time.perf_counter()
    made.run_segment()
    return (time.perf_counter() - began) / -(-len(made.train) // made.config.training.batch_size)


def parts_of(made: Training) -> dict[str, float]:
    """Shares of a step by part; augmentation is timed by itself, as its operators are those of others too."""
    batch = made.config.training.batch_size
    generator = torch.Generator().manual_seed(0)
    index = torch.arange(batch) % len(made.train)
    pixels = made.train.pixels
    augmentation = best(lambda: augment(pixels[index], PRESETS["published"], generator))
    whole = steps(made)
    original, made.config = made.config, made.config.with_training(augment="none")
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        made.run_segment()
    made.config = original
    spent = dict.fromkeys(PARTS, 0.0)
    other = 0.0
    for event in profiler.key_averages():
        part = next((part for part, names in PARTS.items() if any(name in event.key for name in names)), None)
        if part:
            spent[part] += event.self_cpu_time_total
        else:
            other += event.self_cpu_time_total
    total = sum(spent.values()) + other
    left = 1 - augmentation / whole
    return {
        "augmentation": augmentation / whole,
        **{part: left * value / total for part, value in spent.items()},
        "other": left * other / total,
    }


# ---- the same step with one thing done otherwise


def contiguous(made: Training) -> None:
    made.model.to(memory_format=torch.contiguous_format)
    inner = made.model.forward
    made.model.forward = lambda inputs: inner(inputs.contiguous(memory_format=torch.contiguous_format))


def other_precision(made: Training) -> None:
    made.precision = "float32" if made.precision == "bfloat16" else "bfloat16"


def optimizer_with(**arguments: Any) -> Callable[[Training], None]:
    def change(made: Training) -> None:
        settings = made.config.optimizer
        made.optimizer = torch.optim.Adam(made.model.parameters(), lr=settings.lr, **arguments)

    return change


def compiled(made: Training) -> None:
    made.model = torch.compile(made.model)  # type: ignore[assignment]


VARIANTS: dict[str, Callable[[Training], None]] = {
    "as it is": lambda made: None,
    "the other precision": other_precision,
    "not channels-last": contiguous,
    "optimizer foreach": optimizer_with(foreach=True),
    "optimizer a tensor at a time": optimizer_with(foreach=False, fused=False),
}


def ratios(make: Callable[[], Training], repeats: int, with_compile: bool) -> dict[str, float]:
    """Time of each variant over the time as it is; "compile, s" is what compiling took."""
    variants = VARIANTS | ({"compiled": compiled} if with_compile else {})
    made, found = {}, {}
    for name, change in variants.items():
        made[name] = make()
        change(made[name])
        began = time.perf_counter()
        steps(made[name])
        if name == "compiled":
            found["compile, s"] = time.perf_counter() - began
    times: dict[str, list[float]] = {name: [] for name in [*variants, "denormals flushed"]}
    for _ in range(repeats):
        for name in variants:
            times[name].append(steps(made[name]))
        torch.set_flush_denormal(True)
        times["denormals flushed"].append(steps(made["as it is"]))
        torch.set_flush_denormal(False)
    usual = statistics.median(times["as it is"])
    return {n: statistics.median(v) / usual for n, v in times.items() if n != "as it is"} | found


def _tiled(size: int, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """So many real images and labels; images repeat where there are not enough."""
    tiles = torch.from_numpy(photograph_tiles(size))
    index = torch.arange(number)
    return tiles[index % len(tiles)], index % CLASSES


def in_a_process(keep: bool, configs: list[Config], images: Resident, threads: int) -> list[float]:
    """Seconds of each configuration's step in a new process that keeps freed memory or gives it back."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_all_steps, keep, configs, images, threads).result()


def _all_steps(keep: bool, configs: list[Config], images: Resident, threads: int) -> list[float]:
    torch.set_num_threads(threads)
    if keep:
        keep_freed_memory()
    found = []
    for settings in configs:
        made = Training(settings, images, None, seed=0, precision=default_precision("cpu"))
        steps(made)
        found.append(statistics.median(steps(made) for _ in range(5)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="*", default=list(PUBLISHED))
    parser.add_argument("--size", type=int, default=32, help="pixels a side")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="torch.compile too; takes minutes and a C++ compiler")
    parser.add_argument("--short", action="store_true", help="one family at half its width, each thing once")
    asked = parser.parse_args()
    if asked.short:
        asked.families, asked.width, asked.repeats = ["cnn5"], 0.5, 1
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    precision = default_precision("cpu")
    limits = ceilings()
    print(header(), end="\n\n")
    print(", ".join(f"{name} {value:.0f} {'GB/s' if name == 'copy' else 'GFLOP/s'}" for name, value in limits.items()))
    images = Resident(*_tiled(asked.size, 2 * asked.batch), CLASSES)
    shape = tuple(images.pixels.shape[1:])
    speeds, breakdown, tricks = [], [], []
    for family in asked.families:
        settings = config(family, asked.width, asked.batch)

        def make(settings: Config = settings) -> Training:
            return Training(settings, images, None, seed=0, precision=precision)

        made = make()
        steps(made)
        seconds = best(made.run_segment, 1.0) / 2
        needed = network_cost(family, settings.network.hyperparameters, shape, CLASSES)
        work = 3 * needed.flops * asked.batch / seconds / 1e9
        parts = parts_of(made)
        speeds.append(
            {
                "family": family,
                "step, ms": 1e3 * seconds,
                "images/s": f"{asked.batch / seconds:,.0f}",
                "GFLOP/s": f"{work:.0f}",
                f"of the {precision} product": f"{work / limits[precision]:.0%}",
            }
        )
        breakdown.append({"family": family} | {part: f"{share:.0%}" for part, share in parts.items()})
        found = ratios(make, asked.repeats, asked.compile)
        tricks.append({"family": family} | {name: f"{value:.2f}" for name, value in found.items()})
        print(family, flush=True, file=sys.stderr)
    print(f"\nA step of {asked.batch} images of {asked.size}×{asked.size}, width {asked.width:g}, {precision}:\n")
    large = Resident(*_tiled(asked.size, 2 * LARGE_BATCH), CLASSES)
    large_batches = [config(family, asked.width, LARGE_BATCH) for family in asked.families]
    runs = {
        keep: [in_a_process(keep, large_batches, large, asked.threads) for _ in range(1 if asked.short else 2)]
        for keep in (True, False)
    }
    for i, row in enumerate(tricks):
        row[f"freed memory given back, batch {LARGE_BATCH}"] = (
            f"{min(r[i] for r in runs[False]) / min(r[i] for r in runs[True]):.2f}"
        )
    print(table(speeds), table(breakdown), f"Time over that as it is:\n\n{table(tricks)}", sep="\n\n")


if __name__ == "__main__":
    main()
