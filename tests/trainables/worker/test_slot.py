"""What a slot answers when memory, disk or progress fails it."""

import gc
import math
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from trainables import training
from trainables.data.images import Images
from trainables.files import Folder, SharedFolder
from trainables.limits import UnfitError
from trainables.worker import checkpoints, patience
from trainables.worker import slot as slots
from trainables.worker.checkpoints import Files
from trainables.worker.slot import Slot
from trainables.worker.task import Task

CNN5 = {"name": "cnn5", "width": 0.25}


def make(images: Images, files: Files | Path, task: Task, **more: Any) -> Slot:
    """A slot that has taken a task. files: its own, or a folder on this disk."""
    files = Folder(str(files)) if isinstance(files, Path) else files
    slot = Slot(files, train=images, validation=images.take(range(40)), device="cpu", precision="float32", **more)
    slot.begin(task)
    return slot


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


class Full(nn.Module):
    """Fails as if memory had run out in its first step."""

    made: ClassVar[list[weakref.ref[nn.Module]]] = []

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(256, num_classes)
        self.made.append(weakref.ref(self))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("could not create a primitive")


def full(num_classes: int) -> nn.Module:
    return Full(num_classes)


class Noting(nn.Module):
    """Notes in each forward pass by what the watchdog would then judge."""

    progress: ClassVar[Callable[[], object]]
    seen: ClassVar[list[object]] = []

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(256, num_classes)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self.seen.append(Noting.progress())
        return self.head(inputs.flatten(1))


def noting(num_classes: int) -> nn.Module:
    return Noting(num_classes)


@pytest.fixture
def uncollected() -> Iterator[None]:
    """No garbage collector, as between two of its runs: cycles are kept."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """This module as a user's own, where networks are looked for by name."""
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])


@pytest.mark.skipif(Path("/proc/sys/vm/overcommit_memory").read_text().strip() != "0", reason="overcommits always")
def test_a_batch_that_memory_is_too_small_for_is_answered_and_its_parts_are_trained(
    digits: Images, tmp_path: Path, own: None
) -> None:
    task = make_task({"name": "mine:greedy"}, batch_size=16, epochs=1)
    slot = make(digits, tmp_path, task)
    answer = slot.step()
    assert (answer["state"], answer.get("images"), answer["batch"]) == ("out of memory", None, 16)
    assert "can't allocate memory" in answer["reason"]
    slot.begin(replace(task, micro_batch=2))
    answer = slot.step()
    assert (answer["state"], answer["images"]) == ("done", len(digits))


@pytest.mark.parametrize(("fold", "batch"), [(None, 320), ((1, 2, 0), 160)])
def test_a_training_that_memory_was_too_small_for_leaves_it_to_the_next_one(
    digits: Images, tmp_path: Path, own: None, uncollected: None, fold: tuple[int, int, int] | None, batch: int
) -> None:
    slot = make(digits, tmp_path, make_task({"name": "mine:full"}, batch_size=2048, fold=fold))
    answer = slot.step()
    assert (answer["state"], answer["reason"]) == ("out of memory", "could not create a primitive")
    assert answer["batch"] == pytest.approx(batch, abs=5), "no more than its images"
    assert Full.made.pop()() is None


def test_a_checkpoint_is_continued_from_and_carries_its_attempt_in_its_name(digits: Images, tmp_path: Path) -> None:
    slot = make(digits, tmp_path, make_task(deadline=0.0))
    first = slot.step()
    assert first["checkpoint"] == "3-0-2-320.pt"
    again = make(digits, tmp_path, make_task(attempt=3, resume_from=first["checkpoint"]))
    continued, uninterrupted = again.step(), slot.step()
    assert continued["images"] == 640
    assert continued["val_loss"] == uninterrupted["val_loss"]


