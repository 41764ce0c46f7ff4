"""Pixels: what a viewer shows is what is trained on, in every mode that Pillow names and every orientation.

The images are read and cached, and the launch ends on its list; the cache is then held against what a viewer shows.
"""

import io
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from rules.datasets import COMMAND, folder
from rules.pictures import CLASSES, encoded
from rules.rule import Done, Place, Rule

SIDE = 16
BLACK, WHITE, RED, BLUE, GREY = (0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (90, 90, 90)
TURNS = {
    2: lambda shown: shown[:, ::-1],
    3: lambda shown: shown[::-1, ::-1],
    4: lambda shown: shown[::-1],
    5: lambda shown: shown.swapaxes(0, 1),
    6: lambda shown: np.rot90(shown, 1),
    7: lambda shown: shown[::-1, ::-1].swapaxes(0, 1),
    8: lambda shown: np.rot90(shown, -1),
}
"""What a camera stores of what is shown, by EXIF orientation; each is undone by turning the image as it says."""


def halves(mode: str, left: Any, right: Any) -> Any:
    """An image of two colours."""
    from PIL import Image

    image = Image.new(mode, (SIDE, SIDE), left)
    image.paste(right, (SIDE // 2, 0, SIDE, SIDE))
    return image


def shown_as(left: Any, right: Any) -> np.ndarray:
    """What a viewer shows of halves: (C, H, W)."""
    found = np.empty((len(left), SIDE, SIDE), np.uint8)
    found[:, :, : SIDE // 2] = np.array(left)[:, None, None]
    found[:, :, SIDE // 2 :] = np.array(right)[:, None, None]
    return found


def palette(**options: Any) -> bytes:
    """A PNG whose pixels are numbers of colours."""
    image = halves("P", 0, 1)
    image.putpalette([*RED, *BLUE])
    return encoded(image, **options)


def deep(values: tuple[int, int], kind: str = "PNG", dtype: str = "<u2") -> bytes:
    """A file of 16 bits a pixel."""
    from PIL import Image

    array = np.full((SIDE, SIDE), values[0], dtype)
    array[:, SIDE // 2 :] = values[1]
    return encoded(Image.fromarray(array), kind)


def animated() -> bytes:
    """A GIF of two frames."""
    buffer = io.BytesIO()
    halves("RGB", RED, BLUE).save(buffer, "GIF", save_all=True, append_images=[halves("RGB", BLUE, RED)])
    return buffer.getvalue()


def turned(orientation: int, kind: str) -> bytes:
    """A file that is stored turned and says so."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(TURNS[orientation](shown_as(WHITE, BLACK).transpose(1, 2, 0)))
    options = {"quality": 100} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    return encoded(Image.fromarray(stored), kind, exif=exif, **options)


def held(rule: str, shown: str, data: Callable[[], bytes], left: Any, right: Any, *, within: int = 0) -> Rule:
    """Every picture of a dataset is this file; its cache must hold these two halves, given as a value a channel.

    within: how far a pixel may be off, as JPEG is not exact.
    """
    expected = shown_as(left, right)

    def breaks(place: Place) -> None:
        for part in ("train", "val", "test"):
            for name in CLASSES:
                (place.home / "images" / part / name).mkdir(parents=True)
                for number in range(2):
                    (place.home / "images" / part / name / f"{number}").write_bytes(data())

    def after(place: Place, done: Done) -> Iterable[str]:
        cached = {part: list((place.home / "data" / "cache").glob(f"images-{part}-*.pixels.npy")) for part in PARTS}
        for part, files in cached.items():
            if len(files) != 1:
                yield f"{len(files)} caches of {part}"
                continue
            pixels = np.load(files[0])
            if pixels.shape != (4, *expected.shape):
                yield f"{part} has the shape {pixels.shape}, not {(4, *expected.shape)}"
            elif (off := np.abs(pixels.astype(int) - expected).max()) > within:
                yield f"a pixel of {part} is off by {off}: {pixels[0, :, 0, 0]}, {pixels[0, :, 0, -1]}"

    return Rule(rule=rule, input=shown, command=COMMAND, breaks=breaks, says=("impossible for these",), after=after)


PARTS = ("train", "validation")
RULES = [
    held("1-bit pixels are black and white", "1, PNG", lambda: encoded(halves("1", 0, 1)), [0], [255]),
    held("grey pixels stay as they are", "L, PNG", lambda: encoded(halves("L", 7, 200)), [7], [200]),
    held("grey without opacity is white", "LA, PNG", lambda: encoded(halves("LA", (0, 0), (9, 255))), [255], [9]),
    held("half of opacity is half white", "LA, PNG", lambda: encoded(halves("LA", (0, 51), (9, 255))), [204], [9]),
    held("colours stay as they are", "RGB, PNG", lambda: encoded(halves("RGB", RED, GREY)), RED, GREY),
    held(
        "colours without opacity are white",
        "RGBA",
        lambda: encoded(halves("RGBA", (0,) * 4, (*BLUE, 255))),
        WHITE,
        BLUE,
    ),
    held(
        "a shade of opacity is laid on white",
        "RGBA",
        lambda: encoded(halves("RGBA", (0, 0, 0, 51), (*RED, 255))),
        (204,) * 3,
        RED,
    ),
    held("a palette's numbers are colours", "P, PNG", palette, RED, BLUE),
    held("a palette's transparent colour is white", "P and tRNS", lambda: palette(transparency=0), WHITE, BLUE),
    held("a transparent grey is white", "L and tRNS", lambda: encoded(halves("L", 5, 7), transparency=5), [255], [7]),
    held(
        "a transparent colour is white",
        "RGB and tRNS",
        lambda: encoded(halves("RGB", RED, BLUE), transparency=RED),
        WHITE,
        BLUE,
    ),
    held(
        "ink is turned to light",
        "CMYK, TIFF",
        lambda: encoded(halves("CMYK", (0,) * 4, (255, 255, 0, 0)), "TIFF"),
        WHITE,
        BLUE,
    ),
    held(
        "ink in a JPEG is turned to light",
        "CMYK, JPEG",
        lambda: encoded(halves("CMYK", (0,) * 4, (0, 255, 255, 0)), "JPEG", quality=100, subsampling=0),
        WHITE,
        RED,
        within=8,
    ),
    held(
        "lightness and colour differences are turned to colours",
        "YCbCr, JPEG",
        lambda: encoded(halves("RGB", RED, GREY), "JPEG", quality=100, subsampling=0),
        RED,
        GREY,
        within=4,
    ),
    held(
        "a lab's colours are turned to ours",
        "LAB, TIFF",
        lambda: encoded(halves("LAB", (0, 128, 128), (255, 128, 128)), "TIFF"),
        BLACK,
        WHITE,
        within=2,
    ),
    held("16 bits keep their upper eight", "I;16, PNG", lambda: deep((0x1200, 0xFF00)), [0x12], [0xFF]),
    held("12 of 16 bits are scaled by what they hold", "I;16, PNG", lambda: deep((0x120, 0xFF0)), [0x12], [0xFF]),
    held("12 of 16 bits of a TIFF likewise", "I;16, TIFF", lambda: deep((0x120, 0xFF0), "TIFF"), [0x12], [0xFF]),
    held("8 of 16 bits are not a constant", "I;16, PNG", lambda: deep((3, 255)), [3], [255]),
    held("the first frame of an animation is shown", "GIF", animated, RED, BLUE),
    held("a GIF's colours stay", "P, GIF", lambda: encoded(halves("RGB", RED, GREY), "GIF"), RED, GREY),
    held(
        "a WebP's transparency is laid on white",
        "RGBA, WebP",
        lambda: encoded(halves("RGBA", (0,) * 4, (*RED, 255)), "WEBP", lossless=True, exact=True),
        WHITE,
        RED,
    ),
    held("a bitmap's colours stay", "RGB, BMP", lambda: encoded(halves("RGB", RED, GREY), "BMP"), RED, GREY),
    held("a pixmap's colours stay", "RGB, PPM", lambda: encoded(halves("RGB", RED, GREY), "PPM"), RED, GREY),
    held("a bitmap of one bit is black and white", "1, PBM", lambda: encoded(halves("1", 1, 0), "PPM"), [255], [0]),
    *(
        held(
            f"orientation {number} is turned upright in a {kind} file",
            f"EXIF {number}, {kind}",
            lambda number=number, kind=kind: turned(number, kind),  # type: ignore[misc]
            WHITE,
            BLACK,
            within=2 if kind == "JPEG" else 0,
        )
        for kind in ("JPEG", "PNG", "WEBP", "TIFF")
        for number in TURNS
        if kind == "JPEG" or number in (3, 6)
    ),
]


def unknown_range(mode: str, value: float) -> Rule:
    """Pixels of 32 bits."""

    def breaks(place: Place) -> None:
        for name in CLASSES:
            (place.home / "images" / name).mkdir(parents=True)
            for number in range(3):
                data = encoded(halves(mode, 0, value), "TIFF")
                (place.home / "images" / name / f"{number}.tif").write_bytes(data)

    return folder(f"pixels of mode {mode} have no known white", f"{mode}, TIFF", breaks, "32 bits", "store 8 or 16")


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="pixels") for rule in (*RULES, unknown_range("I", 70000), unknown_range("F", 0.5))]
