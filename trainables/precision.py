"""The numbers that training computes with: float32, or bfloat16 where the processor is faster with it."""

import json
import os
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

from trainables.caches import cache_home
from trainables.files import write
from trainables.limits import PROC, text_of

#: From this gain on, bfloat16 is the default on a CPU. Below it, float32 rounds less and costs little more.
WORTHWHILE = 1.2


def default_precision(device: str) -> str:
    """The precision if none is chosen: bfloat16 on GPUs since Ampere and on CPUs that are faster with it."""
    if device.startswith("cuda"):
        import torch  # imported late, as a command that starts workers needs it for nothing else

        return "bfloat16" if torch.cuda.get_device_capability(device)[0] >= 8 else "float32"
    return precision_with(cpu_gain())


def precision_with(gain: float) -> str:
    """The default precision on a CPU that is `gain` times as fast with bfloat16."""
    return "bfloat16" if gain >= WORTHWHILE else "float32"


@cache
def cpu_gain(*, keep: bool = True) -> float:
    """How many times as fast this machine's cores train a convolution in bfloat16 as in float32.

    Measured in a few tenths of a second, once for each processor and version of torch; stored in `precision.json` in
    the cache folder if `keep`, so that searches on one machine do not differ because of a new measurement.
    """
    here = f"{_processor()}, torch {version('torch')}"
    known = _known()
    if here not in known:
        from trainables.precision_gain import measured_gain  # imports torch, once a machine

        known[here] = measured_gain()
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
