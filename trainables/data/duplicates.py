"""Images that a dataset holds more than once, the same to the pixel, within its parts and between them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainables.data.formats.format import Part


@dataclass(frozen=True, order=True)
class Copy:
    """One of the images that are the same."""

    part: Part
    """The part of the dataset that it is in."""
    number: int
    """Its place in that part, from 0."""


Group = tuple[Copy, ...]
"""Two images or more that are the same to the pixel, in the order of the parts."""


def digests(pixels: np.ndarray) -> list[bytes]:
    """A digest of 16 bytes for each image of uint8 (N, C, H, W); equal pixels have equal digests."""
    return [hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in pixels]


def num_known(asked: Iterable[bytes], known: Iterable[bytes]) -> int:
    """How many of the `asked` images are the same to the pixel as one of the known images, by their digests."""
    there = set(known)
    return sum(digest in there for digest in asked)


def find_groups(parts: Mapping[Part, Sequence[bytes]]) -> tuple[Group, ...]:
    """The groups of equal images, in the order of their first images; `parts` has the digests of each part's images."""
    found: dict[bytes, list[Copy]] = {}
    for part, own in parts.items():
        for number, digest in enumerate(own):
            found.setdefault(digest, []).append(Copy(part, number))
    return tuple(tuple(copies) for copies in found.values() if len(copies) > 1)
