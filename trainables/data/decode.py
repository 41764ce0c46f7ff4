"""Encoded images to arrays: their headers, their pixels, and a count of those that cannot be read."""

import contextlib
import io
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from architectures.errors import one_line
from trainables import limits
from trainables.data.contents import beginning, kind_of
from trainables.data.images import DatasetError
from trainables.data.pixels import GREY, as_8_bits, is_deep, resize, upright, upright_size

Progress = Callable[[int, int], None]
Data = Path | bytes | np.ndarray | None
# An image's place among those requested, its location for messages, and its file, its encoded bytes or its pixels,
# uint8 (H, W) or (H, W, 3); None if a row of a Parquet file has none. Archives yield images in their own order.
Encoded = tuple[int, str, Data]

# No other format is decoded, whatever a file's name says, because Pillow hands some formats to external programs.
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
#: Suffixes of files in these formats.
SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
)
IMAGES_PER_REPORT = 500
# A small file may hold any number of pixels, and all are decoded before they are resized.
MOST_PIXELS = 50_000_000


@dataclass(frozen=True)
class Look:
    """What all parts of a dataset have in common, taken from its train images."""

    mode: str
    """L if all images are grey, else RGB."""
    size: tuple[int, int]
    """(width, height) of an image."""
    bits: int | None = None
    """How many bits the 16-bit grey images use, at least 8; None if there are no such images."""


def look(images: Iterable[Encoded], total: int, root: Path) -> Look:
    """Inspect train images: their headers, and the pixels of those with 16 bits per pixel.

    Raises DatasetError when no header can be read.
    """
    mode, size, largest = "L", None, 0
    faults = _Faults()
    is_any_deep = False
    for _, where, data in images:
        with faults.noted(where, data), _opened(data) as image:
            size = size or upright_size(image)
            if image.mode not in GREY:
                mode = "RGB"  # a later image may still be grey with 16 bits
            if is_deep(image):
                is_any_deep = True
                largest = max(largest, int(np.asarray(image).max()))
    if size is None:
        faults.refuse(total, "train", root)
    assert size is not None, "every part has an image"
    return Look(mode, size, max(largest.bit_length(), 8) if is_any_deep else None)


def decode(
    images: Iterable[Encoded],
    total: int,
    part: str,
    root: Path,
    seen: Look,
    image_size: int | None,
    progress: Progress | None,
) -> np.ndarray:
    """Decode a part to uint8 (total, C, H, W), one image after the other.

    Raises DatasetError for images that cannot be read, differ in size or do not fit this machine's memory. Threads were
    measured: they gain nothing on images of 32×32, for which most of the time is spent in the interpreter.
    """
    mode, size = seen.mode, seen.size
    width, height = (image_size, image_size) if image_size else size
    _check_memory(total * (1 if mode == "L" else 3) * width * height, f"{total:,} images of {width}×{height}", root)
    pixels = np.empty((total, 1 if mode == "L" else 3, height, width), np.uint8)
    sizes = {size}
    faults = _Faults()
    for done, (row, where, data) in enumerate(images, start=1):
        with faults.noted(where, data), _opened(data) as stored:
            image = upright(stored)
            sizes.add(image.size)
            if image_size or image.size == size:
                pixels[row] = _array(image, seen, (width, height))
        if progress and (done % IMAGES_PER_REPORT == 0 or done == total):
            progress(done, total)
    faults.refuse(total, part, root)
    if not image_size:
        _check_sizes(sizes, root)
    return pixels


def decode_one(file: Path, seen: Look) -> np.ndarray:
    """An image for a network that was trained on such images: uint8 (C, H, W), resized to their size.

    Raises DatasetError, with only the reason, for a file that cannot be read as an image.
    """
    try:
        with _opened(file) as stored:
            return _array(upright(stored), seen, seen.size)
    except Exception as error:  # as in `_Faults`
        reason = error.strerror if isinstance(error, OSError) and error.strerror else _reason(error, file)
        raise DatasetError(reason) from error


