"""A part of a user's own images, decoded and checked."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from trainables.data.decode import Encoded, Progress, check_headers, decode, header_sizes, look
from trainables.data.formats.format import Part, Table
from trainables.data.images import Images
from trainables.data.own import Own
from trainables.data.split import split

# The test share of a dataset that has no test part. The seed is constant, and not the search's, so that no search ever
# trains on images that another one is tested on.
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


def read(own: Own, part: Part, image_size: int | None, progress: Progress | None) -> Images:
    """Decode one part of a dataset, and no image of the other parts; for train, no other part is opened.

    Images are resized to (image_size, image_size) if that is given. The part is grey (C = 1) if all train images
    are, else RGB. Raises DatasetError for a dataset with a fault.
    """
    train, asked = _rows(own, "train"), _rows(own, part)
    # Colour and size of all parts come from the headers of the train images, without reading the others' pixels.
    seen = look(train.images(), len(train), own.root)
    pixels = decode(asked.images(), len(asked), part, own.root, seen, image_size, progress)
    return Images(pixels, asked.labels, own.classes, seen.bits)


def check_test(own: Own, size: tuple[int, int] | None) -> None:
    """Read only the headers of the test images; `size` is that of train, None if images are resized.

    Raises DatasetError for images that a test pass could not use.
    """
    test = _rows(own, "test")
    check_headers(test.images(), len(test), own.root, size)


def number_of(own: Own, part: Part) -> int:
    """How many images a part has; none of them is read."""
    return len(_rows(own, part))


def places(own: Own, part: Part, numbers: np.ndarray) -> dict[int, str]:
    """Where some images of a part are, by their numbers in it: a file, or a row of one."""
    wanted = np.unique(numbers)
    rows = _rows(own, part)
    return {int(wanted[place]): where for place, where, _ in rows.table.images(rows.rows[wanted])}


def sizes(own: Own, part: Part) -> Counter[tuple[int, int]]:
    """How many images of a part have each (width, height), before they are resized."""
    return header_sizes(_rows(own, part).images())


def _rows(own: Own, part: Part) -> Rows:
    """The rows of a part."""
    if own.files.test or part == "validation":
        table, labels = own.labelled(part)
        return Rows(table, np.arange(len(labels)), labels)
    table, labels = own.labelled("train")
    train, held_out = split(labels, TEST_SHARE, TEST_SEED)
    rows = train if part == "train" else held_out
    return Rows(table, rows, labels[rows])
