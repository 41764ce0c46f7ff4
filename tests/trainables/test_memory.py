import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch

from trainables.memory import memory_error

FAULTS = """
import resource, sys, torch
from trainables.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(20):
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)  # 64 MiB, 16,384 pages of 4 KiB, more than glibc keeps by itself
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how):
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_kept_memory_is_not_faulted_in_again():
    assert page_faults("keep") < page_faults("give back") / 10


@contextmanager
def capture():
    """As the end of a CUDA capture that failed: an error of its own over the one on its way."""
    try:
        yield
    finally:
        raise RuntimeError("CUDA error: operation failed due to a previous error during capture")


def test_a_capture_that_memory_ended_is_out_of_memory():
    with pytest.raises(RuntimeError, match="previous error") as caught, capture():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    assert memory_error(caught.value) == "CUDA out of memory. Tried to allocate 2.00 GiB"


def test_a_capture_that_something_else_ended_is_not():
    with pytest.raises(RuntimeError, match="previous error") as caught, capture():
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
    assert memory_error(caught.value) is None


def test_one_dnn_says_less_when_memory_ran_out_than_when_it_does_not_support_a_layer():
    assert memory_error(RuntimeError("could not create a primitive")) == "could not create a primitive"
    assert memory_error(RuntimeError("could not create a primitive descriptor for the matmul primitive")) is None


def test_an_error_without_text_is_named():
    assert memory_error(MemoryError()) == "MemoryError"
