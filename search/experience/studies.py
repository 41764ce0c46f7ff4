"""Studies: configurations that were all trained to their ends on the same images, with the accuracies they came to.

Those that hpsearch brings along are in `data/`, a file for each recorded pool (`benchmarks/README.md`). Its first line
says which images they were and what was trained; each other line is a configuration with its accuracy. Files are never
changed, so a resumed search draws as before; a new recording is a new file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from search.spaces.flat_names import flat_names_of
from search.spaces.space import SpaceError
from trainables.config import Config

DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class Study:
    """Trainings on the same images."""

    dataset: str
    """The dataset that the images are from."""
    what: str
    """What was trained, in a few words."""
    tried: Sequence[Mapping[str, Any]]
    """The flat names and values of each configuration."""
    accuracies: Sequence[float]
    """The best validation accuracy of each, a fraction of one."""


@lru_cache(maxsize=1)
def shipped() -> tuple[Study, ...]:
    """All studies that hpsearch brings along, in the order of their files' names."""
    return tuple(_read(path) for path in sorted(DATA.glob("*.jsonl")))


def datasets() -> tuple[str, ...]:
    """The datasets of these studies, each once."""
    return tuple(dict.fromkeys(study.dataset for study in shipped()))


def studies_of(experience: str | None) -> tuple[Study, ...]:
    """The studies of some datasets. experience: their names with commas between them; None for all.

    Raises SpaceError for an unknown name.
    """
    if experience is None:
        return shipped()
    names = experience.split(",")
    if unknown := [name for name in names if name not in datasets()]:
        raise SpaceError(f"no experience of '{unknown[0]}'; known: {', '.join(datasets())}")
    return tuple(study for study in shipped() if study.dataset in names)


def _read(path: Path) -> Study:
    head, *lines = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    tried = [flat_names_of(Config.from_json(line["config"])) for line in lines]
    return Study(head["dataset"], head["what"], tried, [line["accuracy"] for line in lines])
