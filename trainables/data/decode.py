"""Encoded images to arrays: what they are before decoding, all of them decoded, and every fault among them counted."""

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from architectures.errors import one_line
from trainables.data.images import DatasetError

Progress = Callable[[int, int], None]
# Where an image lies, for messages, and its encoded content, which a row of a Parquet file may lack.
Encoded = tuple[str, Path | bytes | None]

# Nothing else is decoded, whatever a file calls itself: Pillow hands some formats to external programs.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
GREY = frozenset({"1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L"})
IMAGES_PER_REPORT = 500
# A small file may stand for any number of pixels, which are decoded before they are resized.
MOST_PIXELS = 50_000_000


def resize(image: Image.Image, image_size: int) -> Image.Image:
    """Return the image at image_size × image_size, bilinear."""
    side = (image_size, image_size)
    return image if image.size == side else image.resize(side, Image.Resampling.BILINEAR)


def look(images: Iterable[Encoded], total: int, root: Path) -> tuple[str, tuple[int, int]]:
    """Read headers for the mode, L if all images are grey and RGB otherwise, and (width, height) of the first image."""
    size = None
    faults = _Faults()
    for where, data in images:
        with faults.noted(where, data), _opened(data) as image:
            size = size or image.size
            if image.mode not in GREY:
                return "RGB", size
    if size is None:
        faults.refuse(total, root)
    assert size is not None, "every part has an image"
    return "L", size


def decode(
    images: Iterable[Encoded],
    total: int,
    root: Path,
    mode: str,
    size: tuple[int, int],
    image_size: int | None,
    progress: Progress | None,
) -> np.ndarray:
    """Decode to uint8 (total, C, H, W), one image after the other.

    Threads were measured: they win nothing on images of 32×32, where most of the time goes to the interpreter.
    """
    width, height = (image_size, image_size) if image_size else size
    _check_memory(total * (1 if mode == "L" else 3) * width * height, f"{total:,} images of {width}×{height}", root)
    pixels = np.empty((total, 1 if mode == "L" else 3, height, width), np.uint8)
    sizes = {size}
    faults = _Faults()
    for row, (where, data) in enumerate(images):
        with faults.noted(where, data), _opened(data) as image:
            sizes.add(image.size)
            if image_size or image.size == size:
                array = np.asarray(_convert(image, mode, image_size))
                pixels[row] = array if mode == "L" else array.transpose(2, 0, 1)
        if progress and ((row + 1) % IMAGES_PER_REPORT == 0 or row + 1 == total):
            progress(row + 1, total)
    faults.refuse(total, root)
    if len(sizes) > 1 and not image_size:
        shown = ", ".join(f"{width}×{height}" for width, height in sorted(sizes)[:5])
        raise DatasetError(
            f"all images must have one size; {root} has {len(sizes)} ({shown}{', …' if len(sizes) > 5 else ''}): "
            f"use --image-size N to resize all of them to N×N"
        )
    return pixels


def _check_memory(needed: int, images: str, root: Path) -> None:
    """Raise DatasetError for more bytes than this machine has; a system that overcommits would end the process."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise DatasetError(
            f"images are held in memory; {images} in {root} take {needed / 2**30:,.0f} GiB of the "
            f"{memory / 2**30:,.0f} GiB that this machine has: use a smaller --image-size N"
        )


class _Faults:
    """Images that cannot be used, collected so that one message says how many there are."""

    def __init__(self) -> None:
        self.absent: list[str] = []
        self.unreadable: list[str] = []

    @contextlib.contextmanager
    def noted(self, where: str, data: Path | bytes | None) -> Iterator[None]:
        """Note what goes wrong in the block instead of raising it."""
        try:
            yield
        except Exception as error:  # each of Pillow's decoders has its own ways to fail on damaged data
            if data is None:
                self.absent.append(where)
            else:
                self.unreadable.append(f"{where}: {_reason(error)}")

    def refuse(self, total: int, root: Path) -> None:
        """Raise DatasetError if anything was noted among `total` images."""
        for faults, rule, fail in (
            (self.absent, "label must have an image", "have none"),
            (self.unreadable, "image must be readable", "are not"),
        ):
            if faults:
                raise DatasetError(f"every {rule}: {len(faults)} of {total} in {root} {fail}, the first is {faults[0]}")


def _opened(data: Path | bytes | None) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below
        image = Image.open(data if isinstance(data, Path) else io.BytesIO(data or b""), formats=FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width}×{image.height} are more than {MOST_PIXELS:,} pixels")
    return image


def _convert(image: Image.Image, mode: str, image_size: int | None) -> Image.Image:
    if image.mode.startswith("I;16"):  # Pillow would clip 16 bits at 255 instead of scaling them
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image = image.convert(mode)
    return resize(image, image_size) if image_size else image


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its text holds a memory address
        return f"not a {', '.join(FORMATS)} image"
    return one_line(error)
