"""NVIDIA's Multi-Process Service: when it is started, and what happens where it does not work."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from search.machines import mps

PIPES = "CUDA_MPS_PIPE_DIRECTORY"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a stand-in for the control program can be written; nothing else of that name is found."""
    monkeypatch.delenv(PIPES, raising=False)
    monkeypatch.setattr(mps, "_DEFAULT_PIPES", tmp_path / "nobody-started-one")
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in ("sh", "sleep", "touch", "cp", "rm"):
        (folder / program).symlink_to(shutil.which(program) or program)
    monkeypatch.setenv("PATH", str(folder))
    return folder / mps.CONTROL


def write(tool: Path, script: str) -> None:
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_is_started_where_no_gpu_is_shared(tool: Path, workers: int) -> None:
    with mps.sharing(workers) as found:
        assert found == (False, None) and PIPES not in os.environ


def test_it_can_be_switched_off(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_MPS", "0")
    with mps.sharing(16) as found:
        assert found == (False, None)


@pytest.fixture
def usable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU whose first use goes well."""
    monkeypatch.setattr(mps, "_FIRST_USE", "pass")


def test_a_service_of_somebody_else_is_used(tool: Path, usable: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PIPES, "/elsewhere")
    with mps.service() as trouble:
        assert trouble is None and os.environ[PIPES] == "/elsewhere"
    monkeypatch.setattr(mps, "_FIRST_USE", "raise SystemExit('CUDA error 805')")
    with mps.service() as trouble:
        assert trouble == f"the service of {PIPES}=/elsewhere does not work (CUDA error 805)"


def test_what_a_killed_service_left_is_not_taken_for_one(
    tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nobody-started-one").mkdir()
    (tmp_path / "nobody-started-one" / "control").touch()
    monkeypatch.setattr(mps, "_FIRST_USE", "raise SystemExit('CUDA error 805')")
    with mps.service() as trouble:
        assert trouble is not None and "not installed" in trouble
    monkeypatch.setattr(mps, "_FIRST_USE", "pass")
    with mps.service() as trouble:
        assert trouble is None


#: A service that notes its environment, and ends when it is told to.
WORKS = """if [ "$1" = -f ]; then
    echo "$CUDA_VISIBLE_DEVICES" > "$CUDA_MPS_PIPE_DIRECTORY/devices"
    cp "$CUDA_MPS_PIPE_DIRECTORY/devices" FOLDER/devices
    touch "$CUDA_MPS_PIPE_DIRECTORY/runs"
    while [ -e "$CUDA_MPS_PIPE_DIRECTORY/runs" ]; do sleep .02; done
    touch FOLDER/ended
else
    [ -e "$CUDA_MPS_PIPE_DIRECTORY/runs" ] || exit 1
    read -r command
    if [ "$command" = quit ]; then rm "$CUDA_MPS_PIPE_DIRECTORY/runs"; fi
fi"""


def test_a_service_runs_for_what_starts_within_and_ends_with_it(
    tool: Path, usable: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tool, WORKS.replace("FOLDER", str(tmp_path)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    with pytest.raises(KeyboardInterrupt), mps.sharing(8) as found:
        assert found == (True, "workers share the GPU (NVIDIA's MPS)")
        assert PIPES in os.environ and not (tmp_path / "ended").exists()
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"
        raise KeyboardInterrupt
    assert PIPES not in os.environ and (tmp_path / "ended").exists()
    assert (tmp_path / "devices").read_text() == "\n"  # it numbers all GPUs


def test_more_workers_than_it_serves_take_turns(tool: Path, usable: None) -> None:
    with mps.sharing(49) as found:
        assert found == (False, "workers take turns on the GPU: at most 48 can share one, and there are 49")


def test_without_the_program_workers_take_turns_and_the_line_says_why(tool: Path) -> None:
    with mps.sharing(16) as (shared, said):
        assert said is not None and said.startswith("workers take turns on the GPU: ") and "not installed" in said
        assert not shared


def test_a_service_that_ends_at_once_is_not_used(tool: Path) -> None:
    write(tool, "exit 3")
    with mps.sharing(16) as (shared, said):
        assert said is not None and "it ended with 3" in said and not shared
        assert PIPES not in os.environ


def test_a_service_that_serves_no_process_is_not_used_and_ends_at_once(
    tool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tool, WORKS.replace("FOLDER", str(tmp_path)))
    monkeypatch.setattr(mps, "_FIRST_USE", "raise SystemExit('CUDA error 805')")
    with mps.service() as trouble:
        assert trouble == f"{mps.CONTROL} does not work here (CUDA error 805)"
        assert PIPES not in os.environ and (tmp_path / "ended").exists()


def test_a_service_that_does_not_end_when_told_is_ended(
    tool: Path, usable: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = tmp_path / "ended"
    script = f'trap "touch {ended}; exit" TERM\n[ "$1" = -f ] || {{ read -r command; [ "$command" != quit ]; exit; }}\n'
    write(tool, script + "while :; do sleep .02; done")
    with mps.service() as trouble:
        assert trouble is None
    assert ended.exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_serves_what_starts_within() -> None:
    with mps.service() as trouble:
        assert trouble is None and PIPES in os.environ
    assert PIPES not in os.environ
