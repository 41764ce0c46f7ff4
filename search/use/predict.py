"""Predictions of winners for images: the probability of every class."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from search.use.images import batches
from trainables import files
from trainables.data.decode import Look
from trainables.data.formats.listing import printable
from trainables.data.images import Images
from trainables.metrics import ensemble
from trainables.resident import Resident
from trainables.saved_network import Network, predict

TOP = 5


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of the images that could be read."""

    paths: list[str]
    """The images, as UTF-8."""
    probabilities: np.ndarray
    """float (N, classes); a row adds up to one."""
    classes: tuple[str, ...]
    """The classes' names, in the order of the columns."""
    failed: int
    """How many images could not be read."""
    flips: bool
    """Whether each is the mean over an image and its mirror image."""

    def rows(self) -> list[dict[str, Any]]:
        """For each image its path, `flips`, and `top`: the likeliest classes and their probabilities, best first."""
        best = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :TOP]
        return [
            {
                "path": path,
                "flips": self.flips,
                "top": [{"class": self.classes[i], "probability": float(row[i])} for i in order],
            }
            for path, row, order in zip(self.paths, self.probabilities, best, strict=True)
        ]


def judge(
    images: list[Path],
    networks: Sequence[tuple[Network, float]],
    seen: Look,
    device: str,
    *,
    flips: bool,
    complain: Callable[[str], object],
) -> Predictions:
    """The weighted mean of networks' probabilities, for images in order; `complain` gets a line for unreadable ones.

    networks: on the device, each with its weight; all of one search. flips: whether a prediction is the mean of those
    for an image and for its mirror image. Computed in float32.
    """
    classes = networks[0][0].classes
    paths: list[str] = []
    found = [np.empty((0, len(classes)), np.float32)]
    failed = 0
    for batch in batches(images, seen):
        for fault in batch.faults:
            complain(fault)
        failed += len(batch.faults)
        if not batch.files:
            continue
        paths += map(printable, batch.files)
        labels = np.zeros(len(batch.files), np.int64)
        resident = Resident.of(Images(batch.pixels, labels, classes), device)
        each = [predict(network.model, resident, "float32", flips=flips)[1] for network, _ in networks]
        found.append(ensemble(each, [weight for _, weight in networks]).astype(np.float32))
    return Predictions(paths, np.concatenate(found), classes, failed, flips)


def write(predictions: Predictions, out: Path) -> None:
    """Write a Parquet file with a row for each image; raises OSError if that is not possible.

    Columns are `path`, `class`, `probability` and `probabilities`, of all classes in the order of the file's metadata
    `classes`. Its metadata `flips` says whether mirror images count.
    """
    best = predictions.probabilities.argmax(1)
    table = pa.table(
        {
            "path": predictions.paths,
            "class": [predictions.classes[i] for i in best],
            "probability": predictions.probabilities[np.arange(len(best)), best],
            "probabilities": pa.FixedSizeListArray.from_arrays(
                predictions.probabilities.ravel(), len(predictions.classes)
            ),
        },
        metadata={"classes": json.dumps(predictions.classes), "flips": json.dumps(predictions.flips)},
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, write_page_checksum=True)
    files.write(out, memoryview(sink.getvalue()))


def device_here() -> str:
    """The device on which networks are run on this machine."""
    return "cuda" if torch.cuda.is_available() else "cpu"