@pytest.mark.parametrize("damage", ["cut", "garbage", "other network", "other parts", "gone"])
def test_an_unreadable_checkpoint_is_answered(digits: Images, tmp_path: Path, damage: str) -> None:
    name = make(digits, tmp_path, make_task(deadline=0.0)).step()["checkpoint"]
    path = tmp_path / name
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif damage == "garbage":
        path.write_bytes(b"garbage")
    elif damage == "other parts":
        folder = Folder(str(tmp_path))
        checkpoints.save(folder, name, checkpoints.load(folder, name) | {"optimizer": 5})
    elif damage == "gone":
        path.unlink()
    other = {"name": "cnn5", "width": 0.5} if damage == "other network" else CNN5
    answer = make(digits, tmp_path, make_task(other, attempt=3, resume_from=name)).step()
    assert answer["state"] == "unreadable"
    assert name in answer["reason"]


def test_a_full_disk_leaves_the_measurement_and_says_so(digits: Images) -> None:
    slot = make(digits, FullDisk(), make_task(deadline=0.0))
    answer = slot.step()
    assert (answer["state"], answer["images"], answer["checkpoint"]) == ("running", 320, None)
    assert "No space left" in answer["full"]


def test_a_trained_network_that_cannot_be_written_is_not_done(digits: Images) -> None:
    slot = make(digits, FullDisk(), make_task(epochs=1, weights=True))
    answer = slot.step()
    assert (answer["state"], answer.get("images")) == ("interrupted", None)
    assert "No space left" in answer["full"]


def test_a_storage_that_is_back_soon_costs_nothing(
    digits: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.0, 0.0))
    slot = make(digits, tmp_path, make_task(deadline=0.0))
    name = slot.step()["checkpoint"]
    away = Away(Folder(str(tmp_path)), attempts=2)
    again = make(digits, away, make_task(attempt=3, resume_from=name, weights=True))
    answer = again.step()
    assert (answer["state"], answer["val_loss"]) == ("done", slot.step()["val_loss"])
    assert (tmp_path / "3-0-3+model.safetensors").exists()


def test_a_checkpoint_in_a_storage_that_stays_away_is_no_failure_of_the_configuration(
    digits: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.0, 0.0))
    name = make(digits, tmp_path, make_task(deadline=0.0)).step()["checkpoint"]
    slot = make(digits, Away(Folder(str(tmp_path)), attempts=3), make_task(attempt=3, resume_from=name))
    answer = slot.step()
    assert (answer["state"], answer.get("images")) == ("interrupted", None)
    assert answer["reason"] == "its files cannot be read: no route to host"
    assert slot.step()["images"] == 640, "the slot trains on"


