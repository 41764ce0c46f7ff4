"""What wrong requests are made of: lists, folders of images, searches; and how to look at what the command says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from search.cli import main
from search.history import store
from trainables.data.images import fingerprint
from trainables.data.load import load

VERBS = list(main.cli.commands)
GOOD = {"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}}
Run = Callable[..., tuple[int, str, str]]
"""Calls the command: exit code, standard output, standard error."""
Refused = Callable[..., str]
"""Calls the command, which must refuse: its line on standard error."""


def says(line: str, *parts: str) -> None:
    missing = [part for part in parts if part not in line]
    assert not missing, f"{line!r} lacks {missing}"


def write_list(*lines: object, name: str = "list.jsonl") -> str:
    Path(name).write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return name


def merged(**parts: Any) -> dict[str, Any]:
    return {
        key: GOOD.get(key, {}) | value if isinstance(value, dict) else value for key, value in (GOOD | parts).items()
    }


def folder_of_images(*classes: str, sizes: tuple[int, ...] = (8, 8, 8, 8), root: str = "my images") -> Path:
    for name in classes:
        folder = Path(root) / name
        folder.mkdir(parents=True)
        for number, size in enumerate(sizes):
            Image.fromarray(np.full((size, size), number, np.uint8)).save(folder / f"{number}.png")
    return Path(root)


def make_search(data_dir: Path, name: str = "mine", **changes: Any) -> store.Search:
    """A search's folder as a launch leaves it, with nothing done."""
    images = load("digits", "train", data_dir=data_dir)
    request = store.Request(**{"space": "cnn5", "samples": 8, "dataset": "digits", "data_dir": str(data_dir)} | changes)
    data = {"fingerprint": fingerprint(images), "num_train": 1000, "num_validation": 437}
    return store.create(Path("results"), name, request, 1.0, {"data": data})
