"""Images from a folder: class folders of image files, or Parquet files in the usual image layout."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from architectures.errors import one_line
from trainables.data.cache import DatasetError, Images
from trainables.data.decode import Encoded, Progress, decode, look
from trainables.data.split import split

# The test share of a dataset that has no test part of its own. A constant, and not the search's seed, so that no
# search ever trains on what another one is tested on.
TEST_SHARE = 0.2
TEST_SEED = 20

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})
LABEL_COLUMNS = ("label", "labels", "fine_label")
# A Parquet file of a few kilobytes may hold one value, or none, a billion times: what is read at once is limited.
MOST_ROWS = 10_000_000
MOST_LABEL = 1_000  # letters of a class's name
ROWS_AT_ONCE = 16
# Encoded images hardly get smaller in a Parquet file, so what unpacks to so many bytes from so much less is none.
MOST_UNPACKED = 1 << 30
MOST_RATIO = 100


@dataclass(frozen=True)
class Layout:
    """The files of a dataset; without test files a share of the train files is held out as test."""

    root: Path
    train: tuple[Path, ...]
    test: tuple[Path, ...]
    parquet: bool

    def files(self, part: Literal["train", "test"]) -> tuple[Path, ...]:
        """Files that decide what `part` is: test takes its classes, size and colour from train."""
        return self.train if part == "train" else self.train + self.test


@dataclass(frozen=True)
class _Table:
    """Images with their labels as the files hold them; an image is read when the iteration reaches it."""

    labels: list[Any]  # int or str, None where there is none
    names: tuple[str, ...]  # of the labels 0, 1, ... where the files say so, else ()
    images: Callable[[np.ndarray], Iterator[Encoded]]  # of the given rows, which are sorted


def find(root: Path) -> Layout:
    """List the files of the dataset in `root` without opening any; raises DatasetError if there is none."""
    for folder in (root, root / "data"):
        if any(folder.glob("*.parquet")):
            return _parquet_layout(root, folder)
    train, test = root / "train", root / "test"
    if not _folders(train):
        if _folders(test):
            raise DatasetError(f"{root} has a folder test, so it must have a folder train with class folders as well")
        train = root
    if not _folders(train):
        raise DatasetError(f"{root} must hold class folders with images or Parquet files named train*.parquet")
    return Layout(root, _image_files(train), _image_files(test) if train != root else (), parquet=False)


def read(layout: Layout, part: Literal["train", "test"], image_size: int | None, progress: Progress | None) -> Images:
    """Decode one part; of the other part's images none is decoded, and of test images none is read for train.

    Images are resized to (image_size, image_size) where that is given. The part is grey (C = 1) if all train images
    are, else RGB. Raises DatasetError for anything that is not a clean dataset.
    """
    open_files = _open_parquet if layout.parquet else _open_folders
    train = asked = open_files(layout.train)
    index = _number_classes(train, layout.root)
    labels = np.array([index[label] for label in train.labels], dtype=np.int64)
    train_rows = asked_rows = np.arange(len(labels))
    if not layout.test:
        train_rows, held_out = split(labels, TEST_SHARE, TEST_SEED)
        asked_rows = train_rows if part == "train" else held_out
    elif part == "test":
        asked = open_files(layout.test)
        _check_test_labels(asked, train, layout.root)
        labels = np.array([index[label] for label in asked.labels], dtype=np.int64)
        asked_rows = np.arange(len(labels))
    # Only headers: the same colour and size for both parts, without a look at the other one's pixels.
    mode, size = look(train.images(train_rows), len(train_rows), layout.root)
    pixels = decode(asked.images(asked_rows), len(asked_rows), layout.root, mode, size, image_size, progress)
    return Images(pixels, labels[asked_rows], train.names or tuple(str(label) for label in index))


def _folders(root: Path) -> list[Path]:
    visible = root.iterdir() if root.is_dir() else ()
    return sorted(entry for entry in visible if entry.is_dir() and not entry.name.startswith("."))


def _image_files(root: Path) -> tuple[Path, ...]:
    """Image files below class folders, class by class; a file's class is the name of its folder."""
    files: list[Path] = []
    empty = []
    folders = _folders(root)
    for folder in folders:
        inside = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        files += inside
        if not inside:
            empty.append(folder)
    if empty:
        raise DatasetError(
            f"every class folder must hold images ({', '.join(sorted(SUFFIXES))}): {len(empty)} of {len(folders)} "
            f"in {root} have none, the first is {empty[0].name}"
        )
    return tuple(files)


