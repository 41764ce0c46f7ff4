"""A part of a user's own images, decoded and checked."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.decode import Encoded, Progress, check_headers, decode, look
from trainables.data.formats.format import Columns, Files, Format, Part, Table
from trainables.data.images import DatasetError, Images
from trainables.data.split import split

# The test share of a dataset that has no test part of its own. A constant, and not the search's seed, so that no
# search ever trains on what another one is tested on.
TEST_SHARE = 0.2
TEST_SEED = 20


@dataclass(frozen=True)
class Rows:
    """The images of a part: rows of a table, and their labels."""

    table: Table
    """The table."""
    rows: np.ndarray
    """Sorted numbers of rows."""
    labels: np.ndarray
    """int64 (len(rows),), numbers of classes."""

    def images(self) -> Iterator[Encoded]:
        """Each image, read when the iteration reaches it."""
        return self.table.images(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def read(
    root: Path,
    of: Format,
    files: Files,
    part: Part,
    columns: Columns,
    image_size: int | None,
    progress: Progress | None,
) -> Images:
    """Decode one part of the dataset in `root`. Of the other parts no image is decoded; for train, no other is opened.

    Images are resized to (image_size, image_size) where that is given. The part is grey (C = 1) if all train images
    are, else RGB. Raises DatasetError for a dataset with a fault.
    """
    train, asked, classes = _open_part(root, of, files, part, columns)
    # Colour and size of all parts come from the headers of the train images, without a look at the others' pixels.
    seen = look(train.images(), len(train), root)
    pixels = decode(asked.images(), len(asked), root, seen, image_size, progress)
    return Images(pixels, asked.labels, classes)


def check_test(root: Path, of: Format, files: Files, columns: Columns, size: tuple[int, int] | None) -> None:
    """Read the headers of the test images and no pixel; `size` is that of train, None where images are resized.

    Raises DatasetError for images that a test pass could not use.
    """
    _, test, _ = _open_part(root, of, files, "test", columns)
    check_headers(test.images(), len(test), root, size)


def _open_part(
    root: Path, of: Format, files: Files, part: Part, columns: Columns
) -> tuple[Rows, Rows, tuple[str, ...]]:
    """The rows of train, those of a part, and the names of the classes."""
    table = of.open(files.train, columns)
    index = number_classes(table, root)
    classes = table.names or tuple(str(label) for label in index)
    labels = np.array([index[label] for label in table.labels], dtype=np.int64)
    rows = held_out = np.arange(len(labels))
    if not files.test:
        rows, held_out = split(labels, TEST_SHARE, TEST_SEED)
    train = Rows(table, rows, labels[rows])
    if part == "train":
        return train, train, classes
    if files.of(part):
        other, numbers = read_labels(root, of, files, part, columns, table)
        return train, Rows(other, np.arange(len(numbers)), numbers), classes
    return train, Rows(table, held_out, labels[held_out]), classes


def read_labels(
    root: Path, of: Format, files: Files, part: Part, columns: Columns, train: Table
) -> tuple[Table, np.ndarray]:
    """A part beside train and its labels as int64 (N,), numbered by name as train's are.

    Raises DatasetError if a label is missing, or its class does not occur in train.
    """
    # The column that train's labels came from, so that no other one is taken for it.
    asked = of.open(files.of(part), Columns(train.label_column, columns.image))
    _check_labelled(asked, root)
    if not asked.labels:
        raise DatasetError(f"the {part} files in {root} must hold images, or be left out to hold out a share of train")
    own = asked.names or train.names
    names = {label: own[label] if label in range(len(own)) else label for label in set(asked.labels)}
    occurring = set(train.labels)
    numbers = {
        train.names[label] if train.names else label: number
        for label, number in number_classes(train, root).items()
        if label in occurring
    }
    unknown = sorted((name for name in names.values() if name not in numbers), key=str)
    if unknown:
        hidden = ", which stands for a label that is not shared: move the file away" if unknown[0] == -1 else ""
        raise DatasetError(
            f"every {part} class must occur in train: {len(unknown)} in {root} do not, the first is "
            f"{unknown[0]}{hidden}"
        )
    return asked, np.array([numbers[names[label]] for label in asked.labels], dtype=np.int64)


def number_classes(train: Table, root: Path) -> dict[Any, int]:
    """Class number of each label; raises DatasetError if a label is missing, out of range, or the only one."""
    _check_labelled(train, root)
    found = set(train.labels)
    if len(found) < 2:
        raise DatasetError(f"a classifier needs at least two classes; {root} has {len(found)} in its train part")
    for name in train.names:
        if name.encode(errors="replace").decode() != name:
            raise DatasetError(f"a class must have a name in UTF-8, which {name!a} in {root} is not")
    if not train.names:
        return {label: number for number, label in enumerate(sorted(found))}
    outside = sorted(label for label in found if not 0 <= label < len(train.names))
    if outside:
        raise DatasetError(
            f"labels in {root} must lie in 0..{len(train.names) - 1}, one a class name, not {outside[0]}"
        )
    return {number: number for number in range(len(train.names))}


def _check_labelled(table: Table, root: Path) -> None:
    missing = [row for row, label in enumerate(table.labels) if label is None]
    if missing:
        raise DatasetError(
            f"every image must have a label: {len(missing)} of {len(table.labels)} in {root} have none, "
            f"the first is row {missing[0]}"
        )