def test_a_trained_network_that_is_refused_says_why(digits: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", ())
    files = Away(Folder(""), attempts=1)
    answer = make(digits, files, make_task(epochs=1, weights=True)).step()
    assert (answer["state"], answer.get("full")) == ("interrupted", None)
    assert answer["reason"] == "its network cannot be written: no route to host"


def test_a_trained_network_is_written_under_its_attempt(digits: Images, tmp_path: Path) -> None:
    assert make(digits, tmp_path, make_task(epochs=1, weights=True)).step()["state"] == "done"
    assert Folder(str(tmp_path)).names() == ["3-0-2+config.json", "3-0-2+model.safetensors"]


def test_a_retrain_that_diverges_in_its_last_step_leaves_no_network(digits: Images, tmp_path: Path) -> None:
    slot = Slot(Folder(str(tmp_path)), train=digits, validation=None, device="cpu", precision="float32")
    task = make_task(batch_size=320, epochs=1, weights=True)
    for lr, state in ((1e30, "diverged"), (0.01, "done")):
        slot.begin(replace(task, config={**task.config, "optimizer": {"name": "sgd", "lr": lr}}))
        answer = slot.step()
        assert (answer["state"], math.isfinite(answer["train_loss"])) == (state, True)
        assert bool(Folder(str(tmp_path)).names()) == (state == "done")


class SlowDisk:
    """A disk on which a write takes a while."""

    seconds = 2.0

    def write(self, name: str, data: bytes | memoryview) -> None:
        time.sleep(self.seconds)

    def read(self, name: str) -> bytes:
        raise FileNotFoundError(name)


class Away:
    """A place that does not answer the first so many attempts of each kind."""

    def __init__(self, files: Folder, *, attempts: int) -> None:
        self.files = files
        self.left = {"read": attempts, "write": attempts}

    def write(self, name: str, data: bytes | memoryview) -> None:
        self._try("write")
        self.files.write(name, data)

    def read(self, name: str) -> bytes:
        self._try("read")
        return self.files.read(name)

    def _try(self, what: str) -> None:
        if self.left[what]:
            self.left[what] -= 1
            raise OSError("no route to host")


class Silent:
    """A place that does not answer, which takes a while."""

    seconds = 1.0
    attempts = 0

    def write(self, name: str, data: bytes | memoryview) -> None:
        self.attempts += 1
        time.sleep(self.seconds)
        raise OSError("no route to host")

    def read(self, name: str) -> bytes:
        raise FileNotFoundError(name)


class FullDisk:
    """A disk with no room, which takes root and a mount to make; `make chaos` does."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        raise OSError(28, "No space left on device")

    def read(self, name: str) -> bytes:
        raise FileNotFoundError(name)


def test_a_shared_folder_that_is_not_mounted_is_no_missing_checkpoint_and_gets_no_network(
    digits: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "WAITS", ())
    shared, home = tmp_path / "shared", Folder(str(tmp_path / "shared"))
    home.write("sign", b"")
    files = SharedFolder(str(shared / "checkpoints"), home, "sign")
    name = make(digits, files, make_task(deadline=0.0)).step()["checkpoint"]
    assert make(digits, files, make_task(resume_from="3-0-1-9.pt")).step()["state"] == "unreadable"
    shared.rename(tmp_path / "away")
    answer = make(digits, files, make_task(attempt=3, resume_from=name)).step()
    assert answer["state"] == "interrupted" and "is not the folder that the machines share" in answer["reason"]
    answer = make(digits, files, make_task(epochs=1, weights=True)).step()
    assert answer["state"] == "interrupted" and answer["reason"].startswith("its network cannot be written: ")
    assert not shared.exists()


@pytest.mark.parametrize(("gigabytes", "sharers"), [(0.95, 1), (12, 13)])
def test_a_part_of_a_gpu_in_which_nothing_fits_is_a_fault_of_the_machine(
    digits: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gigabytes: float, sharers: int
) -> None:
    properties = SimpleNamespace(total_memory=gigabytes * 1e9)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _: properties)
    with pytest.raises(UnfitError, match=rf"has a GPU of .* GB, which is too little for {sharers} at a time"):
        make(digits, tmp_path, make_task(), sharers=sharers)


STUCK = """
import sys, time
from pathlib import Path
from tests.trainables.worker.test_slot import make, make_task
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


def test_every_part_of_a_batch_is_progress(
    digits: Images, tmp_path: Path, own: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watchdog(seconds: float, progress: Callable[[], object], end: object) -> SimpleNamespace:
        monkeypatch.setattr(Noting, "progress", staticmethod(progress), raising=False)
        return SimpleNamespace(watching=nullcontext)

    monkeypatch.setattr(slots, "Watchdog", watchdog)
    monkeypatch.setattr(training, "EVALUATION_BATCH", 40)
    task = make_task({"name": "mine:noting"}, epochs=1, micro_batch=8, fold=(1, 2, 0))
    slot = make(digits, tmp_path, replace(task, calibrate=(task.config,)), timeout=9.0)
    for least in (6, 20 + 5 + 4):  # steps; parts in training, in validation and when the fold is predicted
        Noting.seen.clear()
        assert slot.step()["state"] in ("calibrated", "done")
        assert len(Noting.seen) >= least
        assert len(set(Noting.seen)) == len(Noting.seen)


WAITING = """
import sys
from pathlib import Path
from tests.trainables.worker.test_slot import Away, make, make_task
from trainables.data.load import load
from trainables.files import Folder
from trainables.worker import patience

patience.WAITS = (12.0,)
images = load("digits", "train", data_dir=Path(sys.argv[1]) / "data").take(range(100))
files = Away(Folder(sys.argv[1]), attempts=1)
print(make(images, files, make_task(epochs=1, weights=True), timeout=8.0).step()["state"])
"""


@pytest.mark.slow
def test_a_wait_for_a_storage_that_is_away_is_no_hang(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WAITING, tmp_path]
    done = subprocess.run(command, cwd=root, timeout=100, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_a_wait_shows_progress_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.35,))
    attempts, signs = iter([OSError("no route to host"), None]), []

    def attempt() -> None:
        if error := next(attempts):
            raise error

    patience.patiently(attempt, lambda: signs.append(1))
    assert len(signs) == 2 + 4, "one for each attempt, and one for each tenth of a second"


def test_what_an_attempt_that_failed_held_is_free_after_the_next(
    monkeypatch: pytest.MonkeyPatch, uncollected: None
) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.0,))
    attempts, held = iter([True, False]), []

    def attempt() -> None:
        network = nn.Identity()
        held.append(weakref.ref(network))
        if next(attempts):
            raise OSError("no route to host")

    patience.patiently(attempt)
    assert [each() for each in held] == [None, None]