def _parquet_layout(root: Path, folder: Path) -> Layout:
    train, test = (tuple(sorted(folder.glob(f"{part}*.parquet"))) for part in ("train", "test"))
    if not train:
        found = sorted(file.name for file in folder.glob("*.parquet"))
        raise DatasetError(f"{folder} must hold Parquet files named train*.parquet, not only {found[0]}")
    return Layout(root, train, test, parquet=True)


def _open_folders(files: tuple[Path, ...]) -> _Table:
    def images(rows: np.ndarray) -> Iterator[Encoded]:
        for row in rows:
            yield str(files[row]), files[row]

    return _Table([file.parent.name for file in files], (), images)


def _open_parquet(files: tuple[Path, ...]) -> _Table:
    import pyarrow.compute as pc

    with _parquet(files[0]) as first:
        schema = first.schema_arrow
    image_column, in_struct = _image_column(schema, files[0])
    label_column = _label_column(schema, image_column, files[0])
    labels: list[Any] = []
    for file in files:
        with _parquet(file, read_dictionary=[label_column]) as parquet:
            if len(labels) + parquet.metadata.num_rows > MOST_ROWS:
                raise DatasetError(f"a dataset holds at most {MOST_ROWS:,} images; up to {file} there are more")
            column = parquet.read(columns=[label_column]).column(label_column)
            _check_lengths(column, file)
            labels += column.cast(schema.field(label_column).type).to_pylist()

    def images(rows: np.ndarray) -> Iterator[Encoded]:
        # The path beside the bytes is not even read: no name inside a dataset ever becomes a file name.
        column = f"{image_column}.bytes" if in_struct else image_column
        start = 0
        for file in files:
            with _parquet(file) as parquet:
                file_start, unpacked = start, 0
                most = max(MOST_UNPACKED, MOST_RATIO * file.stat().st_size)
                for group in range(parquet.metadata.num_row_groups):
                    group_end = start + parquet.metadata.row_group(group).num_rows
                    if not len(rows[slice(*np.searchsorted(rows, (start, group_end)))]):
                        start = group_end
                        continue
                    for batch in parquet.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=[column]):
                        wanted = rows[slice(*np.searchsorted(rows, (start, start + len(batch))))]
                        encoded = batch.column(0).take(wanted - start)
                        encoded = pc.struct_field(encoded, 0) if in_struct else encoded
                        unpacked += encoded.nbytes
                        if unpacked > most:
                            raise DatasetError(f"{file} unpacks to more than {MOST_RATIO} times its size: no images do")
                        for row, value in zip(wanted, encoded, strict=True):
                            yield f"row {row - file_start} of {file}", value.as_py()
                        start += len(batch)

    return _Table(labels, _class_names(schema, label_column), images)


