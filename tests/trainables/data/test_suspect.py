"""What looks wrong with decoded images."""

import numpy as np

from trainables.data import suspect
from trainables.data.duplicates import digests
from trainables.data.images import Images


def images(pixels: np.ndarray) -> Images:
    return Images(pixels, np.arange(len(pixels)) % 2, ("cat", "dog"))


def warnings_of(images: Images) -> tuple[str, ...]:
    return suspect.warnings_of(images, digests(images.pixels))


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, 4, 4), dtype=np.uint8)


def test_images_that_differ_give_no_warning() -> None:
    assert warnings_of(images(noise(200))) == ()


def test_images_of_one_colour_give_a_warning() -> None:
    pixels = noise(10)
    pixels[:5] = pixels[:5, :, :1, :1]
    assert warnings_of(images(pixels)) == ("5 of 10 training images have one colour all over",)
    pixels[4] = noise(11)[10]
    assert warnings_of(images(pixels)) == ()


def test_the_same_images_in_two_classes_give_a_warning() -> None:
    pixels = noise(200)
    pixels[4] = pixels[2]  # twins of one class are none of another
    assert warnings_of(images(pixels)) == ()
    pixels[3] = pixels[2]
    (line,) = warnings_of(images(pixels))
    assert line.startswith("3 of 200 training images also occur in another class")
