"""What a test pass leaves: every prediction, in a Parquet file that needs no torch to be read."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trainables import files

PREDICTIONS = "predictions.parquet"


def write_predictions(folder: Path, labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]) -> None:
    """Write a row an image: `index` in the test set, `label`, `probabilities` (one a class)."""
    table = pa.table(
        {
            "index": np.arange(len(labels), dtype=np.int64),
            "label": labels,
            "probabilities": pa.FixedSizeListArray.from_arrays(probabilities.ravel(), probabilities.shape[1]),
        },
        metadata={"classes": json.dumps(classes)},
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    files.write(folder / PREDICTIONS, memoryview(sink.getvalue()))


def read_predictions(folder: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Labels (N,), probabilities (N, classes) and class names of a test pass."""
    table = pq.read_table(folder / PREDICTIONS)
    classes = tuple(json.loads(table.schema.metadata[b"classes"]))
    flat = table["probabilities"].combine_chunks().flatten().to_numpy()
    return table["label"].to_numpy(), flat.reshape(len(table), len(classes)), classes
