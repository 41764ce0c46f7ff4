"""The image and label columns of a Parquet file, found from its schema."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from architectures.errors import one_line
from trainables.data.contents import beginning, kind_of
from trainables.data.formats.labels import LABEL_COLUMNS, NO_LABEL, called_label
from trainables.data.images import DatasetError


@contextlib.contextmanager
def parquet_file(file: Path, **options: Any) -> Iterator[Any]:
    """Open a Parquet file; an error of pyarrow in the block becomes a DatasetError."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file, **options) as parquet:
            yield parquet
    except (pa.ArrowException, OSError, LookupError, UnicodeDecodeError) as error:
        kind = kind_of(beginning(file))
        reason = f"it is {kind}" if kind else one_line(error)
        raise DatasetError(
            f"{file} must be a whole Parquet file with the columns of the first one: {reason}"
        ) from error


def find_image_column(schema: Any, file: Path, asked: str | None) -> tuple[str, bool]:
    """Name of the column of encoded images, and whether the bytes lie inside a struct; `asked` is the user's choice."""
    from pyarrow import types

    def binary(kind: Any) -> bool:
        return types.is_binary(kind) or types.is_large_binary(kind)

    def in_struct(kind: Any) -> bool:
        return types.is_struct(kind) and any(part.name == "bytes" and binary(part.type) for part in kind)

    rule = "encoded images are binary or struct<bytes, path>"
    possible = [field for field in schema if binary(field.type) or in_struct(field.type)]
    if asked is not None:
        field = _field(schema, asked, file, "--image")
        if field not in possible:
            raise DatasetError(f"{rule}; column '{asked}' of {file} is {field.type}")
        return asked, in_struct(field.type)
    if not possible:
        raise DatasetError(f"{file} must have a column of encoded images: {rule}, not only {_columns(schema)}")
    if len(possible) > 1:
        raise DatasetError(
            f"{file} has {len(possible)} columns that could be the images ({_columns(possible)}): "
            f"choose one, --image {possible[0].name}"
        )
    return possible[0].name, in_struct(possible[0].type)


def find_label_column(schema: Any, image_column: str, file: Path, asked: str | None) -> str:
    """Name of the column of labels: the user's choice, a column that is named so, or the only integer or string one.

    Raises DatasetError if there is none or more than one, or if its type cannot be a label.
    """
    columns = [field for field in schema if field.name != image_column]
    shown = {field.name: f"{field.name} ({field.type})" for field in columns}
    name = called_label(shown, file) if asked is None else asked
    found = _field(schema, name, file, "--label") if name is not None else None
    if found is None:
        possible = [field for field in columns if _label_like(field.type)]
        if len(possible) != 1 or NO_LABEL.search(possible[0].name):
            raise DatasetError(
                f"{file} must have one integer or string column of labels, or one named {', '.join(LABEL_COLUMNS)}; "
                f"its columns are {_columns(schema)}: choose one with --label NAME"
            )
        found = possible[0]
    if not _label_like(found.type) and not is_floating(found.type):
        raise DatasetError(
            f"labels are whole numbers or strings; column '{found.name}' of {file} is {found.type}: "
            "choose another column with --label NAME"
        )
    return str(found.name)


def _field(schema: Any, name: str, file: Path, option: str) -> Any:
    """The column of that name; raises DatasetError if there is none, or more than one."""
    if schema.names.count(name) != 1:
        raise DatasetError(
            f"{file} must have the column '{name}', as train or {option} says; its columns are {_columns(schema)}"
        )
    return schema.field(name)


def _label_like(kind: Any) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)


def is_floating(kind: Any) -> bool:
    """Whether a column's type is floating point; its labels then have to be whole numbers."""
    from pyarrow import types

    return bool(types.is_floating(kind))


def _columns(fields: Any) -> str:
    return ", ".join(f"{field.name} ({field.type})" for field in fields)


def class_names(schema: Any, label_column: str) -> tuple[str, ...]:
    """Class names that the `datasets` library left in a Parquet schema's metadata; () if there are none."""
    from pyarrow import types

    try:
        feature = json.loads(schema.metadata[b"huggingface"])["info"]["features"][label_column]
        named = feature["_type"] == "ClassLabel" and types.is_integer(schema.field(label_column).type)
        return tuple(str(name) for name in feature["names"]) if named else ()
    except (TypeError, KeyError, ValueError, RecursionError):
        return ()
