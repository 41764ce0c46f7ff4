"""Repeats what cannot be read or written at the moment: a storage that is away is often back within a minute."""

import math
import time
from collections.abc import Callable
from typing import TypeVar

from architectures.errors import one_line
from trainables.files import is_full

WAITS = (5.0, 10.0, 20.0, 20.0, 20.0)
"""Seconds before each further attempt."""
_STEP = 0.1  # seconds at most between two signs of progress, of which a watchdog may expect one every few seconds

_Result = TypeVar("_Result")


class OutOfReachError(OSError):
    """Files could not be read or written in several attempts; one line says why."""


def patiently(attempt: Callable[[], _Result], progress: Callable[[], None] = lambda: None) -> _Result:
    """What `attempt` returns; it is called again after a while if it raises OSError.

    progress: called before each attempt, and again and again during a wait. A missing file and a full disk are raised
    at once, since waiting changes neither. Raises OutOfReachError after the last attempt.
    """
    why = ""
    for wait in (0.0, *WAITS):
        steps = math.ceil(wait / _STEP)
        for _ in range(steps):
            progress()
            time.sleep(wait / steps)
        progress()
        try:
            return attempt()
        except OSError as error:
            if isinstance(error, FileNotFoundError) or is_full(error):
                raise
            why = one_line(error)  # its text alone: the error's traceback holds this frame, and all that is passed on
    raise OutOfReachError(why)
