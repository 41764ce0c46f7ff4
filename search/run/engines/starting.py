"""Whether a session's workers start at all: one that gets none ends within a minute, and says why."""

import time
from typing import Any

import ray

from search.machines.machine import Machine, StartError

FAILURES = 3  # to start, after which no worker is expected any more
LOOK_SECONDS = 20.0  # without a worker, after which a process is asked whether it starts
MOST_SECONDS = 50.0  # without a worker, after which that process must have answered


class Starting:
    """Watches over a session until its first worker has started."""

    def __init__(self, here: Machine) -> None:
        self._is_local = here.address is None  # a machine may join a cluster later
        self._has_worker = False
        self._failures = 0
        self._began = time.monotonic()
        self._asked: Any = None

    def started(self) -> None:
        """A worker has started."""
        self._has_worker = True

    def failed(self, reason: str) -> None:
        """A worker has failed, for this reason; raises StartError when so many have and none has ever started."""
        self._failures += not self._has_worker
        if self._failures >= FAILURES:
            raise StartError(f"no worker starts here ({reason}); hpsearch doctor says what there is")

    def look(self) -> None:
        """Raise StartError when no process of Ray's has started in time.

        A worker that has a process may take minutes, as it imports torch. So a process that imports nothing is asked.
        """
        if self._has_worker or not self._is_local:
            return
        waited = time.monotonic() - self._began
        if waited > LOOK_SECONDS and self._asked is None:
            self._asked = _ask()
        if waited > MOST_SECONDS and not ray.wait([self._asked], timeout=0)[0]:
            raise StartError(
                f"no worker starts here: Ray has started no process in {MOST_SECONDS:.0f} s, and its log in "
                "/tmp/ray/session_latest/logs may say why"
            )


def _ask() -> Any:
    # A function in a function travels as its code, so that the process need not import this module.
    @ray.remote(num_cpus=0, max_retries=0)
    def answer() -> None:
        return None

    return answer.remote()