def _array(image: Image.Image, seen: Look, size: tuple[int, int]) -> np.ndarray:
    """An upright image at (width, height) as uint8 (C, H, W)."""
    array = np.asarray(resize(as_8_bits(image, seen.mode, seen.bits), size))
    return array[None] if seen.mode == "L" else array.transpose(2, 0, 1)


def check_headers(images: Iterable[Encoded], total: int, root: Path, size: tuple[int, int] | None) -> None:
    """Read only the headers of test images; `size` is that of train, None if images are resized.

    Raises DatasetError for images whose headers cannot be read, or that differ in size.
    """
    faults = _Faults()
    sizes = {size} if size else set()
    for _, where, data in images:
        with faults.noted(where, data), _opened(data) as image:
            if size:
                sizes.add(upright_size(image))
    faults.refuse(total, "test", root)
    _check_sizes(sizes, root)


def header_sizes(images: Iterable[Encoded]) -> Counter[tuple[int, int]]:
    """How many images have each (width, height), from headers that can be read."""
    found: Counter[tuple[int, int]] = Counter()
    for _, _, data in images:
        with _opened(data) as image:
            found[upright_size(image)] += 1
    return found


def _check_sizes(sizes: set[tuple[int, int]], root: Path) -> None:
    """Raise DatasetError for more than one size."""
    if len(sizes) > 1:
        shown = ", ".join(f"{width}×{height}" for width, height in sorted(sizes)[:5])
        raise DatasetError(
            f"all images must have one size; {root} has {len(sizes)} ({shown}{', …' if len(sizes) > 5 else ''}): "
            f"use --image-size N to resize all of them to N×N"
        )


def _check_memory(needed: int, images: str, root: Path) -> None:
    """Raise DatasetError for more bytes than this machine has; the system might kill the process later."""
    memory, _ = limits.memory()
    if needed > memory:
        raise DatasetError(
            f"images are held in memory; {images} in {root} take {needed / 2**30:,.0f} GiB of the "
            f"{memory / 2**30:,.0f} GiB that this machine or its container has: use a smaller --image-size N"
        )


class _Faults:
    """Images that cannot be used, collected so that one message says how many there are."""

    def __init__(self) -> None:
        self.absent: list[str] = []
        self.unreadable: list[str] = []

    @contextlib.contextmanager
    def noted(self, where: str, data: Data) -> Iterator[None]:
        """Note what goes wrong in the block instead of raising it."""
        try:
            yield
        except Exception as error:  # Pillow's decoders raise many kinds of errors for damaged data
            if data is None:
                self.absent.append(where)
            else:
                self.unreadable.append(f"{where}: {_reason(error, data)}")

    def refuse(self, total: int, part: str, root: Path) -> None:
        """Raise DatasetError if anything was noted among the `total` images of a part."""
        for faults, rule, fail in (
            (self.absent, "label must have an image", "have none"),
            (self.unreadable, "image must be readable", "are not"),
        ):
            if faults:
                raise DatasetError(
                    f"every {rule}: {len(faults)} of {total} in the {part} part of {root} {fail}, the first is "
                    f"{faults[0]}"
                )


def _opened(data: Data) -> Image.Image:
    if isinstance(data, np.ndarray):
        return Image.fromarray(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # refused below
        image = Image.open(data if isinstance(data, Path) else io.BytesIO(data or b""), formats=FORMATS)
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(f"{image.width}×{image.height} is more than {MOST_PIXELS:,} pixels")
    return image


def _reason(error: Exception, data: Data) -> str:
    start = beginning(data) if isinstance(data, Path) else bytes(data[:512]) if isinstance(data, bytes) else b""
    if isinstance(error, UnidentifiedImageError):  # its text holds a memory address
        return kind_of(start) or f"not a {', '.join(FORMATS)} image"
    return one_line(error)
