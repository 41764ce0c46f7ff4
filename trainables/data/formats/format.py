"""What a dataset format is: it recognises a folder, lists its files, and opens them as labels and encoded images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.decode import Encoded


@dataclass(frozen=True)
class Files:
    """The files of a dataset."""

    train: tuple[Path, ...]
    """Files with training images."""
    test: tuple[Path, ...]
    """Files with test images; where there are none, a share of the training images is held out."""


@dataclass(frozen=True)
class Table:
    """Images with their labels as the files hold them."""

    labels: list[Any]
    """An int or str an image, None where it has none."""
    names: tuple[str, ...]
    """The names of the labels 0, 1, … where the files hold them, else empty."""
    images: Callable[[np.ndarray], Iterator[Encoded]]
    """The images of the given rows, which are sorted; each is read when the iteration reaches it."""


@dataclass(frozen=True)
class Format:
    """A way to store images in a folder."""

    holds: str
    """What a folder of this format must hold, for the message of a folder that is of no format."""
    find: Callable[[Path], Files | None]
    """Lists a folder's files without opening any; None for another format, DatasetError for a faulty dataset."""
    open: Callable[[tuple[Path, ...]], Table]
    """Opens files; raises DatasetError for files that are not whole."""
