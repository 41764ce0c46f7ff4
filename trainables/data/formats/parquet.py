"""Parquet files `train*.parquet`, `validation*.parquet` and `test*.parquet` with encoded images and labels.

They lie in the folder or in its subfolder `data`, or as `train/*.parquet`, as in datasets of the Hugging Face Hub. A
single file is train.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from architectures.errors import one_line
from trainables.data.archive import Packed, Place
from trainables.data.contents import beginning
from trainables.data.decode import Encoded
from trainables.data.formats.format import Columns, Files, Format, Part, Table
from trainables.data.formats.labels import MOST_LABEL, without_empty
from trainables.data.formats.parquet_schema import (
    class_names,
    find_image_column,
    find_label_column,
    is_floating,
    parquet_file,
)
from trainables.data.formats.shards import files_of, find_shards, shards_in
from trainables.data.images import DatasetError
from trainables.data.members import MOST_RATIO, most_unpacked

SUFFIXES = (".parquet",)
# A Parquet file of a few kilobytes may hold one value, or none, a billion times, so the rows read at once are limited.
MOST_ROWS = 10_000_000
ROWS_AT_ONCE = 16
_PARTS: dict[Part, re.Pattern[str]] = {
    "train": re.compile("^train"),
    "validation": re.compile("^val(id(ation)?)?([^a-z]|$)"),
    "test": re.compile("^test"),
}
_SHARD = re.compile(r"-\d+-of-(?!0*1[-.])\d+(-[0-9a-f]+)?\.parquet$")


def find(root: Place, _: Columns) -> Files | None:
    """The Parquet files of a folder, or a file as train; raises DatasetError when there are none to train on."""
    if isinstance(root, Packed):
        return None
    if root.is_file():
        if _SHARD.search(root.name):
            raise DatasetError(
                f"every shard must be there, and {root} is one of several: give the folder that holds them"
            )
        return Files((root,), ()) if beginning(root, 4) == b"PAR1" else None
    shards = find_shards(root, SUFFIXES, _PARTS)
    if shards.train:
        return files_of(shards, "Parquet file")
    for folder in (root, root / "data"):
        if found := shards_in(folder, SUFFIXES):
            raise DatasetError(f"{folder} must hold Parquet files named train*.parquet, not only {found[0].name}")
    return None


def open_files(files: tuple[Place, ...], columns: Columns) -> Table:
    """The files' rows as one table, in the order of the files."""
    paths = [file for file in files if isinstance(file, Path)]
    with parquet_file(paths[0]) as first:
        schema = first.schema_arrow
    image_column, _ = find_image_column(schema, paths[0], columns.image)
    label_column = find_label_column(schema, image_column, paths[0], columns.label)

    def images(rows: np.ndarray) -> Iterator[Encoded]:
        start = done = 0
        for file in paths:
            with parquet_file(file) as parquet:
                num_rows = parquet.metadata.num_rows
                wanted = _between(rows, start, start + num_rows) - start
                _, in_struct = find_image_column(parquet.schema_arrow, file, image_column)
                # The path beside the bytes is not even read: no name inside a dataset ever becomes a file name.
                column = f"{image_column}.bytes" if in_struct else image_column
                for row, value in _images(file, parquet, column, in_struct, wanted):
                    yield done, f"row {row} of {file}", value
                    done += 1
                start += num_rows

    names = class_names(schema, label_column)
    labels = _labels(paths, label_column, schema.field(label_column).type, names)
    return Table(labels, names, images, f"column '{label_column}'", label_column)


def _labels(files: Sequence[Path], column: str, kind: Any, names: tuple[str, ...]) -> list[Any]:
    """The labels of all rows, cast to their type in the first file and numbered like its class names."""
    labels: list[Any] = []
    for file in files:
        with parquet_file(file, read_dictionary=[column]) as parquet:
            if len(labels) + parquet.metadata.num_rows > MOST_ROWS:
                raise DatasetError(f"a dataset holds at most {MOST_ROWS:,} images; up to {file} there are more")
            found = parquet.read(columns=[column]).column(column)
            _check_lengths(found, file)
            own = class_names(parquet.schema_arrow, column)
            if own and not names:
                kinds = f"{found.type} with class names", f"{kind} without class names"
                raise _other_type(*kinds, column, file, files[0])
            values = _whole(found, column, file) if is_floating(kind) else _cast(found, kind, column, file, files[0])
        labels += values if own in ((), names) else _renumbered(values, own, names, file)
    return without_empty(labels)


