"""Recordings: configurations that were trained on the same images, with how good each of them was.

Those that ship with hpsearch are in `data/`, a file for each recorded pool or search (`benchmarks/README.md`). Its
first line says which images they were and what was trained; each other line is a configuration with its accuracy, or
with its place in the search. A new recording is a new file with a name of its own in its first line, so searches and
plays that name others stay what they were.
"""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from architectures.errors import instead
from search.spaces.flat_names import flat_names_of
from search.spaces.space import SpaceError
from trainables.config import Config, with_tuples

DATA = Path(__file__).with_name("data")
MUCH_LARGER = 1.5  # of a recording's images: their side relative to that of the images that are searched on
LEAST = 8  # configurations of a recording that are enough to rank them


@dataclass(frozen=True, eq=False)
class Recording:
    """Trainings on the same images."""

    dataset: str
    """The dataset that the images are from, or the search that trained on them."""
    what: str
    """What was trained, in a few words."""
    tried: Sequence[Mapping[str, Any]]
    """The flat names and values of each configuration."""
    values: Sequence[float]
    """How good each was, the larger the better. Only their order counts, so any measure will do."""
    size: int | None = None
    """Pixels a side of its images, as `side` gives it; None if it is not known."""


@dataclass(frozen=True)
class Experience:
    """What a sampler begins with."""

    recordings: tuple[Recording, ...] = ()
    """Runs on other images; without any, all that ship with hpsearch."""
    size: int | None = None
    """Pixels a side of the images that are searched on; None if it is not known, and then sizes do not count."""


def side(shape: Sequence[int]) -> int:
    """Pixels a side of images of this shape (channels, height, width): that of a square with as many."""
    return round(math.sqrt(shape[1] * shape[2]))


@lru_cache(maxsize=1)
def shipped() -> tuple[Recording, ...]:
    """All recordings that ship with hpsearch, in the order of their files' names."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(DATA.glob("*.jsonl"))]
    return tuple(each for text in texts for each in read_recordings(text))


def datasets(size: int | None = None) -> tuple[str, ...]:
    """The datasets of these recordings, each once.

    size: pixels a side of the images that are searched on. Recordings of much larger images are then left out, unless
    there are no others, because they mislead on small ones (benchmarks/README.md).
    """
    sizes = [recording.size for recording in shipped() if recording.size is not None]
    largest = math.inf if size is None else max(MUCH_LARGER * size, min(sizes))
    return tuple(dict.fromkeys(recording.dataset for recording in shipped() if (recording.size or 0) <= largest))


def recordings_of(names: Collection[str]) -> tuple[Recording, ...]:
    """The recordings of these datasets that ship with hpsearch. Raises SpaceError for an unknown name."""
    for name in names:
        if name not in datasets():
            raise SpaceError(f"no experience of '{name}'{instead(name, datasets())}, and earlier searches")
    return tuple(recording for recording in shipped() if recording.dataset in names)


def read_recordings(text: str) -> tuple[Recording, ...]:
    """The recordings of a file. Raises ValueError, LookupError or TypeError for a text that is not of recordings."""
    found: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
    for line in map(json.loads, text.splitlines()):
        if "dataset" in line:
            found.append((line, []))
        else:
            found[-1][1].append(line)
    return tuple(
        Recording(
            head["dataset"],
            head["what"],
            list(map(_tried, lines)),
            [float(line[_value(line)]) for line in lines],
            head.get("size"),
        )
        for head, lines in found
    )


def text_of(recordings: Sequence[Recording]) -> str:
    """The recordings as a file's text."""
    lines: list[dict[str, Any]] = []
    for each in recordings:
        lines.append({"dataset": each.dataset, "what": each.what, "size": each.size})
        lines += [{"value": value, "tried": row} for row, value in zip(each.tried, each.values, strict=True)]
    return "".join(json.dumps(line) + "\n" for line in lines)


def _tried(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """A line's configuration by its flat names; files that ship with hpsearch have it whole."""
    if "tried" in line:
        return {name: with_tuples(value) for name, value in line["tried"].items()}
    return flat_names_of(Config.from_json(line["config"]))


def _value(line: Mapping[str, Any]) -> str:
    return "value" if "value" in line else "accuracy"
