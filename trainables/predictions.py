"""The predictions of a test pass, or for the images of a fold, in a Parquet file that can be read without torch."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from architectures.errors import HpsearchError, one_line
from trainables import files

PREDICTIONS = "predictions.parquet"


class PredictionsError(HpsearchError):
    """A predictions file that is damaged or holds something else: one line."""


def predictions_file(labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]) -> memoryview:
    """A file with a row for each image: `index` among the predicted, `label`, and `probabilities` of all classes.

    labels (N,), probabilities (N, classes).
    """
    table = pa.table(
        {
            "index": np.arange(len(labels), dtype=np.int64),
            "label": labels,
            "probabilities": pa.FixedSizeListArray.from_arrays(probabilities.ravel(), probabilities.shape[1]),
        },
        metadata={"classes": json.dumps(classes)},
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_page_checksum=True)
    return memoryview(sink.getvalue())


def write_predictions(folder: Path, labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]) -> None:
    """Write a `predictions_file` to a folder; raises OSError when that is not possible."""
    files.write(folder / PREDICTIONS, predictions_file(labels, probabilities, classes))


def read_predictions(folder: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Labels (N,), probabilities (N, classes) and class names of a pass over images.

    Raises PredictionsError for a file that is gone, damaged or something else, OSError for one that cannot be read.
    """
    path = folder / PREDICTIONS
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PredictionsError(f"{path} is gone; restore it, or retrain the winner again") from error
    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
        classes = tuple(json.loads(table.schema.metadata[b"classes"]))
        flat = table["probabilities"].combine_chunks().flatten().to_numpy()
        labels, probabilities = table["label"].to_numpy(), flat.reshape(len(table), len(classes))
        if not np.isin(labels, np.arange(len(classes))).all() or not np.isfinite(probabilities).all():
            raise ValueError("a label outside the classes, or a probability that is not finite")
    except Exception as error:  # pyarrow, JSON and numpy each fail in their own ways
        told = f"{path} holds no predictions ({one_line(error)}); restore it, or retrain the winner again"
        raise PredictionsError(told) from error
    return labels, probabilities, classes
