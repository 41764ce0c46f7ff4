"""What a worker answers when memory, disk or progress fails it; no Ray runs here."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from trainables.data.images import Images
from trainables.files import Folder
from trainables.worker import checkpoints
from trainables.worker.actor import Place, Worker
from trainables.worker.task import Task
from trainables.worker.watchdog import Watchdog

CNN5 = {"name": "cnn5", "width": 0.25}


class LocalWorker(Worker):
    """The worker with its data given, as Ray would give them."""

    def setup(self, config: dict[str, Any]) -> None:
        super().setup(config["run"], **config["parts"])


def make(images: Images, folder: Path, task: Task, **more: Any) -> LocalWorker:
    parts = {"train": images, "validation": images.take(range(40)), "threads": 1, "device": "cpu"}
    parts |= {"precision": "float32", "place": Place(Folder(str(folder))), **more}
    return LocalWorker({"run": {"task": vars(task)}, "parts": parts})


def make_task(network: dict[str, Any] = CNN5, *, batch_size: int = 32, epochs: int = 2, **more: Any) -> Task:
    config = {
        "network": network,
        "optimizer": {"name": "sgd", "lr": 0.01},
        "training": {"batch_size": batch_size, "epochs": epochs, "augment": "none"},
    }
    return Task(**{"trial": 3, "repeat": 0, "attempt": 2, "config": config, "seed": 0, "resume_from": None} | more)


class Greedy(nn.Module):
    """Asks for as much address space an image as this machine has memory for ten."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(256, num_classes)
        self.bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        torch.empty(len(inputs) * self.bytes, dtype=torch.uint8)
        return self.head(inputs.flatten(1))


def greedy(num_classes: int) -> nn.Module:
    return Greedy(num_classes)


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """This module as a user's own, where networks are looked for by name."""
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])


@pytest.mark.skipif(Path("/proc/sys/vm/overcommit_memory").read_text().strip() != "0", reason="overcommits always")
def test_a_batch_that_memory_is_too_small_for_is_answered_and_its_parts_are_trained(
    digits: Images, tmp_path: Path, own: None
) -> None:
    task = make_task({"name": "mine:greedy"}, batch_size=16, epochs=1)
    worker = make(digits, tmp_path, task)
    answer = worker.step()
    assert (answer["state"], answer.get("images")) == ("out of memory", None)
    assert "can't allocate memory" in answer["reason"]
    worker.reset_config({"task": vars(task) | {"micro_batch": 2}})
    answer = worker.step()
    assert (answer["state"], answer["images"]) == ("done", len(digits))


def test_a_checkpoint_is_continued_from_and_carries_its_attempt_in_its_name(digits: Images, tmp_path: Path) -> None:
    worker = make(digits, tmp_path, make_task(deadline=0.0))
    first = worker.step()
    assert first["checkpoint"] == "3-0-2-320.pt"
    again = make(digits, tmp_path, make_task(attempt=3, resume_from=first["checkpoint"]))
    assert again.step()["images"] == 640
    assert worker.step()["val_loss"] == again._training._validate()[0]


@pytest.mark.parametrize("damage", ["cut", "garbage", "other network", "gone"])
def test_an_unreadable_checkpoint_is_answered(digits: Images, tmp_path: Path, damage: str) -> None:
    name = make(digits, tmp_path, make_task(deadline=0.0)).step()["checkpoint"]
    path = tmp_path / name
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "garbage":
        path.write_bytes(b"garbage")
    elif damage == "gone":
        path.unlink()
    other = {"name": "cnn5", "width": 0.5} if damage == "other network" else CNN5
    answer = make(digits, tmp_path, make_task(other, attempt=3, resume_from=name)).step()
    assert answer["state"] == "unreadable"
    assert name in answer["reason"]


def test_a_full_disk_leaves_the_measurement_and_says_so(digits: Images, tmp_path: Path) -> None:
    worker = make(digits, tmp_path, make_task(deadline=0.0))
    worker._files = FullDisk()
    answer = worker.step()
    assert (answer["state"], answer["images"], answer["checkpoint"]) == ("running", 320, None)
    assert "No space left" in answer["full"]


def test_a_trained_network_that_cannot_be_written_is_not_done(digits: Images, tmp_path: Path) -> None:
    worker = make(digits, tmp_path, make_task(epochs=1, weights=True))
    worker._files = FullDisk()
    answer = worker.step()
    assert (answer["state"], answer.get("images")) == ("interrupted", None)
    assert "No space left" in answer["full"]


def test_a_trained_network_is_written_under_its_attempt(digits: Images, tmp_path: Path) -> None:
    assert make(digits, tmp_path, make_task(epochs=1, weights=True)).step()["state"] == "done"
    assert Folder(str(tmp_path)).names() == ["3-0-2+config.json", "3-0-2+model.safetensors"]


class FullDisk:
    """A disk with no room, which takes root and a mount to make; `make chaos` does."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        raise OSError(28, "No space left on device")

    def read(self, name: str) -> bytes:
        raise FileNotFoundError(name)


STUCK = """
import sys, time
from pathlib import Path
from tests.trainables.worker.test_actor import make, make_task
from trainables.data.load import load
import trainables.training

def run_segment(self):
    self.images += 1
    time.sleep(60)

trainables.training.Training.run_segment = run_segment
images = load("digits", "train", data_dir=Path(sys.argv[1]) / "data").take(range(100))
make(images, Path(sys.argv[1]), make_task(), timeout=0.5).step()
"""


def test_a_worker_without_progress_ends_itself_and_says_why(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", STUCK, tmp_path], cwd=root, timeout=50, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert time.monotonic() - began < 40
    assert (tmp_path / "3-0-2.reason").read_text().startswith("no progress for 0.5 s, in <string>, line")


def test_a_watchdog_lets_progress_and_idleness_pass() -> None:
    ended: list[str] = []
    state = {"images": 0}
    watchdog = Watchdog(0.2, lambda: state["images"], ended.append)
    with watchdog.watching():
        for _ in range(10):
            time.sleep(0.06)
            state["images"] += 1
    time.sleep(0.5)
    assert ended == []
    with watchdog.watching():
        time.sleep(0.5)
    assert len(ended) == 1


def test_another_version_than_the_driver_s_is_refused(digits: Images, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"has hpsearch .* and the driver 99\.0: install the same"):
        make(digits, tmp_path, make_task(), versions={"hpsearch": "99.0"})


def test_reading_a_checkpoint_of_another_kind_runs_no_code(digits: Images, tmp_path: Path) -> None:
    checkpoints.save(Folder(str(tmp_path)), "a.pt", {"images": 1})
    assert make(digits, tmp_path, make_task(resume_from="a.pt")).step()["state"] == "unreadable"
