"""From an opened image to the pixels that a viewer shows, mode by mode and turn by turn."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from trainables.data.pixels import as_8_bits, is_deep, upright, upright_size

STORED = np.array([[0, 100, 255], [30, 60, 90]], np.uint8)


def reopened(image: Image.Image, file_format: str, **options: Any) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return Image.open(buffer)


def orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("number", range(1, 9))
def test_an_image_is_turned_as_its_exif_data_say(file_format: str, number: int) -> None:
    options = {"lossless": True} if file_format == "WEBP" else {}
    stored = Image.fromarray(np.stack([STORED] * 3, axis=2))
    image = reopened(stored, file_format, exif=orientation(number), **options)
    size = upright_size(image)
    turned = upright(image)
    expected = ImageOps.exif_transpose(reopened(stored, file_format, exif=orientation(number), **options))
    assert turned.size == size == ((2, 3) if number > 4 else (3, 2))
    assert np.array_equal(np.asarray(turned), np.asarray(expected))


@pytest.mark.parametrize("number", [0, 9, 77])
def test_an_orientation_that_does_not_exist_turns_nothing(number: int) -> None:
    image = reopened(Image.fromarray(STORED), "PNG", exif=orientation(number))
    assert np.array_equal(np.asarray(upright(image)), STORED)


def test_damaged_exif_data_turn_nothing() -> None:
    image = reopened(Image.fromarray(STORED), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f damaged")
    assert np.array_equal(np.asarray(upright(image)), STORED)


def palette(transparent: bool) -> Image.Image:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([200, 0, 0, 0, 0, 200])
    return reopened(image, "PNG", **({"transparency": 0} if transparent else {}))


def of(mode: str, *values: Any) -> Image.Image:
    image = Image.new(mode, (len(values), 1))
    image.putdata(values)
    return image


def palette_with_opacity() -> Image.Image:
    image = Image.new("PA", (3, 1))
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putdata([(0, 255), (1, 255), (1, 0)])
    return image


def deep(mode: str, kind: str) -> Image.Image:
    return Image.frombytes(mode, (3, 1), np.array([0, 256, 65535], kind).tobytes())


CASES = [
    (of("1", 0, 255), "L", [0, 255]),
    (of("L", 0, 7), "L", [0, 7]),
    (of("L", 0, 7), "RGB", [[0, 0, 0], [7, 7, 7]]),
    (of("LA", (9, 255), (0, 0), (0, 51)), "L", [9, 255, 204]),
    (of("LA", (9, 255), (0, 0), (0, 51), (100, 51)).convert("La"), "L", [9, 255, 204, 224]),
    (of("RGB", (1, 2, 3)), "RGB", [[1, 2, 3]]),
    (of("RGBA", (0, 0, 0, 255), (0, 0, 0, 0), (0, 100, 200, 51)), "RGB", [[0] * 3, [255] * 3, [204, 224, 244]]),
    (of("RGBA", (1, 2, 3, 255)), "RGB", [[1, 2, 3]]),
    (
        of("RGBA", (0, 0, 0, 255), (0, 0, 0, 0), (0, 100, 200, 51)).convert("RGBa"),
        "RGB",
        [[0] * 3, [255] * 3, [204, 224, 244]],
    ),
    (of("RGBX", (1, 2, 3, 0)), "RGB", [[1, 2, 3]]),
    (palette_with_opacity(), "RGB", [[200, 0, 0], [0, 0, 200], [255] * 3]),
    (of("CMYK", (0, 0, 0, 0), (255, 255, 0, 0)), "RGB", [[255] * 3, [0, 0, 255]]),
    (of("HSV", (0, 255, 255)), "RGB", [[255, 0, 0]]),
    (of("YCbCr", (255, 128, 128)), "RGB", [[255, 255, 255]]),
    (palette(transparent=False), "RGB", [[200, 0, 0], [0, 0, 200]]),
    (palette(transparent=True), "RGB", [[255, 255, 255], [0, 0, 200]]),
    (reopened(of("L", 5, 7), "PNG", transparency=5), "L", [255, 7]),
    (reopened(of("RGB", (1, 2, 3), (4, 5, 6)), "PNG", transparency=(1, 2, 3)), "RGB", [[255] * 3, [4, 5, 6]]),
    (Image.fromarray(np.array([[0, 256, 65535]], np.uint16)), "L", [0, 1, 255]),
    (deep("I;16L", "<u2"), "L", [0, 1, 255]),
    (deep("I;16B", ">u2"), "L", [0, 1, 255]),
    (deep("I;16", "<u2"), "RGB", [[0] * 3, [1] * 3, [255] * 3]),
]
REFUSED = ("I", "F")
LAB = "LAB"


@pytest.mark.parametrize(
    ("image", "mode", "expected"), CASES, ids=lambda value: value.mode if isinstance(value, Image.Image) else None
)
def test_a_pixel_is_what_a_viewer_shows(image: Image.Image, mode: str, expected: list[Any]) -> None:
    assert np.asarray(as_8_bits(image, mode))[0].tolist() == expected


def test_every_mode_that_pillow_names_is_tested() -> None:
    assert {image.mode for image, _, _ in CASES} | {*REFUSED, LAB} == set(Image.MODES) - {
        "I;16N"
    }  # one of I;16L and I;16B


def test_colours_of_lab_are_those_of_srgb() -> None:
    # L* of 0 to 100 in 255 steps, a* and b* from 128 on: black, white, and sRGB's red as seen in the light of D50.
    stored = reopened(of(LAB, (0, 128, 128), (255, 128, 128), (138, 209, 198)), "TIFF")
    assert stored.mode == LAB
    shown = np.asarray(as_8_bits(upright(stored), "RGB"))[0].astype(int)
    assert np.abs(shown - [[0] * 3, [255] * 3, [255, 0, 0]]).max() <= 5  # 8 bits of L*a*b* are coarse


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 256, 65535], [0, 1, 255]), ([0, 16, 2048, 4095], [0, 1, 128, 255])]
)
def test_sixteen_bits_of_a_pgm_are_scaled_by_the_largest_that_it_names(values: list[int], expected: list[int]) -> None:
    data = f"P5 {len(values)} 1 {values[-1]}\n".encode() + np.array(values, ">u2").tobytes()
    image = Image.open(io.BytesIO(data))
    assert is_deep(image)
    assert np.asarray(as_8_bits(upright(image), "L"))[0].tolist() == expected


@pytest.mark.parametrize("mode", REFUSED)
def test_pixels_of_no_known_range_are_refused(mode: str) -> None:
    with pytest.raises(ValueError, match="32 bits"):
        as_8_bits(Image.new(mode, (2, 2)), "L")
