"""The numbers that training computes with: float32, or bfloat16 where the processor is faster with it."""

import json
import os
import platform
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables.caches import cache_home
from trainables.files import write
from trainables.limits import PROC, text_of

#: From this gain on, bfloat16 is the default on a CPU. Below it, float32 rounds less and costs little more.
WORTHWHILE = 1.2
REPEATS = 4


def default_precision(device: str) -> str:
    """The precision if none is chosen: bfloat16 on GPUs since Ampere and on CPUs that are faster with it."""
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float32"
    return precision_with(cpu_gain())


def precision_with(gain: float) -> str:
    """The default precision on a CPU that is `gain` times as fast with bfloat16."""
    return "bfloat16" if gain >= WORTHWHILE else "float32"


@cache
def cpu_gain(*, keep: bool = True) -> float:
    """How many times as fast this machine's cores train a convolution in bfloat16 as in float32.

    Measured in about a tenth of a second, once for each processor and version of torch; stored in `precision.json` in
    the cache folder if `keep`, so that searches on one machine do not differ because of a new measurement.
    """
    here = f"{_processor()}, torch {torch.__version__}"
    known = _known()
    if here not in known:
        known[here] = _measured_gain()
        if not keep:
            return known[here]
        with suppress(OSError, RuntimeError):  # a folder that cannot be written: measured again by the next process
            path = _path()
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, json.dumps(known, indent=1).encode())
    return known[here]


def _path() -> Path:
    """The file of earlier measurements, beside the datasets. Raises RuntimeError where no home folder is known."""
    return Path(os.environ.get("HPSEARCH_DATA") or cache_home()).expanduser().absolute() / "precision.json"


def _known() -> dict[str, float]:
    """Gains by processor; empty if the file is absent or not valid."""
    try:
        return {processor: float(gain) for processor, gain in json.loads(_path().read_text()).items()}
    except (OSError, RuntimeError, ValueError, TypeError, AttributeError):
        return {}


def _processor() -> str:
    """The processor's model and its instruction sets for bfloat16, which identify it."""
    lines = dict(line.partition(":")[::2] for line in text_of(PROC / "cpuinfo").split("\n\n")[0].splitlines())
    facts = {name.strip(): value.strip() for name, value in lines.items()}
    sets = [each for each in facts.get("flags", facts.get("Features", "")).split() if "bf16" in each]
    parts = [facts.get(name, "") for name in ("model name", "cpu family", "model", "stepping")]
    return " ".join(part for part in (*parts, *sets) if part) or platform.processor() or platform.machine()


def _measured_gain() -> float:
    """Seconds of a convolution's forward and backward pass in float32 over those in bfloat16, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        layer = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
        maps = torch.zeros(32, 64, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for repeat in range(1 + REPEATS):  # in turns, so that other work on the machine slows both
            for half, taken in seconds.items():
                spent = _seconds(layer, maps, half)
                if repeat:  # the first time is a warm-up
                    taken.append(spent)
    finally:
        torch.set_num_threads(threads)
    return min(seconds[False]) / min(seconds[True])


def _seconds(layer: nn.Module, maps: Tensor, half: bool) -> float:
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        out = layer(maps)
    out.sum().backward()
    return time.perf_counter() - began
