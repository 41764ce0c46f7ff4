"""What the columns of a Parquet file are for, read from its schema."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from architectures.errors import one_line
from trainables.data.images import DatasetError

LABEL_COLUMNS = ("label", "labels", "fine_label")


@contextlib.contextmanager
def parquet_file(file: Path, **options: Any) -> Iterator[Any]:
    """Open a Parquet file; an error of pyarrow in the block becomes a DatasetError."""
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


def find_image_column(schema: Any, file: Path) -> tuple[str, bool]:
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


def find_label_column(schema: Any, image_column: str, file: Path) -> str:
    """Name of the column of labels: one of LABEL_COLUMNS, or the only integer or string column."""
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


def class_names(schema: Any, label_column: str) -> tuple[str, ...]:
    """Class names that the `datasets` library left in a Parquet schema's metadata; () if there are none."""
    from pyarrow import types

    try:
        feature = json.loads(schema.metadata[b"huggingface"])["info"]["features"][label_column]
        named = feature["_type"] == "ClassLabel" and types.is_integer(schema.field(label_column).type)
        return tuple(str(name) for name in feature["names"]) if named else ()
    except (TypeError, KeyError, ValueError, RecursionError):
        return ()
