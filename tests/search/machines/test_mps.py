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
    for program in ("sh", "sleep", "touch"):
        (folder / program).symlink_to(shutil.which(program) or program)
    monkeypatch.setenv("PATH", str(folder))
    return folder / mps.CONTROL


def write(tool: Path, script: str) -> None:
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_is_started_where_no_gpu_is_shared(tool: Path, workers: int) -> None:
    with mps.sharing(workers) as said:
        assert said is None and PIPES not in os.environ


def test_it_can_be_switched_off(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_MPS", "0")
    with mps.sharing(16) as said:
        assert said is None


def test_a_service_of_somebody_else_is_used(tool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PIPES, "/elsewhere")
    with mps.service() as trouble:
        assert trouble is None and os.environ[PIPES] == "/elsewhere"


def test_without_the_program_workers_take_turns_and_the_line_says_why(tool: Path) -> None:
    with mps.sharing(16) as said:
        assert said is not None and said.startswith("workers take turns on the GPU: ") and "not installed" in said


def test_a_service_that_ends_at_once_is_not_used(tool: Path) -> None:
    write(tool, "exit 3")
    with mps.sharing(16) as said:
        assert said is not None and "it ended with 3" in said
        assert PIPES not in os.environ


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_service_that_serves_no_process_is_not_used_and_ends(tool: Path, tmp_path: Path) -> None:
    ended = tmp_path / "ended"
    write(tool, f'[ "$1" = -f ] || exit 0\ntrap "touch {ended}; exit" TERM\nwhile :; do sleep .02; done')
    mps_seconds = mps._SECONDS
    try:
        mps._SECONDS = 1
        with mps.service() as trouble:
            assert trouble is not None and "does not work here" in trouble
            assert PIPES not in os.environ
    finally:
        mps._SECONDS = mps_seconds
    assert ended.exists()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_it_serves_what_starts_within() -> None:
    with mps.service() as trouble:
        assert trouble is None and PIPES in os.environ
    assert PIPES not in os.environ
