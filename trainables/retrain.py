"""After a retrain: weights that rebuild the network anywhere, and the one pass over the test set."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import nn

from architectures.build import build
from architectures.families import make_network
from trainables import checkpoint
from trainables.config import Config
from trainables.loop import Resident, evaluate

WEIGHTS, SETTINGS, PREDICTIONS = "model.safetensors", "config.json", "predictions.parquet"


@dataclass(frozen=True)
class Network:
    """A trained network with what rebuilds it: configuration, image shape (C, H, W) and class names."""

    model: nn.Module
    config: Config
    shape: tuple[int, ...]
    classes: tuple[str, ...]


def save_network(folder: Path, network: Network) -> None:
    """Write `model.safetensors` and the `config.json` that rebuilds it; whole or absent each."""
    settings = {
        "config": network.config.to_json(),
        "input_shape": list(network.shape),
        "classes": list(network.classes),
        "normalise": {"mean": 0.5, "std": 0.5},
    }
    # Cloned, as safetensors refuses tensors that share memory (tied weights).
    state = {name: value.cpu().contiguous().clone() for name, value in network.model.state_dict().items()}
    checkpoint.write(folder / WEIGHTS, to_safetensors(state))
    checkpoint.write(folder / SETTINGS, json.dumps(settings, indent=1).encode())


def load_network(folder: Path, device: str = "cpu") -> Network:
    """The network that `save_network` wrote; a user's own network runs its code again to be rebuilt."""
    settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text())
    config = Config.from_json(settings["config"])
    shape, classes = tuple(settings["input_shape"]), tuple(settings["classes"])
    data = make_network(config.network.name, config.network.hyperparameters, shape, len(classes))
    model = build(data, shape, len(classes))
    model.load_state_dict(load_file(folder / WEIGHTS))
    return Network(model.to(device, memory_format=torch.channels_last), config, shape, classes)  # type: ignore[call-overload]


def test_pass(folder: Path, test: Resident, precision: str) -> int:
    """Predict every test image with the folder's network and write `predictions.parquet`.

    A row an image: `index` in the test set, `label`, `probabilities` (one a class). Returns how many were right.
    """
    network = load_network(folder, str(test.pixels.device))
    found = [(logits.softmax(1), labels) for logits, labels in evaluate(network.model, test, precision)]
    probabilities = torch.cat([p for p, _ in found]).cpu().numpy()
    labels = torch.cat([label for _, label in found]).cpu().numpy()
    table = pa.table(
        {
            "index": np.arange(len(labels), dtype=np.int64),
            "label": labels,
            "probabilities": pa.FixedSizeListArray.from_arrays(probabilities.ravel(), probabilities.shape[1]),
        },
        metadata={"classes": json.dumps(network.classes)},
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    checkpoint.write(folder / PREDICTIONS, memoryview(sink.getvalue()))
    return int((probabilities.argmax(1) == labels).sum())


def read_predictions(folder: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Labels (N,), probabilities (N, classes) and class names of a test pass."""
    table = pq.read_table(folder / PREDICTIONS)
    classes = tuple(json.loads(table.schema.metadata[b"classes"]))
    flat = table["probabilities"].combine_chunks().flatten().to_numpy()
    return table["label"].to_numpy(), flat.reshape(len(table), len(classes)), classes
