"""Arrays in an .npz file as MedMNIST keeps them: `train_images`, `train_labels`, and so on for `val_…`, `test_…`.

Images are uint8 (N, H, W) or (N, H, W, 3), labels (N,) or (N, 1) (Yang et al., "MedMNIST v2", 2023).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from architectures.errors import one_line
from trainables.data.archive import Packed, Place
from trainables.data.decode import MOST_PIXELS, Encoded
from trainables.data.formats.format import AS_NAMED, Columns, Files, Format, Part, Table
from trainables.data.formats.labels import without_empty
from trainables.data.formats.listing import first_of
from trainables.data.images import DatasetError

_PREFIXES: dict[Part, str] = {"train": "train", "validation": "val", "test": "test"}
_ARRAY = ".npy"


def find(root: Place, _: Columns) -> Files | None:
    """The arrays of a file; raises DatasetError for images without labels, or if all arrays have other names."""
    if not isinstance(root, Packed) or not any(each.name.endswith(_ARRAY) for each in root.children()):
        return None
    found = {each.name.removesuffix(_ARRAY) for each in root.children()}
    parts: dict[Part, tuple[Packed, ...]] = {}
    for part, prefix in _PREFIXES.items():
        names = [f"{prefix}_images", f"{prefix}_labels"]
        there = [name for name in names if name in found]
        if len(there) == 1 or (not there and part == "train"):
            raise DatasetError(
                f"an .npz file must hold the arrays {' and '.join(names)}, as MedMNIST's do; {root} holds "
                f"{first_of(sorted(found))}"
            )
        if there:
            parts[part] = tuple(root / f"{name}{_ARRAY}" for name in names)
            found -= set(names)
    left_out = f"{len(found)} array{'s' * (len(found) > 1)} of no part ({first_of(sorted(found))})"
    return Files(
        parts["train"],
        parts.get("test", ()),
        parts.get("validation", ()),
        test_from="test_images" if "test" in parts else "",
        validation_from="val_images" if "validation" in parts else "",
        left_out=(left_out,) if found else (),
    )


def open_files(files: tuple[Place, ...], columns: Columns) -> Table:
    """A part's two arrays as a table."""
    pixels, labels = (file for file in files if isinstance(file, Packed))
    if columns != AS_NAMED:
        raise DatasetError(f"--label and --image choose columns or fields; {pixels.archive.file} holds arrays")
    with _array(pixels) as (_, shape):
        pass
    numbers = _labels(labels)
    if len(numbers) != shape[0]:
        raise DatasetError(f"every image must have a label; {pixels} has {shape[0]:,} and {labels} {len(numbers):,}")

    def images(rows: np.ndarray) -> Iterator[Encoded]:
        size = int(np.prod(shape[1:]))
        with _array(pixels) as (stream, _):
            at = 0
            for place, row in enumerate(rows.tolist()):
                _read(stream, (row - at) * size, pixels)
                data = np.frombuffer(_read(stream, size, pixels), np.uint8).reshape(shape[1:])
                at = row + 1
                yield place, f"image {row} of {pixels}", data

    return Table(numbers, (), images, labels.name.removesuffix(_ARRAY))


def _labels(file: Packed) -> list[Any]:
    """Labels as whole numbers or names; raises DatasetError for several per image, and for other types."""
    try:
        labels = np.load(io.BytesIO(file.read_bytes()), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{file} must be a whole array of numbers or names: {one_line(error)}") from error
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        shown = " × ".join(map(str, labels.shape))
        raise DatasetError(
            f"an image has one label, in an array (N,) or (N, 1); {file} is {shown}, which are several labels an image"
        )
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == labels.round()).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iuU":
        raise DatasetError(f"labels are whole numbers or names; {file} is {labels.dtype}")
    return without_empty(labels.tolist())


@contextmanager
def _array(file: Packed) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """A stream of an array's pixels, and its shape; raises DatasetError unless they are images of 8 bits."""
    with file.archive.open(file.inside) as stream:
        try:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, by_column, kind = read(stream)
        except ValueError as error:
            raise DatasetError(f"{file} must be a whole array of pixels: {one_line(error)}") from error
        shown = f"{kind} ({', '.join(map(str, shape))})"
        if kind != np.uint8 or len(shape) not in (3, 4) or shape[3:] not in ((), (3,)):
            raise DatasetError(f"images are uint8 (N, H, W) or (N, H, W, 3); {file} is {shown}")
        if by_column or not 0 < shape[1] * shape[2] <= MOST_PIXELS:
            raise DatasetError(
                f"images have 1 to {MOST_PIXELS:,} pixels, which lie row by row; {file} is {shown}"
                f"{', column by column' if by_column else ''}"
            )
        yield stream, shape


def _read(stream: IO[bytes], size: int, file: Packed) -> bytes:
    """The next bytes of a stream; raises DatasetError if it ends before them."""
    data = stream.read(size)
    if len(data) != size:
        raise DatasetError(f"{file} must hold as many pixels as its shape says; it ends before them")
    return data


NPZ = Format(holds="arrays train_images and train_labels in an .npz file", find=find, open=open_files)
