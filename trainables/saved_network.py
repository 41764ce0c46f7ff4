"""After a retrain: weights that rebuild the network anywhere, and the one pass over the test set."""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import nn

from architectures.build import build
from architectures.errors import HpsearchError, one_line
from architectures.families import FAMILIES, make_network
from trainables.config import Config
from trainables.files import SETTINGS, WEIGHTS
from trainables.memory import memory_error
from trainables.metrics import balanced_accuracy, confusion
from trainables.predictions import write_predictions
from trainables.resident import Resident
from trainables.training import evaluate, evaluated_at_once

#: The name of all our networks in timm's registry.
TIMM_NAME = "hpsearch"


class NetworkError(HpsearchError):
    """A folder whose network is damaged, or that holds something else: one line."""


@dataclass(frozen=True)
class Network:
    """A trained network, and the data that rebuild it."""

    model: nn.Module
    """The network with its weights."""
    config: Config
    """The configuration that it was trained with."""
    shape: tuple[int, ...]
    """The images' (C, H, W)."""
    classes: tuple[str, ...]
    """The classes' names, in the order of the logits."""


def network_files(network: Network) -> dict[str, bytes]:
    """By name, `model.safetensors` and the `config.json` that rebuilds it."""
    # Cloned, as safetensors refuses tensors that share memory (tied weights).
    state = {name: value.cpu().contiguous().clone() for name, value in network.model.state_dict().items()}
    weights = to_safetensors(state)
    settings = {
        "config": network.config.to_json(),
        "input_shape": list(network.shape),
        "classes": list(network.classes),
        "normalise": {"mean": 0.5, "std": 0.5},
        **_for_timm(network),
    }
    checked = settings | {"crc32": _checksum(settings, weights)}
    return {WEIGHTS: weights, SETTINGS: json.dumps(checked, indent=1).encode()}


def _for_timm(network: Network) -> dict[str, Any]:
    """The keys that timm reads; it finds the module through `search.use.in_timm`. Empty for a user's network."""
    if network.config.network.name not in FAMILIES:
        return {}
    channels = network.shape[0]
    return {
        "architecture": TIMM_NAME,
        "model_args": {"network": network.config.to_json()["network"], "input_shape": list(network.shape)},
        "num_classes": len(network.classes),
        "label_names": list(network.classes),
        "pretrained_cfg": {
            "input_size": list(network.shape),
            "fixed_input_size": True,
            "mean": [0.5] * channels,
            "std": [0.5] * channels,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "crop_mode": "squash",  # images are resized whole, as `trainables.data.pixels.resize` does
        },
    }


def _checksum(settings: dict[str, Any], weights: bytes) -> int:
    """The checksum of both files together; safetensors has none."""
    return zlib.crc32(weights, zlib.crc32(json.dumps(settings).encode()))


def load_network(folder: Path, device: str = "cpu", *, run_own_code: bool = False) -> Network:
    """The network whose `network_files` are in a folder.

    run_own_code: allow a network that is no family, which is rebuilt by calling the function that its `config.json`
    names. That may be any function, so allow it only for folders that you trust. Raises NetworkError for a folder that
    is damaged or holds something else, OSError for one that cannot be read.
    """
    written = {name: (folder / name).read_bytes() for name in (SETTINGS, WEIGHTS)}
    return network_of(written, str(folder), device, run_own_code=run_own_code)


def network_of(
    written: Mapping[str, bytes], folder: str, device: str = "cpu", *, run_own_code: bool = False
) -> Network:
    """The network of these files, by name; folder: where they lie, for errors. The rest is as in `load_network`."""
    weights = written[WEIGHTS]
    try:
        settings: dict[str, Any] = json.loads(written[SETTINGS])
        config = Config.from_json(settings["config"])
        shape, classes = tuple(settings["input_shape"]), tuple(settings["classes"])
        crc = settings.pop("crc32", None)  # 0.1.0 wrote none
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise NetworkError(f"{folder}/{SETTINGS} describes no network: {_reason(error)}") from error
    if config.network.name not in FAMILIES and not run_own_code:
        raise NetworkError(
            f"{folder}/{SETTINGS} names the function '{config.network.name}', which is run to rebuild the network: "
            "load_network(folder, run_own_code=True), if you trust it"
        )
    if crc not in (None, _checksum(settings, weights)):
        raise NetworkError(f"{folder}: {SETTINGS} and {WEIGHTS} are not what was written; their checksum differs")
    try:
        data = make_network(config.network.name, config.network.hyperparameters, shape, len(classes))
        model = build(data, shape, len(classes))
        model.load_state_dict(from_safetensors(weights))
    except Exception as error:  # a user's network, torch and safetensors each fail in their own ways
        raise NetworkError(f"{folder}/{WEIGHTS} holds no network that can be rebuilt: {_reason(error)}") from error
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Network(model.eval(), config, shape, classes)


def _reason(error: Exception) -> str:
    return one_line(error, named=True)


def predict(
    model: nn.Module,
    images: Resident,
    precision: str,
    *,
    flips: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N,) and probabilities (N, classes) of every image; flips and devices as in `test_pass`.

    progress: called after each batch. Where memory is too small for a batch, a half, a quarter and so on are predicted
    at a time.
    """
    batch = evaluated_at_once(model, images)
    while True:
        try:
            return _predict(model, images, precision, batch, flips, progress)
        except (RuntimeError, MemoryError) as error:
            if batch == 1 or memory_error(error) is None:
                raise
        batch //= 2  # only here, where the failed attempt no longer holds its tensors


def _predict(
    model: nn.Module, images: Resident, precision: str, batch: int, flips: bool, progress: Callable[[], None]
) -> tuple[np.ndarray, np.ndarray]:
    plain = evaluate(model, images, precision, batch, progress=progress)
    found = [(logits.softmax(1), labels) for logits, labels in plain]
    if flips:
        mirrored = evaluate(model, images, precision, batch, mirrored=True, progress=progress)
        found = [((p + other.softmax(1)) / 2, labels) for (p, labels), (other, _) in zip(found, mirrored, strict=True)]
    probabilities = torch.cat([p for p, _ in found]).cpu().numpy()
    return torch.cat([label for _, label in found]).cpu().numpy(), probabilities


def test_pass(
    network: Network, folder: Path, test: Resident, precision: str, *, flips: bool = False
) -> tuple[int, float]:
    """Predict every test image and write them to a folder; returns how many were right, and balanced accuracy.

    flips: whether a prediction is the mean of those for an image and for its mirror image. Network and images are on
    one device. Raises OSError when the predictions cannot be written.
    """
    labels, probabilities = predict(network.model, test, precision, flips=flips)
    write_predictions(folder, labels, probabilities, network.classes)
    matrix = confusion(labels, probabilities.argmax(1), len(network.classes))
    return int(matrix.trace()), balanced_accuracy(matrix.diagonal(), matrix.sum(axis=1))
