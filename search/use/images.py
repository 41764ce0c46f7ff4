"""A user's images for predictions: their files are found, read, and converted to a network's input."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.use.winners import UseError
from trainables.data.decode import SUFFIXES, Look, decode_one
from trainables.data.find import unreadable
from trainables.data.formats.listing import entries, is_image, printable
from trainables.data.images import DatasetError

#: Images that are decoded and predicted at a time.
BATCH = 256


@dataclass(frozen=True, eq=False)
class Batch:
    """Images that were read, and those that were not."""

    files: list[Path]
    """The files that were read."""
    pixels: np.ndarray
    """uint8 (N, C, H, W)."""
    faults: list[str]
    """A line for each file that cannot be read."""


def files_of(places: Iterable[Path]) -> list[Path]:
    """The named files as they are, and all images in and below the named folders, in order of their paths.

    What is an image in a folder, and what is passed over, is as in a folder of training images. Raises UseError for a
    place that does not exist and for a folder without images, DatasetError for a place that cannot be read.
    """
    found: list[Path] = []
    for place in places:
        try:
            if not place.is_dir():
                if not place.exists():
                    raise UseError(f"there is no image or folder {printable(place)}")
                found.append(place)
                continue
            inside = list(_images_below(place))
        except OSError as error:
            raise unreadable(place, error) from error
        if not inside:
            raise UseError(f"{printable(place)} holds no images ({', '.join(sorted(SUFFIXES))})")
        found += inside
    return found


def _images_below(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The images in and below a folder, in order of their paths. above: the folders on the way to it, resolved."""
    real = folder.resolve()
    if real in above:  # a link back to one of them
        return
    for entry in entries(folder):
        file = folder / entry.name
        if entry.is_dir():
            yield from _images_below(file, above | {real})
        elif entry.is_file() and is_image(file):
            yield file


def batches(files: list[Path], seen: Look) -> Iterator[Batch]:
    """The images of files, in order, `BATCH` at a time."""
    for start in range(0, len(files), BATCH):
        read: list[Path] = []
        arrays: list[np.ndarray] = []
        faults: list[str] = []
        for file in files[start : start + BATCH]:
            try:
                arrays.append(decode_one(file, seen))
                read.append(file)
            except DatasetError as error:
                faults.append(f"{printable(file)}: {error}")
        shape = (1 if seen.mode == "L" else 3, seen.size[1], seen.size[0])
        yield Batch(read, np.array(arrays, np.uint8).reshape(len(read), *shape), faults)
