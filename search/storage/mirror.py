"""The mirror: copies a running search's record to its storage, in its own threads; the search never waits for it."""

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from search.history.events import Closed, Event, Measured, State, Tested
from search.history.ledger import Ledger
from search.history.store import CARD, LEDGER, SEARCH
from search.readable import command_line
from search.storage import layout, note, record
from search.storage.claims import claim

CLOSE_SECONDS = 30.0
"""How long the end of a search waits for a storage that does not answer."""


class Mirror:
    """Writes segments and heartbeats while it is open as a context manager.

    superseded: None until another driver takes the search over, then one line that names it. From then on the mirror
    writes nothing, and events of this driver do not count, so it must end.
    """

    def __init__(
        self, ledger: Ledger, folder: Path, say: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """ledger: the folder's, open in this process. say: receives a line when the storage fails or works again.

        Raises StorageError as `claim` does.
        """
        place = note.location_of(folder)
        assert place is not None
        self._home = layout.home_of(place, folder.name)
        self._claim = claim(self._home, folder, sleep=sleep)
        self._ledger, self._folder, self._say = ledger, folder, say
        self._path = folder / LEDGER
        self._seq = self._claim.first_seq  # number of the next event to store; its line begins at `_offset`
        self._offset = sum(map(len, self._path.read_bytes().splitlines(keepends=True)[: self._seq]))
        self._data = b""  # the segment to write; the same after a failure, as the first write may still arrive
        self._segments = self._beats = 0
        self._copied: dict[Path, int] = {}
        self._steps: deque[tuple[int, Callable[[], None]]] = deque()
        self._has_complained = False  # whether a step has failed, which is said once
        self.superseded: str | None = None
        self._failing: set[int] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        # Two threads, so that no heartbeat waits for weights; daemons, so that the process ends even if one is blocked.
        self._beater = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)
        self._copier = threading.Thread(target=self._keep_copying, name="mirror", daemon=True)

    @property
    def is_failing(self) -> bool:
        """Whether the storage refused, or did not answer, when it was last written to."""
        return bool(self._failing)

    def __enter__(self) -> "Mirror":
        self._beater.start()
        self._copier.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Store what is left, then note there that the driver has ended; takes `CLOSE_SECONDS` at most."""
        self._closing.set()
        self._copier.join(CLOSE_SECONDS)
        left = len(self._ledger.events) - self._seq
        if left and not self.superseded:
            self._say(
                f"{left} events of {self._home.name} are here and not yet in {self._home}; the next "
                f"{command_line('resume', self._home.name, self._folder.parent)} on this machine copies them"
            )

    def when_stored(self, step: Callable[[], None]) -> None:
        """Run a step once everything recorded so far is stored; never if another driver takes over before that.

        An example is to delete an older checkpoint, which must stay as long as the stored record names it. A thread of
        the mirror runs the step, and runs it again if it raises.
        """
        self._steps.append((len(self._ledger.events), step))

    def copy(self) -> None:
        """Store what is recorded and not stored yet; files before the line that names them. Raises OSError."""
        if not self._stands():
            return
        self._copy_file(self._folder / SEARCH)
        while events := self._next_segment():
            for path in _retrained(self._folder, events):
                self._copy_file(path)
            self._home.folder.write(self._claim.segment(self._segments + 1), self._data)
            # Raises when the storage was unmounted before the write, which then made a folder on the local disk.
            if not self._stands():
                return
            self._segments += 1
            self._seq += len(events)
            self._offset += len(self._data)
            self._data = b""
        while self._steps and self._steps[0][0] <= self._seq and self._stands() and self._run(self._steps[0][1]):
            self._steps.popleft()

    def _run(self, step: Callable[[], None]) -> bool:
        """Run a step of `when_stored`; returns whether it worked, as the keys may allow to write and not to delete."""
        try:
            step()
        except Exception as error:
            if not self._has_complained:
                self._has_complained = True
                self._say(
                    f"storage {self._home}: {layout.reason(error)}. The search continues; checkpoints that it no "
                    "longer needs stay there until they can be deleted"
                )
            return False
        return True

    def beat(self, *, closed: bool = False) -> None:
        """Show that the driver is alive, or that it has ended. Raises OSError."""
        if self._stands():
            self._beats += 1
            beat = {"beats": self._beats, "time": time.time(), "closed": closed}
            self._home.folder.write(self._claim.beat, json.dumps(beat).encode())

    def _stands(self) -> bool:
        """Whether this driver's claim is still the last one."""
        number = self._claim.number
        standing = record.read_claim(self._home, number)
        if standing == self._claim:
            try:
                standing = record.read_claim(self._home, number + 1)
            except FileNotFoundError:
                return True
        self.superseded = f"{self._home.name} was taken over by {standing.owner}"
        return False

    def _next_segment(self) -> list[Event]:
        """The events of the segment to write; empty when all is stored."""
        count = len(self._ledger.events) - self._seq
        if not self._data and count:
            with self._path.open("rb") as file:  # a line at its end may not be flushed yet; `count` leaves it out
                file.seek(self._offset)
                self._data = b"".join(file.read().splitlines(keepends=True)[:count])
        return self._ledger.events[self._seq :][: self._data.count(b"\n")]

    def _copy_file(self, path: Path) -> None:
        """Copy a file of the search if it exists and has changed since its last copy."""
        if path.exists() and self._copied.get(path) != (changed := path.stat().st_mtime_ns):
            self._home.folder.write(path.relative_to(self._folder).as_posix(), path.read_bytes())
            self._copied[path] = changed

    def _keep_beating(self) -> None:
        pause = 0.0
        while not self._closing.wait(pause) and not self.superseded:
            pause = self._pause(pause, self._attempt(self.beat))

    def _keep_copying(self) -> None:
        pause = 0.0
        while not self._closing.wait(pause) and not self.superseded:
            pause = self._pause(pause, self._attempt(self.copy))
        end = time.monotonic() + CLOSE_SECONDS
        while not self.superseded and time.monotonic() < end:
            if self._attempt(self.copy):
                self._beater.join()  # so that no heartbeat comes after the one that says closed
                self._attempt(lambda: self.beat(closed=True))
                return
            time.sleep(1)

    def _pause(self, last: float, done: bool) -> float:
        """Seconds until the next attempt: half a loss window, as the writing may take the other half."""
        usual = layout.LOSS_WINDOW / 2
        # After failures it is longer, but not so long that this driver counts as dead when the storage is back.
        return usual if done else min(max(usual, 2 * last), 2 * layout.LOSS_WINDOW)

    def _attempt(self, step: Callable[[], None]) -> bool:
        """Run a step; returns whether it worked. After any error the search continues, and the step is run again."""
        try:
            step()
        except Exception as error:
            with self._lock:
                first, self._failing = not self._failing, self._failing | {threading.get_ident()}
            if first:
                self._say(
                    f"storage {self._home}: {layout.reason(error)}. The search continues, and its record is "
                    "copied as soon as it can be"
                )
            return False
        with self._lock:
            back = self._failing == {threading.get_ident()}
            self._failing -= {threading.get_ident()}
        if back:
            self._say(f"storage {self._home} works again")
        return True


def _retrained(folder: Path, events: list[Event]) -> list[Path]:
    """The files of runs whose weights, predictions or end these events report."""
    told = [
        each for each in events if isinstance(each, Tested) or (isinstance(each, Measured) and each.state is State.DONE)
    ]
    found = [folder / "retrain" / f"{each.trial}-{each.repeat}" / name for each in told for name in layout.RETRAINED]
    if any(isinstance(each, Closed) for each in events):
        found += folder.glob(f"retrain/*/{CARD}")
    return found
