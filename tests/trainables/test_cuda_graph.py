"""What a capture says when it fails; no GPU is needed for that."""

import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest
import torch

from trainables.cuda_graph import Captured, CaptureMemoryError, memory_errors
from trainables.memory import memory_error


def capture(monkeypatch: pytest.MonkeyPatch, error: Exception) -> Captured:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(torch.cuda, "Stream", fail)
    return Captured(lambda inputs, labels: None, torch.zeros(2), torch.zeros(2))


def test_memory_that_is_too_small_for_a_graph_has_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cause = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    with pytest.raises(CaptureMemoryError, match="Tried to allocate") as raised:
        capture(monkeypatch, cause)
    assert memory_error(raised.value) == str(cause)


def test_memory_is_free_again_once_nothing_refers_to_the_error() -> None:
    held: list[weakref.ref[torch.nn.Module]] = []

    def capture() -> None:
        network = torch.nn.Identity()
        held.append(weakref.ref(network))
        with memory_errors():
            raise torch.OutOfMemoryError(f"CUDA out of memory in {network}")

    gc.disable()
    with suppress(CaptureMemoryError):
        capture()
    gc.enable()
    assert held[0]() is None


def test_another_error_of_a_capture_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="not permitted") as raised:
        capture(monkeypatch, RuntimeError("operation not permitted when stream is capturing"))
    assert not isinstance(raised.value, CaptureMemoryError)