@contextlib.contextmanager
def _parquet(file: Path, **options: Any) -> Iterator[Any]:
    """Open a Parquet file; what pyarrow cannot read in the block becomes a DatasetError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, **options) as parquet:
            yield parquet
    except (pa.ArrowException, OSError, LookupError) as error:
        reason = one_line(error)
        raise DatasetError(
            f"{file} must be a whole Parquet file with the columns of the first one: {reason}"
        ) from error


def _check_lengths(labels: Any, file: Path) -> None:
    """Raise DatasetError for a label that is no name; pyarrow has read each different one once."""
    import pyarrow.compute as pc
    from pyarrow import types

    if not types.is_dictionary(labels.type) or types.is_integer(labels.type.value_type):
        return
    for chunk in labels.chunks:
        longest = pc.max(pc.utf8_length(chunk.dictionary)).as_py() or 0
        if longest > MOST_LABEL:
            raise DatasetError(f"a label is a name of at most {MOST_LABEL:,} letters; one in {file} has {longest:,}")


def _image_column(schema: Any, file: Path) -> tuple[str, bool]:
    """Name of the first column of encoded images, and whether the bytes lie inside a struct."""
    from pyarrow import types

    def binary(kind: Any) -> bool:
        return types.is_binary(kind) or types.is_large_binary(kind)

    for field in schema:
        if binary(field.type):
            return field.name, False
        if types.is_struct(field.type) and any(part.name == "bytes" and binary(part.type) for part in field.type):
            return field.name, True
    raise DatasetError(
        f"{file} must have a column of encoded images, binary or struct<bytes, path>, not only {_columns(schema)}"
    )


def _label_column(schema: Any, image_column: str, file: Path) -> str:
    from pyarrow import types

    def label_like(kind: Any) -> bool:
        kind = kind.value_type if types.is_dictionary(kind) else kind
        return types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)

    possible = [field.name for field in schema if field.name != image_column and label_like(field.type)]
    for name in LABEL_COLUMNS:
        if name in possible:
            return name
    if len(possible) != 1:
        raise DatasetError(
            f"{file} must have one integer or string column of labels, or one named {', '.join(LABEL_COLUMNS)}; "
            f"its columns are {_columns(schema)}"
        )
    return possible[0]


def _columns(schema: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in schema)


def _class_names(schema: Any, label_column: str) -> tuple[str, ...]:
    """Class names from the metadata that the `datasets` library leaves in a Parquet schema, () if there are none."""
    from pyarrow import types

    try:
        feature = json.loads(schema.metadata[b"huggingface"])["info"]["features"][label_column]
        named = feature["_type"] == "ClassLabel" and types.is_integer(schema.field(label_column).type)
        return tuple(str(name) for name in feature["names"]) if named else ()
    except (TypeError, KeyError, ValueError, RecursionError):
        return ()


def _number_classes(train: _Table, root: Path) -> dict[Any, int]:
    """Class index of each label; raises DatasetError if a label is missing, out of range, or the only one."""
    _check_labelled(train, root)
    found = set(train.labels)
    if len(found) < 2:
        raise DatasetError(f"a classifier needs at least two classes; {root} has {len(found)} in its train part")
    if not train.names:
        return {label: number for number, label in enumerate(sorted(found))}
    outside = sorted(label for label in found if not 0 <= label < len(train.names))
    if outside:
        raise DatasetError(
            f"labels in {root} must lie in 0..{len(train.names) - 1}, one a class name, not {outside[0]}"
        )
    return {number: number for number in range(len(train.names))}


def _check_labelled(table: _Table, root: Path) -> None:
    missing = [row for row, label in enumerate(table.labels) if label is None]
    if missing:
        raise DatasetError(
            f"every image must have a label: {len(missing)} of {len(table.labels)} in {root} have none, "
            f"the first is row {missing[0]}"
        )


def _check_test_labels(test: _Table, train: _Table, root: Path) -> None:
    _check_labelled(test, root)
    if not test.labels:
        raise DatasetError(f"the test files in {root} must hold images, or be left out to hold out a share of train")
    if test.names and test.names != train.names:
        raise DatasetError(f"train and test in {root} must have the same class names in the same order")
    unknown = sorted(set(test.labels) - set(train.labels))
    if unknown:
        name = train.names[unknown[0]] if unknown[0] in range(len(train.names)) else unknown[0]
        raise DatasetError(
            f"every test class must occur in train: {len(unknown)} in {root} do not, the first is {name}"
        )
