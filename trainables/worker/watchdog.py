"""A worker that makes no progress ends itself, because Tune cannot interrupt a step."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Watchdog:
    """A thread that ends a process which makes no progress while it is watched."""

    def __init__(self, seconds: float, progress: Callable[[], Any], end: Callable[[str], None]) -> None:
        """progress: returns a value that changes with every step forward; called only while progress is expected. When
        it has been the same for `seconds`, `end` is called once with the reason. The watchdog reports on the thread
        that makes it.
        """
        self._seconds, self._progress, self._end = seconds, progress, end
        self._watched = False
        self._since = 0.0
        self._thread = threading.get_ident()
        threading.Thread(target=self._watch, daemon=True).start()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Expect progress while this context is open."""
        self._since, self._watched = time.monotonic(), True
        try:
            yield
        finally:
            self._watched = False

    def _watch(self) -> None:
        last: Any = None
        while True:
            time.sleep(min(1.0, self._seconds / 4))
            if not self._watched:
                continue
            now = self._progress()
            if now != last:
                last, self._since = now, time.monotonic()
            elif time.monotonic() - self._since > self._seconds:
                self._end(f"no progress for {self._seconds:g} s{self._place()}")
                return

    def _place(self) -> str:
        """Where the watched thread is, in words; empty if it has ended."""
        frame = sys._current_frames().get(self._thread)
        if frame is None:
            return ""
        code = frame.f_code
        return f", in {Path(code.co_filename).name}, line {frame.f_lineno} ({code.co_name})"
