"""What a dataset format is: it recognises a folder, lists its files, and opens them as labels and encoded images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from trainables.data.decode import Encoded

Part = Literal["train", "validation", "test"]

#: What folders of a part are called, in small letters.
PART_NAMES: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class Files:
    """The files of a dataset."""

    train: tuple[Path, ...]
    """Files with training images."""
    test: tuple[Path, ...]
    """Files with test images; where there are none, a share of the training images is held out."""
    validation: tuple[Path, ...] = ()
    """Files with images to compare trials on; where there are none, a share of the training images is held out."""
    test_from: str = ""
    """Where the test images lie, for people."""
    validation_from: str = ""
    """Where the validation images lie, for people."""
    left_out: tuple[str, ...] = ()
    """What the folder holds beside these, in phrases."""

    def of(self, part: Part) -> tuple[Path, ...]:
        """The files of a part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[part]


@dataclass(frozen=True)
class Columns:
    """The columns that a user named, where a format has columns."""

    label: str | None = None
    """The column of labels."""
    image: str | None = None
    """The column of encoded images."""


#: The columns are found by their names and types.
AS_NAMED = Columns()


@dataclass(frozen=True)
class Table:
    """Images with their labels as the files hold them."""

    labels: list[Any]
    """An int or str an image, None where it has none."""
    names: tuple[str, ...]
    """The names of the labels 0, 1, … where the files hold them, else empty."""
    images: Callable[[np.ndarray], Iterator[Encoded]]
    """The images of the given rows, which are sorted; each is read when the iteration reaches it."""
    label_column: str | None = None
    """The column that was taken for the labels; None where folders' names are the labels."""


@dataclass(frozen=True)
class Format:
    """A way to store images in a folder."""

    holds: str
    """What a folder of this format must hold, for the message of a folder that is of no format."""
    find: Callable[[Path], Files | None]
    """Lists a folder's files without opening those that are called images; None for another format, DatasetError for a
    faulty dataset."""
    open: Callable[[tuple[Path, ...], Columns], Table]
    """Opens files; raises DatasetError for files that are not whole, and for columns that hold something else."""
