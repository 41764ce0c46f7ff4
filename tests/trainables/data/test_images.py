"""Labelled images, and the fingerprint that tells them apart."""

import numpy as np

from trainables.data.images import Images, fingerprint


def some_images(seed: int = 0) -> Images:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (12, 3, 5, 4), dtype=np.uint8)
    return Images(pixels, np.arange(12) % 3, ("cat", "dog", "emu"))


def test_the_fingerprint_depends_on_every_part() -> None:
    images = some_images()
    pixels, labels = images.pixels.copy(), images.labels.copy()
    pixels[-1, -1, -1, -1] ^= 1
    labels[-1] = 0
    others = [
        Images(pixels, images.labels, images.classes),
        Images(images.pixels, labels, images.classes),
        Images(images.pixels, images.labels, ("cat", "dog", "eel")),
        Images(images.pixels.reshape(12, 3, 4, 5), images.labels, images.classes),
        images.take(np.arange(11)),
    ]
    assert len({fingerprint(each) for each in [images, *others]}) == 6


def test_take_keeps_order_and_classes() -> None:
    images = some_images()
    taken = images.take(np.array([4, 1]))
    assert np.array_equal(taken.pixels, images.pixels[[4, 1]])
    assert taken.labels.tolist() == [1, 1] and taken.classes == images.classes
