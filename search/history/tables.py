"""The record as tables, with typed columns that pandas, DuckDB and Polars can read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from search.history import columns
from search.history.columns import Column, Measurement, Trial
from search.history.record import Record
from trainables import files

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row")

_TYPES = {
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "timestamp": pa.timestamp("ms", tz="UTC"),
}


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows, with None for missing values: a data frame has NaN there, which counts as true."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in rows]


def trials(record: Record, running: bool) -> pd.DataFrame:
    """One row for each trial, by number; `running`: whether a process has the ledger open."""
    return _trials(record, running).to_pandas()


def epochs(record: Record) -> pd.DataFrame:
    """One row for each measurement, by trial, repeat and epoch."""
    return _epochs(record).to_pandas()


def write(folder: Path, record: Record) -> None:
    """Write `trials.parquet` and `epochs.parquet`, whole or not at all."""
    for name, table in (("trials", _trials(record, running=False)), ("epochs", _epochs(record))):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        files.write(folder / f"{name}.parquet", memoryview(sink.getvalue()))


def _trials(record: Record, running: bool) -> pa.Table:
    return _table([Trial(run, running) for run in record.trials], columns.TRIALS)


def _epochs(record: Record) -> pa.Table:
    runs = (run for _, run in sorted(record.runs.items()))
    return _table([Measurement(run, event) for run in runs for event in run.measurements], columns.EPOCHS)


def _table(rows: Sequence[Row], of: Sequence[Column[Row]]) -> pa.Table:
    schema = pa.schema([(column.name, _TYPES[column.type]) for column in of])
    return pa.Table.from_pydict({column.name: [column.value(row) for row in rows] for column in of}, schema=schema)