def _cast(labels: Any, kind: Any, column: str, file: Path, first: Path) -> list[Any]:
    """Labels of a file in the type that they have in the first one."""
    import pyarrow as pa

    try:
        return list(labels.cast(kind).to_pylist())
    except pa.ArrowException as error:
        of_names = getattr(labels.type, "value_type", labels.type)  # strings are read as a dictionary
        raise _other_type(of_names, kind, column, file, first) from error


def _other_type(found: Any, wanted: Any, column: str, file: Path, first: Path) -> DatasetError:
    return DatasetError(
        f"a column of labels must have one type in all files of a part; '{column}' is {found} in {file} and {wanted} "
        f"in {first}: write them alike"
    )


def _whole(labels: Any, column: str, file: Path) -> list[Any]:
    """Labels in floating point as whole numbers; raises DatasetError if one is not whole."""
    import pyarrow as pa

    try:
        return list(labels.cast(pa.int64()).to_pylist())
    except pa.ArrowInvalid as error:
        reason = one_line(error)
        raise DatasetError(
            f"labels are whole numbers or strings; column '{column}' of {file} is {labels.type} and holds others "
            f"({reason}): choose another column with --label NAME"
        ) from error


def _renumbered(labels: list[Any], own: tuple[str, ...], names: tuple[str, ...], file: Path) -> list[Any]:
    """Labels of a file that numbers its classes `own` in another order than the first file numbers its `names`."""
    numbers = {name: number for number, name in enumerate(names)}
    if unknown := [name for name in own if name not in numbers]:
        raise DatasetError(f"the files of a part must name the same classes; {file} names {unknown[0]} as well")
    if outside := [label for label in labels if label is not None and not 0 <= label < len(own)]:
        raise DatasetError(f"labels in {file} must lie in 0..{len(own) - 1}, one a class name, not {outside[0]}")
    return [None if label is None else numbers[own[label]] for label in labels]


def _check_lengths(labels: Any, file: Path) -> None:
    """Raise DatasetError for a label that is too long for a name; each distinct label is checked once."""
    import pyarrow.compute as pc
    from pyarrow import types

    if not types.is_dictionary(labels.type) or types.is_integer(labels.type.value_type):
        return
    for chunk in labels.chunks:
        longest = pc.max(pc.utf8_length(chunk.dictionary)).as_py() or 0
        if longest > MOST_LABEL:
            raise DatasetError(f"a label is a name of at most {MOST_LABEL:,} letters; one in {file} has {longest:,}")


def _images(
    file: Path, parquet: Any, column: str, in_struct: bool, rows: np.ndarray
) -> Iterator[tuple[int, bytes | None]]:
    """Number and encoded image of the given rows of one file; row groups without any of them are not read."""
    import pyarrow.compute as pc

    most = most_unpacked(file)
    start = unpacked = 0
    for group in range(parquet.metadata.num_row_groups):
        group_end = start + parquet.metadata.row_group(group).num_rows
        if not len(_between(rows, start, group_end)):
            start = group_end
            continue
        for batch in parquet.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=[column]):
            wanted = _between(rows, start, start + len(batch))
            encoded = batch.column(0).take(wanted - start)
            encoded = pc.struct_field(encoded, 0) if in_struct else encoded
            unpacked += encoded.nbytes
            if unpacked > most:
                raise DatasetError(f"{file} unpacks to more than {MOST_RATIO} times its size: encoded images do not")
            for row, value in zip(wanted, encoded, strict=True):
                yield int(row), value.as_py()
            start += len(batch)


def _between(rows: np.ndarray, start: int, end: int) -> np.ndarray:
    """The sorted rows that lie in start ≤ row < end."""
    return rows[slice(*np.searchsorted(rows, (start, end)))]


PARQUET = Format(holds="Parquet files named train*.parquet", find=find, open=open_files)
