"""Whether a session's workers start at all: one whose workers all fail before they begin ends, and says why."""

from search.machines.machine import StartError

FAILURES = 3  # to start, after which no worker is expected any more


class Starting:
    """Watches over a session until its first worker has started."""

    def __init__(self) -> None:
        self._has_worker = False
        self._failures = 0

    def started(self) -> None:
        """A worker has started."""
        self._has_worker = True

    def failed(self, reason: str) -> None:
        """A worker has failed, for this reason; raises StartError when so many have and none has ever started."""
        self._failures += not self._has_worker
        if self._failures >= FAILURES:
            raise StartError(f"no worker starts here ({reason}); hpsearch doctor says what there is")
