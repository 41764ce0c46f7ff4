"""Followers of a session: `hpsearch follow` for each sink, in its own process that ends with the session."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from search.history.store import Search

END_SECONDS = 60.0
"""How long a follower may write the rest after the session has ended."""


@contextmanager
def followed(search: Search, sinks: Sequence[str], say: Callable[[str], None]) -> Iterator[None]:
    """Within this, followers write the search to sinks.

    A follower reads only the search's files; its failure is reported once. Its standard input is a pipe that closes
    when this process ends, in whatever way; it then reads the files a last time and ends too. A Ctrl-C in the terminal
    does not reach it.
    """
    followers = [_Follower(search, sink, say) for sink in sinks]
    try:
        yield
    finally:
        try:
            for each in followers:
                each.ask_to_end()
            for each in followers:
                each.wait()
        finally:
            for each in followers:
                each.kill()


class _Follower:
    """One process, and a thread that passes on its output."""

    def __init__(self, search: Search, sink: str, say: Callable[[str], None]) -> None:
        results = str(search.folder.parent)
        self._say = say
        self._again = shlex.join(["hpsearch", "follow", sink, search.name, "--results", results])
        self._first = f"{search.name}: "
        self._is_killed = False
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "search", "follow", sink, search.name, "--results", results, "--beside"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def ask_to_end(self) -> None:
        """Close its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def wait(self) -> None:
        """Wait until it has ended and its output has been passed on."""
        self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            self._say(
                f"hpsearch follow did not end in {END_SECONDS:.0f} s and was killed; to write the rest: {self._again}"
            )

    def kill(self) -> None:
        """If it still runs, kill it and the processes that its tool's library has started."""
        if self._process.poll() is None:
            self._is_killed = True
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _listen(self) -> None:
        """Pass on its line that says where to look, and its last line if it fails."""
        assert self._process.stdout is not None
        last = "hpsearch follow ended without a message"
        for line in self._process.stdout:
            last = line.strip() or last
            if line.startswith(self._first):
                self._say(last)
        if self._process.wait() and not self._is_killed:
            why = last.removeprefix("hpsearch: ").rstrip(".")
            self._say(f"{why}; the search continues without it. Try again: {self._again}")
