"""Images that are there more than once."""

import numpy as np

from trainables.data.duplicates import Copy, digests, find_groups, num_known


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 4, 5), dtype=np.uint8)


def test_groups_are_the_images_that_are_the_same_to_the_pixel_in_any_part() -> None:
    train, test = noise(6), noise(4, seed=1)
    train[5] = train[2]
    test[3] = train[2]
    test[1] = test[0]
    train[4] = train[1]
    train[4, 0, 0, 0] ^= 1  # one bit of one pixel
    found = find_groups({"train": digests(train), "test": digests(test)})
    assert found == (
        (Copy("train", 2), Copy("train", 5), Copy("test", 3)),
        (Copy("test", 0), Copy("test", 1)),
    )
    assert num_known(digests(test), digests(train)) == 1


def test_images_that_are_no_block_of_memory_have_the_digest_of_their_pixels() -> None:
    pixels = noise(3)
    turned = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert digests(turned) == digests(pixels)
