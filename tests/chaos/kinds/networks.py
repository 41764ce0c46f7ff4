"""What a training leaves: checkpoints, networks, predictions."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from rules.rule import FINISHED

from kinds.holding import HERE, Kind, held
from kinds.making import GOOD, changed, damaged
from trainables import saved_network


def a_training(config: dict[str, Any] = GOOD) -> Any:
    """A small training that has run for an epoch."""
    import torch

    from trainables.config import Config
    from trainables.resident import Resident
    from trainables.training import Training

    torch.set_num_threads(1)
    resident = Resident(torch.zeros(32, 1, 8, 8, dtype=torch.uint8), torch.arange(32) % 2, 2)
    return Training(Config.from_json(config), resident, None, seed=0)


def checkpoints() -> Kind:
    """Checkpoints with bytes changed: what is read is what was written, or nothing."""
    import torch

    from trainables.files import Folder
    from trainables.worker import checkpoints
    from trainables.worker.checkpoints import CheckpointError

    training = a_training()
    training.run_segment()
    checkpoints.save(Folder(str(HERE)), "good.pt", training.state())
    good = (HERE / "good.pt").read_bytes()
    weights = [tensor.clone() for tensor in training.model.state_dict().values()]

    def test(data: bytes) -> None:
        (HERE / "bad.pt").write_bytes(data)
        state = held(lambda: checkpoints.load(Folder(str(HERE)), "bad.pt"), CheckpointError)  # a trial begins anew
        if state is None:
            return
        fresh = a_training()
        fresh.restore(state)
        found = fresh.model.state_dict().values()
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(weights, found, strict=True)), "another state"

    return damaged(good) | st.binary(max_size=300), test


def networks() -> Kind:
    """Networks on disk with bytes changed: what is read is what was written, or nothing."""
    import torch

    training = a_training()
    network = saved_network.Network(training.model, training.config, (1, 8, 8), ("a", "b"))
    good = saved_network.network_files(network)
    settings_ = json.loads(good["config.json"])

    def test(files: dict[str, bytes]) -> None:
        for name, data in (good | files).items():
            (HERE / name).write_bytes(data)
        found = held(lambda: saved_network.load_network(HERE), saved_network.NetworkError, OSError)
        if found and "crc32" in json.loads((HERE / "config.json").read_text()):
            ours, theirs = training.model.state_dict().values(), found.model.state_dict().values()
            assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)), "other weights"
            assert (found.config, found.classes) == (network.config, network.classes), "another configuration"

    return (
        damaged(good["model.safetensors"]).map(lambda data: {"model.safetensors": data})
        | damaged(good["config.json"]).map(lambda data: {"config.json": data})
        | changed(settings_).map(lambda data: {"config.json": json.dumps(data).encode()})
    ), test


def predictions() -> Kind:
    """Predictions with bytes changed."""
    from search.history import scores
    from search.history.load import read_search
    from trainables.predictions import PredictionsError

    path = next(Path("results", FINISHED, "retrain").glob("*/predictions.parquet"))
    good = path.read_bytes()
    found = read_search(Path("results"), FINISHED)
    runs = scores.tested(found.record)
    whole = found.retrains

    def test(data: bytes) -> None:
        path.write_bytes(data)
        try:
            read = held(lambda: (found.retrains, scores.classes(found.search.folder, runs)), PredictionsError)
            assert read is None or read[0].equals(whole), "other predictions"
        finally:
            path.write_bytes(good)

    return damaged(good) | st.binary(max_size=300), test
