"""The record as tables: typed columns that pandas, DuckDB and Polars read without help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from search.history.record import Record, Run, is_family
from trainables import files

if TYPE_CHECKING:
    import pandas as pd

FLOATS = (
    "lr",
    "weight_decay",
    "beta1",
    "beta2",
    "alpha",
    "momentum",
    "dampening",
    "initial_accumulator_value",
    "lr_decay",
    "label_smoothing",
    "width",
    "conv_dropout",
    "head_dropout",
)
TEXTS = ("activation", "pool", "norm", "head_widths", "schedule", "augment")

TRIALS = pa.schema(
    [
        ("trial", pa.int64()),
        ("state", pa.string()),
        ("reason", pa.string()),
        ("network", pa.string()),
        ("optimizer", pa.string()),
        ("parameters", pa.int64()),
        ("flops", pa.int64()),
        ("batch_size", pa.int64()),
        ("micro_batch", pa.int64()),
        ("max_epochs", pa.int64()),
        *((name, pa.float64()) for name in FLOATS),
        *((name, pa.string()) for name in TEXTS),
        ("epoch", pa.float64()),
        ("best_epoch", pa.float64()),
        ("best_val_accuracy", pa.float64()),
        ("best_val_loss", pa.float64()),
        ("val_accuracy", pa.float64()),
        ("val_loss", pa.float64()),
        ("train_accuracy", pa.float64()),
        ("train_loss", pa.float64()),
        ("images", pa.int64()),
        ("seconds", pa.float64()),
        ("images_per_second", pa.float64()),
        ("attempt", pa.int64()),
        ("redrawn", pa.int64()),
        ("seed", pa.int64()),
        ("config", pa.string()),
    ]
)

EPOCHS = pa.schema(
    [
        ("trial", pa.int64()),
        ("repeat", pa.int64()),
        ("epoch", pa.float64()),
        ("images", pa.int64()),
        ("train_loss", pa.float64()),
        ("train_accuracy", pa.float64()),
        ("val_loss", pa.float64()),
        ("val_accuracy", pa.float64()),
        ("learning_rate", pa.float64()),
        ("images_per_second", pa.float64()),
        ("seconds", pa.float64()),
        ("decision", pa.string()),
        ("attempt", pa.int64()),
        ("host", pa.string()),
        ("pid", pa.int64()),
        ("time", pa.timestamp("ms", tz="UTC")),
    ]
)


def trials(record: Record, running: bool) -> pd.DataFrame:
    """A row a trial, by number; `running`: whether a process has the ledger open."""
    return _trials(record, running).to_pandas()


def epochs(record: Record) -> pd.DataFrame:
    """A row a measurement, by trial, repeat and epoch."""
    return _epochs(record).to_pandas()


def write(folder: Path, record: Record) -> None:
    """Write `trials.parquet` and `epochs.parquet`, whole or not at all."""
    for name, table in (("trials", _trials(record, running=False)), ("epochs", _epochs(record))):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink)
        files.write(folder / f"{name}.parquet", memoryview(sink.getvalue()))


def state_of(run: Run, running: bool) -> str:
    """A run's state in the words for people: a run that no process trains is interrupted."""
    return run.state if running or run.state != "running" else "interrupted"


def _trials(record: Record, running: bool) -> pa.Table:
    return _table([_trial_row(run, running) for run in record.trials], TRIALS)


def _trial_row(run: Run, running: bool) -> dict[str, Any]:
    config = run.config
    network, optimizer, training = config["network"], config["optimizer"], config["training"]
    last: Any = run.measurements[-1] if run.measurements else {}
    best: Any = run.best or {}
    # A user's own network may call its hyperparameters what it likes: they stay in `config`.
    parts = (network, optimizer, training) if is_family(network["name"]) else (optimizer, training)
    known = {k: v for part in parts for k, v in part.items() if k in (*FLOATS, *TEXTS)}
    widths = known.get("head_widths")
    return {
        **known,
        **{k: last.get(k) for k in ("epoch", "images", "val_accuracy", "val_loss", "train_accuracy", "train_loss")},
        "head_widths": None if widths is None else json.dumps(widths),
        "trial": run.key[0],
        "state": state_of(run, running),
        "reason": run.reason,
        "network": network["name"],
        "optimizer": optimizer["name"],
        "parameters": run.asked["parameters"],
        "flops": run.asked["flops"],
        "batch_size": training["batch_size"],
        "micro_batch": run.micro_batch,
        "max_epochs": training["epochs"],
        "best_epoch": best.get("epoch"),
        "best_val_accuracy": best.get("val_accuracy"),
        "best_val_loss": best.get("val_loss"),
        "seconds": run.seconds,
        "images_per_second": last.get("images_per_second"),
        "attempt": run.attempt,
        "redrawn": run.asked["redrawn"],
        "seed": run.asked["seed"],
        "config": json.dumps(config),
    }


def _epochs(record: Record) -> pa.Table:
    rows = [
        {**m.to_json(), "time": int(m.time * 1000)} for _, run in sorted(record.runs.items()) for m in run.measurements
    ]
    return _table(rows, EPOCHS)


def _table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema=schema)
