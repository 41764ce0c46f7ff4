"""Parquet files `train*.parquet` and `test*.parquet` with a column of encoded images and a column of labels.

They lie in the folder or in its subfolder `data`, as in datasets of the Hugging Face Hub.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.decode import Encoded
from trainables.data.formats.format import Files, Format, Table
from trainables.data.formats.parquet_schema import class_names, find_image_column, find_label_column, parquet_file
from trainables.data.images import DatasetError

# A Parquet file of a few kilobytes may hold one value, or none, a billion times, so what is read at once is limited.
MOST_ROWS = 10_000_000
MOST_LABEL = 1_000  # letters of a class's name
ROWS_AT_ONCE = 16
# Encoded images hardly get smaller in a Parquet file. One that unpacks to more than both of these holds something else.
MOST_UNPACKED = 1 << 30  # bytes
MOST_RATIO = 100  # times the file's size


def find(root: Path) -> Files | None:
    """The Parquet files of a folder; raises DatasetError when none of them is named train*.parquet."""
    for folder in (root, root / "data"):
        if not any(folder.glob("*.parquet")):
            continue
        train, test = (tuple(sorted(folder.glob(f"{part}*.parquet"))) for part in ("train", "test"))
        if not train:
            found = sorted(file.name for file in folder.glob("*.parquet"))
            raise DatasetError(f"{folder} must hold Parquet files named train*.parquet, not only {found[0]}")
        return Files(train, test)
    return None


def open_files(files: tuple[Path, ...]) -> Table:
    """The files' rows as one table, in the order of the files."""
    with parquet_file(files[0]) as first:
        schema = first.schema_arrow
    image_column, in_struct = find_image_column(schema, files[0])
    label_column = find_label_column(schema, image_column, files[0])
    # The path beside the bytes is not even read: no name inside a dataset ever becomes a file name.
    column = f"{image_column}.bytes" if in_struct else image_column

    def images(rows: np.ndarray) -> Iterator[Encoded]:
        start = 0
        for file in files:
            with parquet_file(file) as parquet:
                num_rows = parquet.metadata.num_rows
                wanted = _between(rows, start, start + num_rows) - start
                for row, value in _images(file, parquet, column, in_struct, wanted):
                    yield f"row {row} of {file}", value
                start += num_rows

    labels = _labels(files, label_column, schema.field(label_column).type)
    return Table(labels, class_names(schema, label_column), images)


def _labels(files: tuple[Path, ...], column: str, kind: Any) -> list[Any]:
    """The labels of all rows, cast to the type that they have in the first file."""
    labels: list[Any] = []
    for file in files:
        with parquet_file(file, read_dictionary=[column]) as parquet:
            if len(labels) + parquet.metadata.num_rows > MOST_ROWS:
                raise DatasetError(f"a dataset holds at most {MOST_ROWS:,} images; up to {file} there are more")
            found = parquet.read(columns=[column]).column(column)
            _check_lengths(found, file)
            labels += found.cast(kind).to_pylist()
    return labels


def _check_lengths(labels: Any, file: Path) -> None:
    """Raise DatasetError for a label that is too long for a name; each different label is looked at once."""
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

    most = max(MOST_UNPACKED, MOST_RATIO * file.stat().st_size)
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
