"""Processes that have this one's modules already, for tests that kill them."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import TextIO


@contextmanager
def forked(call: Callable[[], object]) -> Iterator[tuple[BaseProcess, TextIO]]:
    """A process that makes the call, and what it prints; killed at the end."""
    read, write = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(call, write))
    process.start()
    os.close(write)
    try:
        with os.fdopen(read, encoding="utf-8") as printed:
            yield process, printed
    finally:
        process.kill()
        process.join()


def _run(call: Callable[[], object], write: int) -> None:
    os.dup2(write, 1)
    sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8")
    call()
