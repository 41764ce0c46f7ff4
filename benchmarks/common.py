"""What every benchmark prints: where it was measured, and a Markdown table with medians and spreads."""

from __future__ import annotations

import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # what only prints a header needs none of the product
    from search.history.events import Measured


def header(*packages: str) -> str:
    """One line that says processor, cores, memory, versions and the command."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", *packages))
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    return (
        f"{processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB; "
        f"Python {platform.python_version()}, {versions}; `{command}`"
    )


def processor() -> str:
    """The processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def began(step: Measured) -> float:
    """When a measured step began, in Unix seconds: every version that these programs measure records it."""
    assert step.began is not None
    return step.began


def ended(step: Measured) -> float:
    """When it ended."""
    return began(step) + (step.seconds or 0.0)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a Markdown table; its columns are the keys of the first, numbers to the right."""
    columns = list(rows[0])
    numeric = [all(isinstance(row[c], int | float) or str(row[c])[:1].isdigit() for row in rows) for c in columns]
    lines = [_line(columns), _line(["---:" if n else "---" for n in numeric])]
    return "\n".join([*lines, *(_line([_cell(row[c]) for c in columns]) for row in rows)])


def spread(values: Sequence[float], form: str = ".3g") -> str:
    """`median (minimum–maximum)`, or the one value there is."""
    if len(values) == 1:
        return format(values[0], form)
    return f"{statistics.median(values):{form}} ({min(values):{form}}–{max(values):{form}})"


def photograph_tiles(size: int = 32) -> np.ndarray:
    """Real pixels that come with the install: square tiles (N, 3, size, size), uint8, of two photographs."""
    from sklearn.datasets import load_sample_images

    tiles = []
    for photograph in load_sample_images().images:
        rows, columns = (side // size for side in photograph.shape[:2])
        cut = photograph[: rows * size, : columns * size].reshape(rows, size, columns, size, 3)
        tiles.append(cut.transpose(0, 2, 4, 1, 3).reshape(-1, 3, size, size))
    return np.concatenate(tiles)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
