"""After a retrain: weights that rebuild the network anywhere, and the one pass over the test set."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_safetensors
from torch import nn

from architectures.build import build
from architectures.families import make_network
from trainables.config import Config
from trainables.loop import Resident, evaluate
from trainables.predictions import write_predictions

WEIGHTS, SETTINGS = "model.safetensors", "config.json"


@dataclass(frozen=True)
class Network:
    """A trained network with what rebuilds it: configuration, image shape (C, H, W) and class names."""

    model: nn.Module
    config: Config
    shape: tuple[int, ...]
    classes: tuple[str, ...]


def network_files(network: Network) -> dict[str, bytes]:
    """By name, `model.safetensors` and the `config.json` that rebuilds it."""
    settings = {
        "config": network.config.to_json(),
        "input_shape": list(network.shape),
        "classes": list(network.classes),
        "normalise": {"mean": 0.5, "std": 0.5},
    }
    # Cloned, as safetensors refuses tensors that share memory (tied weights).
    state = {name: value.cpu().contiguous().clone() for name, value in network.model.state_dict().items()}
    return {WEIGHTS: to_safetensors(state), SETTINGS: json.dumps(settings, indent=1).encode()}


def load_network(folder: Path, device: str = "cpu") -> Network:
    """The network whose `network_files` lie in a folder; a user's own network runs its code again to be rebuilt."""
    settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text())
    config = Config.from_json(settings["config"])
    shape, classes = tuple(settings["input_shape"]), tuple(settings["classes"])
    data = make_network(config.network.name, config.network.hyperparameters, shape, len(classes))
    model = build(data, shape, len(classes))
    model.load_state_dict(load_file(folder / WEIGHTS))
    return Network(model.to(device, memory_format=torch.channels_last), config, shape, classes)  # type: ignore[call-overload]


def test_pass(folder: Path, test: Resident, precision: str) -> int:
    """Predict every test image with the folder's network and write the predictions; how many were right."""
    network = load_network(folder, str(test.pixels.device))
    found = [(logits.softmax(1), labels) for logits, labels in evaluate(network.model, test, precision)]
    probabilities = torch.cat([p for p, _ in found]).cpu().numpy()
    labels = torch.cat([label for _, label in found]).cpu().numpy()
    write_predictions(folder, labels, probabilities, network.classes)
    return int((probabilities.argmax(1) == labels).sum())
