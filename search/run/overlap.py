"""Test images that a search also trains on, found at its launch by hashes of their pixels."""

from dataclasses import dataclass
from math import prod

from architectures.errors import one_line
from search.readable import count
from search.run.images import part_images
from search.run.problem import Problem
from trainables.data.duplicates import digests, num_known
from trainables.data.images import DatasetError
from trainables.data.read import number_of

#: Bytes of test pixels beyond which a launch does not decode them; `hpsearch dataset` does.
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Met:
    """What is known about test images among the images that a search trains on or compares trials on."""

    num_test: int | None = None
    """How many test images were hashed; None if they were not."""
    duplicates: int | None = None
    """How many of them have the same pixels as an image of the training part; None if that is not known."""
    notes: tuple[str, ...] = ()
    """What a launch says about it, in lines."""


def compare_with_test(problem: Problem) -> Met:
    """Compare the test images with those of the training part. No network sees them; a launch works without this."""
    request, own = problem.request, problem.own
    if own and number_of(own, "test") * prod(problem.images.shape) > MOST_BYTES:
        return Met()
    try:
        test = part_images(request, "test", own)
    except (
        DatasetError,
        OSError,
    ) as error:  # damaged pixels, no connection, a full disk: a retrain will ask for them again
        return Met(notes=(f"note: could not check for test images in the training set: {one_line(error)}",))
    found = num_known(digests(test.pixels), problem.digests)
    if not found:
        return Met(len(test), 0)
    told = f"{found:,} of {count(len(test), 'test image')} also {'occurs' if found == 1 else 'occur'} in the training"
    return Met(len(test), found, (f"warning: {told} set, identical pixel for pixel (hpsearch dataset shows which)",))