def test_reading_a_checkpoint_of_another_kind_runs_no_code(digits: Images, tmp_path: Path) -> None:
    checkpoints.save(Folder(str(tmp_path)), "a.pt", {"images": 1})
    assert make(digits, tmp_path, make_task(resume_from="a.pt")).step()["state"] == "unreadable"


def test_a_run_that_may_pause_leaves_a_checkpoint_at_every_mark_and_at_no_other_end(
    digits: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "CHECKPOINT_SHARE", 0.0)  # none pays for itself
    slot = make(digits, tmp_path, make_task(marks=(0.5, 1.5), pauses=True))
    found = [(answer["images"], answer["checkpoint"]) for answer in (slot.step() for _ in range(4))]
    assert found == [(160, "3-0-2-160.pt"), (320, None), (480, "3-0-2-480.pt"), (640, None)]


def test_a_run_that_cannot_pause_leaves_no_checkpoint_that_does_not_pay(
    digits: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "CHECKPOINT_SHARE", 0.0)
    slot = make(digits, tmp_path, make_task(marks=(0.5,)))
    assert [slot.step()["checkpoint"] for _ in range(3)] == [None] * 3


def test_a_checkpoint_is_due_once_it_costs_its_share_of_the_training_on_this_disk(
    digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "CHECKPOINT_SHARE", 1.0)
    slow = SlowDisk()
    slot = make(digits, slow, make_task(epochs=4))
    assert slot.step()["checkpoint"] == "3-0-2-320.pt", "by the first guess the disk is fast"
    assert slow.seconds > 0
    slow.seconds *= 2  # what it really takes does not matter now: the first one was measured
    assert slot.step()["checkpoint"] is None, "an epoch takes less time than a checkpoint"


def test_a_checkpoint_that_fails_after_a_while_is_tried_again_only_once_training_has_made_up_for_it(
    digits: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_DISK_BYTES_PER_SECOND", 1e12)
    silent = Silent()
    slot = make(digits, silent, make_task(epochs=4))
    for task in (make_task(epochs=4), make_task(attempt=3)):
        slot.begin(task)
        assert [slot.step()["checkpoint"] for _ in range(2)] == [None, None]
    assert silent.attempts == 1
    silent.seconds = 0.0
    slot.begin(make_task(attempt=4, deadline=0.0))
    assert slot.step()["checkpoint"] is None and silent.attempts == 2, "the last chance before a pause"


def test_nothing_of_one_task_is_left_when_the_next_begins(digits: Images, tmp_path: Path) -> None:
    slot = make(digits, tmp_path, make_task())
    first = slot.step()["val_loss"]
    slot.begin(make_task(attempt=3))
    assert slot.step()["val_loss"] == first
    fresh = make(digits, tmp_path, make_task({"name": "cnn5", "width": 0.5}, attempt=4)).step()["val_loss"]
    slot.begin(make_task({"name": "cnn5", "width": 0.5}, attempt=4))
    assert slot.step()["val_loss"] == fresh
