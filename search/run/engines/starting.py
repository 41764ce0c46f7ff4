"""Checks that a session's workers start: if none does, the session ends within a minute and says why.

On a slow machine a worker may take minutes to start, as it imports torch. So a long wait alone is no failure: it is one
if the processes of this session's Ray are idle meanwhile, which importing processes are not.
"""

from collections import deque
from collections.abc import Callable

from search.machines.machine import StartError

FAILURES = 3  # to start, after which no worker is expected to start any more
STILL = 40  # looks, one per second, that are kept
BUSY_SHARE = 0.5  # of them must have seen a busy process; when nothing happens, about a tenth do
MOST = 600  # looks after which no worker is expected to start, even if processes are busy


class Starting:
    """Watches over a session until its first worker has started."""

    def __init__(self, is_busy: Callable[[], bool], last_error: Callable[[], str | None]) -> None:
        """is_busy: whether one of Ray's processes is busy now. last_error: the last error that they wrote, if any."""
        self._is_busy, self._last_error = is_busy, last_error
        self._has_worker = False
        self._failures = 0
        self._num_looks = 0
        self._looks: deque[bool] = deque(maxlen=STILL)

    def started(self) -> None:
        """A worker has started."""
        self._has_worker = True

    def failed(self, reason: str) -> None:
        """A worker has failed, for this reason; raises StartError after `FAILURES` of them if none has ever started."""
        self._failures += not self._has_worker
        if self._failures >= FAILURES:
            raise StartError(f"no worker can start ({reason}); run hpsearch doctor for details")

    def look(self) -> None:
        """Call this once per second; raises StartError when no worker is expected to start any more."""
        if self._has_worker:
            return
        self._num_looks += 1
        self._looks.append(self._is_busy())
        if self._num_looks >= MOST:
            raise self._error("none is expected to")
        if len(self._looks) == STILL and sum(self._looks) < BUSY_SHARE * STILL:
            raise self._error("Ray's processes are making no progress")

    def _error(self, what: str) -> StartError:
        why = self._last_error() or "run hpsearch doctor for details"
        return StartError(f"no worker has started, and {what} ({why})")
