"""The warm worker around a slot; no Ray runs here."""

from pathlib import Path
from typing import Any

import pytest

from tests.trainables.worker.test_slot import make_task
from trainables.data.images import Images
from trainables.files import Folder
from trainables.worker.actor import Place, Worker, versions
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
    with pytest.raises(RuntimeError, match=r"has hpsearch .* and the driver 99\.0: install the same"):
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
