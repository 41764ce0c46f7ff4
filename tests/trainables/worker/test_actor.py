"""The warm worker around a slot; no Ray runs here."""

import errno
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayTaskError

from tests.trainables.worker.test_slot import make_task
from trainables.data.images import Images
from trainables.files import Folder, is_full
from trainables.limits import UnfitError
from trainables.worker.actor import Far, Place, Worker, versions
from trainables.worker.task import Task


class LocalWorker(Worker):
    """The worker with its data given, as Ray would give them."""

    def setup(self, config: dict[str, Any]) -> None:
        super().setup(config["run"], **config["parts"])


def make(images: Images, folder: Path, task: Task, **more: Any) -> LocalWorker:
    parts = {"train": images, "validation": images.take(range(40)), "threads": 1, "device": "cpu"}
    parts |= {"precision": "float32", "place": Place(Folder(str(folder))), **more}
    return LocalWorker({"run": {"task": vars(task)}, "parts": parts})


def test_another_version_than_the_driver_s_is_refused(digits: Images, tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match=r"has hpsearch .* and the driver 99\.0: install the same"):
        make(digits, tmp_path, make_task(), versions={"hpsearch": "99.0"})


def test_a_worker_goes_from_task_to_task_says_so_and_checkpoints_lie_in_its_place(
    digits: Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    worker = make(digits, tmp_path, make_task(deadline=0.0), versions=versions(), show=shown.append)
    first = worker.step()
    assert (first["images"], first["checkpoint"]) == (320, "3-0-2-320.pt")
    assert worker.reset_config({"task": vars(make_task(attempt=3, resume_from=first["checkpoint"]))})
    assert worker.step()["images"] == 640
    assert shown == 2 * ["trial 3: cnn5, sgd 0.01"], "again at each step, as Ray gives the process another title"
    assert capsys.readouterr().out == 2 * "trial 3: cnn5, sgd 0.01\n", "once for each task, into the worker's log"
    assert Folder(str(tmp_path)).names() == ["3-0-2-320.pt"]


def test_a_worker_whose_machine_lacks_a_library_names_the_machine(
    digits: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(UnfitError, match=rf"{os.uname().nodename} cannot import what a worker needs: .*torch"):
        make(digits, tmp_path, make_task())


def test_an_error_of_the_driver_s_machine_is_the_same_for_a_worker_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_: Any) -> None:
        raised = OSError(errno.EDQUOT, "Disk quota exceeded")
        raise RayTaskError("Folder.write()", "Traceback …", raised).as_instanceof_cause()

    monkeypatch.setattr("ray.get", answer)
    with pytest.raises(OSError, match=r"^\[Errno \d+\] Disk quota exceeded$") as error:
        Far(SimpleNamespace(write=SimpleNamespace(remote=lambda *_: None))).write("a.pt", b"")  # type: ignore[arg-type]
    assert is_full(error.value)
