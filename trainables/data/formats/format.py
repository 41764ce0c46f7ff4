"""A dataset format: it recognises a folder or a file, lists its files, and opens them as labels and images."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from trainables.data.archive import Place
from trainables.data.decode import Encoded

Part = Literal["train", "validation", "test"]

#: Names of a part's folders, in lower case.
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
    """Files with test images; if there are none, a share of the training images is held out."""
    validation: tuple[Place, ...] = ()
    """Files with images to compare trials on; if there are none, a share of the training images is held out."""
    test_from: str = ""
    """Where the test images are, in words."""
    validation_from: str = ""
    """Where the validation images are, in words."""
    left_out: tuple[str, ...] = ()
    """A phrase for each kind of content that the folder holds besides these."""

    @classmethod
    def in_folders(
        cls, files: Mapping[Part, tuple[Place, ...]], places: Mapping[Part, str], left_out: tuple[str, ...]
    ) -> "Files":
        """The files of each part that exists, by its name; places: where each part is, in words."""
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
    """The columns that a user named, where a format has columns; for other parts, what was found out about train."""

    label: str | None = None
    """The column of labels."""
    image: str | None = None
    """The column of encoded images."""
    numbers: bool | None = None
    """Whether labels that are text are whole numbers, as train's are; None if the text decides."""


#: The columns are found by their names and types.
AS_NAMED = Columns()


@dataclass(frozen=True)
class Table:
    """Images with their labels as the files hold them."""

    labels: list[Any]
    """An int or str for each image, None if it has no label."""
    names: tuple[str, ...]
    """The names of the labels 0, 1, … if the files hold them, else empty."""
    images: Callable[[np.ndarray], Iterator[Encoded]]
    """The images of the given sorted rows, in any order, each with its place among these rows; each is read when the
    iteration reaches it."""
    labels_from: str
    """Where the labels come from, in words."""
    label_column: str | None = None
    """The column that was taken for the labels; None if there are no columns."""
    numbers: bool | None = None
    """Whether labels that are text were taken for whole numbers; None if they are not text."""
    imageless: Counter[str] = field(default_factory=Counter)
    """Labelled samples without an image that is read, by the suffixes of what they hold instead."""


@dataclass(frozen=True)
class Format:
    """A way to store images."""

    holds: str
    """What a folder of this format must hold, for the message about a folder of unknown format."""
    find: Callable[[Place, Columns], Files | None]
    """Lists the files of a folder, on disk or in an archive, without opening those with an image's suffix; None
    for another format, DatasetError for a faulty dataset. The columns are those that the user named."""
    open: Callable[[tuple[Place, ...], Columns], Table]
    """Opens files; raises DatasetError for incomplete files, and for columns that hold something else."""
