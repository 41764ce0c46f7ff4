"""A retrained network on disk rebuilds itself, and its test pass says what it predicts."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics import balanced_accuracy_score
from torch import nn

from architectures.build import build
from architectures.families import make_network
from trainables import files, saved_network
from trainables.augment import normalise
from trainables.config import Config
from trainables.data.images import Images
from trainables.predictions import PredictionsError, read_predictions
from trainables.resident import Resident
from trainables.training import Training, evaluate

CONFIG = Config.from_json(
    {
        "network": {"name": "cnn5", "width": 0.25, "norm": "everywhere", "head_widths": [32]},
        "optimizer": {"name": "adam", "lr": 0.01},
        "training": {"batch_size": 32, "epochs": 1, "augment": "none"},
    }
)


def save_network(folder: Path, network: saved_network.Network) -> None:
    for name, data in saved_network.network_files(network).items():
        files.write(folder / name, data)


@pytest.fixture(scope="module")
def resident(digits: Images) -> Resident:
    return Resident.of(digits, "cpu")


@pytest.fixture(scope="module")
def network(digits: Images, resident: Resident) -> saved_network.Network:
    training = Training(CONFIG, resident, None, seed=0)
    training.run_segment()
    return saved_network.Network(training.model, CONFIG, digits.shape, digits.classes)


@pytest.fixture
def folder(tmp_path: Path, network: saved_network.Network) -> Path:
    save_network(tmp_path / "0-0", network)
    return tmp_path / "0-0"


def test_a_saved_network_rebuilds_the_same_logits(
    folder: Path, network: saved_network.Network, resident: Resident
) -> None:
    loaded = saved_network.load_network(folder)
    assert (loaded.config, loaded.shape, loaded.classes) == (network.config, network.shape, network.classes)
    ours, theirs = (
        torch.cat([logits for logits, _ in evaluate(model, resident, "float32")])
        for model in (network.model, loaded.model)
    )
    assert torch.equal(ours, theirs)


def test_a_loaded_network_is_ready_to_predict(folder: Path, network: saved_network.Network, resident: Resident) -> None:
    model = saved_network.load_network(folder).model
    with torch.no_grad():
        logits = [model(normalise(resident.pixels[:8])) for _ in range(2)]
    ((expected, _),) = evaluate(network.model, resident.first(8), "float32")
    assert torch.equal(logits[0], expected) and torch.equal(logits[1], expected)


def test_what_rebuilds_a_network_is_plain_json(folder: Path, digits: Images) -> None:
    settings = json.loads((folder / "config.json").read_text())
    assert settings["config"] == CONFIG.to_json()
    assert settings["input_shape"] == [1, 16, 16]
    assert settings["classes"] == list(digits.classes)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_test_pass_writes_every_prediction(
    folder: Path, digits: Images, resident: Resident, network: saved_network.Network
) -> None:
    correct, balanced = saved_network.test_pass(network, folder, resident, "float32")
    table = pq.read_table(folder / "predictions.parquet")
    assert table.column_names == ["index", "label", "probabilities"]
    assert table["index"].to_pylist() == list(range(len(digits)))
    assert table["label"].to_pylist() == digits.labels.tolist()
    probabilities = np.array(table["probabilities"].to_pylist())
    assert probabilities.shape == (len(digits), len(digits.classes))
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == digits.labels).sum() == correct
    assert balanced == pytest.approx(balanced_accuracy_score(digits.labels, probabilities.argmax(axis=1)))
    assert correct > len(digits) / 5  # guessing would be a tenth


def test_predictions_are_read_back_with_their_classes(
    folder: Path, digits: Images, resident: Resident, network: saved_network.Network
) -> None:
    correct, _ = saved_network.test_pass(network, folder, resident, "float32")
    labels, probabilities, classes = read_predictions(folder)
    expected = torch.cat([logits.softmax(1) for logits, _ in evaluate(network.model, resident, "float32")])
    assert np.array_equal(labels, digits.labels)
    assert np.array_equal(probabilities, expected.numpy())
    assert classes == digits.classes
    assert (probabilities.argmax(axis=1) == labels).sum() == correct


@pytest.mark.parametrize("flips", [False, True])
def test_where_memory_is_small_fewer_images_are_predicted_at_a_time(
    resident: Resident, network: saved_network.Network, flips: bool
) -> None:
    labels, expected = saved_network.predict(network.model, resident, "float32", flips=flips)
    small = Small(network.model)
    same, found = saved_network.predict(small, resident, "float32", flips=flips)
    assert np.array_equal(same, labels)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert max(small.fitted) <= 100 < len(resident)


def test_each_further_attempt_takes_fewer_images_than_the_one_before(network: saved_network.Network) -> None:
    images = Resident(torch.zeros(40, 1, 224, 224, dtype=torch.uint8), torch.zeros(40, dtype=torch.int64), 10)
    small = Small(nn.Sequential(nn.Flatten(), nn.Linear(224 * 224, 10)), room=3)
    saved_network.predict(small, images, "float32")
    assert small.tried == [10, 5, *[2] * 20]


def test_memory_that_is_too_small_for_one_image_is_an_error(resident: Resident, network: saved_network.Network) -> None:
    with pytest.raises(MemoryError):
        saved_network.predict(Small(network.model, room=0), resident, "float32")


class Small(nn.Module):
    """A network on a device whose memory holds so many images at a time."""

    def __init__(self, model: nn.Module, room: int = 100) -> None:
        super().__init__()
        self.model, self.room, self.fitted, self.tried = model, room, set[int](), list[int]()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.tried.append(len(inputs))
        if len(inputs) > self.room:
            raise MemoryError
        self.fitted.add(len(inputs))
        return self.model(inputs)


def test_a_users_own_module_is_saved_and_rebuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"own_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(
        "from torch import nn\n"
        "def make(input_shape, num_classes, *, hidden):\n"
        "    return nn.Sequential(\n"
        "        nn.Flatten(), nn.Linear(input_shape[1] ** 2, hidden), nn.Linear(hidden, num_classes)\n"
        "    )\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = Config.from_json(CONFIG.to_json() | {"network": {"name": f"{name}:make", "hidden": 5}})
    images = Resident(torch.zeros(4, 1, 6, 6, dtype=torch.uint8), torch.zeros(4, dtype=torch.int64), 3)
    training = Training(config, images, None, seed=0)
    save_network(tmp_path / "saved", saved_network.Network(training.model, config, (1, 6, 6), ("a", "b", "c")))
    with pytest.raises(saved_network.NetworkError, match=f"'{name}:make', which is run"):
        saved_network.load_network(tmp_path / "saved")
    loaded = saved_network.load_network(tmp_path / "saved", run_own_code=True).model
    x = torch.rand(2, 1, 6, 6)
    assert torch.equal(loaded(x), training.model(x))


def change(file: Path, **changes: object) -> None:
    """Change a config.json as 0.1.0 would have written it, without a checksum."""
    settings = json.loads(file.read_text()) | changes
    del settings["crc32"]
    file.write_text(json.dumps(settings))


def flip(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def other_weights(file: Path) -> None:
    save_file({"weight": torch.zeros(2)}, file)
    change(file.with_name("config.json"))


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("model.safetensors", flip, "checksum differs"),
        ("model.safetensors", lambda file: file.write_bytes(pickle.dumps(1)), "checksum differs"),
        ("model.safetensors", other_weights, "no network that can be rebuilt: RuntimeError"),
        (
            "config.json",
            lambda file: file.write_text(file.read_text().replace("everywhere", "none")),
            "checksum differs",
        ),
        ("config.json", lambda file: file.write_text("{"), "describes no network: JSONDecodeError"),
        ("config.json", lambda file: file.write_text("[]"), "describes no network"),
        ("config.json", lambda file: file.write_text("[" * 100_000), "describes no network"),
        ("config.json", lambda file: change(file, config={}), "lacks 'network'"),
        ("config.json", lambda file: change(file, input_shape=3), "describes no network"),
        ("config.json", lambda file: change(file, input_shape=["x"]), "no network that can be rebuilt"),
        ("config.json", lambda file: change(file, classes=["a"]), "no network that can be rebuilt"),
    ],
)
def test_a_network_that_is_damaged_is_refused_in_one_line(
    folder: Path, name: str, damage: Callable[[Path], object], message: str
) -> None:
    damage(folder / name)
    with pytest.raises(saved_network.NetworkError, match=message) as caught:
        saved_network.load_network(folder)
    assert "\n" not in str(caught.value)


def test_a_network_of_the_first_version_has_no_checksum(folder: Path) -> None:
    change(folder / "config.json")
    assert saved_network.load_network(folder).config == CONFIG


def flip_a_probability(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    "damage", [lambda file: file.write_bytes(b"PAR1"), lambda file: file.write_bytes(b""), flip_a_probability]
)
def test_predictions_that_are_damaged_are_refused_in_one_line(
    folder: Path, resident: Resident, network: saved_network.Network, damage: Callable[[Path], object]
) -> None:
    saved_network.test_pass(network, folder, resident, "float32")
    damage(folder / "predictions.parquet")
    with pytest.raises(PredictionsError, match=r"predictions\.parquet") as caught:
        read_predictions(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "columns",
    [
        {"label": [0, 1]},
        {"label": [0, 1], "probabilities": [[0.5, 0.5], [1.0]]},
        {"label": [0, 7], "probabilities": [[0.5, 0.5], [1.0, 0.0]]},
        {"label": [0, 1], "probabilities": [["a", "b"], ["c", "d"]]},
        {"label": ["a", "b"], "probabilities": [[0.5, 0.5], [1.0, 0.0]]},
        {"label": [0, None], "probabilities": [[0.5, 0.5], [1.0, 0.0]]},
    ],
)
def test_a_table_that_holds_no_predictions_is_refused(tmp_path: Path, columns: dict[str, Any]) -> None:
    table = pa.table(columns).replace_schema_metadata({"classes": '["cat", "dog"]'})
    pq.write_table(table, tmp_path / "predictions.parquet")
    with pytest.raises(PredictionsError, match=r"holds no predictions"):
        read_predictions(tmp_path)


def test_a_network_that_began_with_the_weights_of_a_file_is_loaded_without_that_file(tmp_path: Path) -> None:
    network = {"name": "resnet50", "weights": "/no/such/file.pth", "size": 32}
    config = Config.from_json({"network": network, "optimizer": {"name": "sgd", "lr": 0.1}})
    model = build(make_network("resnet50", config.network.hyperparameters, (1, 16, 16), 2), (1, 16, 16), 2)
    save_network(tmp_path, saved_network.Network(model, config, (1, 16, 16), ("a", "b")))
    loaded = saved_network.load_network(tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(loaded.model.parameters(), model.parameters(), strict=True))
