"""A part of a user's own images, decoded and checked."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from trainables.data.decode import Progress, decode, look
from trainables.data.formats.format import Files, Format, Table
from trainables.data.images import DatasetError, Images
from trainables.data.split import split

# The test share of a dataset that has no test part of its own. A constant, and not the search's seed, so that no
# search ever trains on what another one is tested on.
TEST_SHARE = 0.2
TEST_SEED = 20


def read(
    root: Path,
    of: Format,
    files: Files,
    part: Literal["train", "test"],
    image_size: int | None,
    progress: Progress | None,
) -> Images:
    """Decode one part of the dataset in `root`. Of the other part no image is decoded; for train, no test file is read.

    Images are resized to (image_size, image_size) where that is given. The part is grey (C = 1) if all train images
    are, else RGB. Raises DatasetError for a dataset with a fault.
    """
    train = asked = of.open(files.train)
    index = _number_classes(train, root)
    labels = np.array([index[label] for label in train.labels], dtype=np.int64)
    train_rows = asked_rows = np.arange(len(labels))
    if not files.test:
        train_rows, held_out = split(labels, TEST_SHARE, TEST_SEED)
        asked_rows = train_rows if part == "train" else held_out
    elif part == "test":
        asked = of.open(files.test)
        _check_test_labels(asked, train, root)
        labels = np.array([index[label] for label in asked.labels], dtype=np.int64)
        asked_rows = np.arange(len(labels))
    # Colour and size of both parts come from the headers of the train images, without a look at the others' pixels.
    mode, size = look(train.images(train_rows), len(train_rows), root)
    pixels = decode(asked.images(asked_rows), len(asked_rows), root, mode, size, image_size, progress)
    return Images(pixels, labels[asked_rows], train.names or tuple(str(label) for label in index))


def _number_classes(train: Table, root: Path) -> dict[Any, int]:
    """Class index of each label; raises DatasetError if a label is missing, out of range, or the only one."""
    _check_labelled(train, root)
    found = set(train.labels)
    if len(found) < 2:
        raise DatasetError(f"a classifier needs at least two classes; {root} has {len(found)} in its train part")
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


def _check_test_labels(test: Table, train: Table, root: Path) -> None:
    _check_labelled(test, root)
    if not test.labels:
        raise DatasetError(f"the test files in {root} must hold images, or be left out to hold out a share of train")
    if test.names and test.names != train.names:
        raise DatasetError(f"train and test in {root} must have the same class names in the same order")
    unknown = sorted(set(test.labels) - set(train.labels))
    if unknown:
        name = train.names[unknown[0]] if unknown[0] in range(len(train.names)) else unknown[0]
        raise DatasetError(
            f"every test class must occur in train: {len(unknown)} in {root} do not, the first is {name}"
        )
