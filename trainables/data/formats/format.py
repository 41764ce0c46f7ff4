"""What a dataset format is: it recognises a folder or a file, lists its files, and opens them as labels and images."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from trainables.data.archive import Place
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

    train: tuple[Place, ...]
    """Files with training images."""
    test: tuple[Place, ...]
    """Files with test images; where there are none, a share of the training images is held out."""
    validation: tuple[Place, ...] = ()
    """Files with images to compare trials on; where there are none, a share of the training images is held out."""
    test_from: str = ""
    """Where the test images lie, for people."""
    validation_from: str = ""
    """Where the validation images lie, for people."""
    left_out: tuple[str, ...] = ()
    """What the folder holds beside these, in phrases."""

    @classmethod
    def in_folders(
        cls, files: Mapping[Part, tuple[Place, ...]], places: Mapping[Part, str], left_out: tuple[str, ...]
    ) -> "Files":
        """The files of each part that there is, by its name; places: where each part lies, for people."""
        return cls(
            files["train"],
            files.get("test", ()),
            files.get("validation", ()),
            test_from=places.get("test", ""),
            validation_from=places.get("validation", ""),
            left_out=left_out,
        )

    def of(self, part: Part) -> tuple[Place, ...]:
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
    """The images of the given rows, which are sorted, each with its place among them, in any order; each is read when
    the iteration reaches it."""
    labels_from: str
    """Where the labels come from, for people."""
    label_column: str | None = None
    """The column that was taken for the labels; None where there are no columns."""


@dataclass(frozen=True)
class Format:
    """A way to store images."""

    holds: str
    """What a folder of this format must hold, for the message of a folder that is of no format."""
    find: Callable[[Place], Files | None]
    """Lists the files of a folder, on disk or in an archive, without opening those that are called images; None for
    another format, DatasetError for a faulty dataset."""
    open: Callable[[tuple[Place, ...], Columns], Table]
    """Opens files; raises DatasetError for files that are not whole, and for columns that hold something else."""
