"""Encoded images in files, on disk or in archives."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from trainables.data.archive import Archive, Packed, Place
from trainables.data.decode import Encoded
from trainables.data.formats.listing import printable


def images_of(files: Sequence[Place]) -> Callable[[np.ndarray], Iterator[Encoded]]:
    """A function that reads the images of some of the files, a row each; it goes through each archive once."""

    def images(rows: np.ndarray) -> Iterator[Encoded]:
        packed: dict[Archive, dict[str, int]] = defaultdict(dict)
        for place, row in enumerate(rows.tolist()):
            file = files[row]
            if isinstance(file, Packed):
                packed[file.archive][file.inside] = place
            else:
                yield place, printable(file), file
        for archive, places in packed.items():
            for name, data in archive.read(places):
                yield places[name], printable(archive.root / name), data

    return images
