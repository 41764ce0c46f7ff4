"""The mirror: copies a running search's record to its storage, in threads of its own, and is never waited for."""

import json
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from secrets import token_hex

from search.history.ledger import Event, Ledger
from search.storage import layout
from search.storage.layout import Claim, Home, StorageError, reported
from trainables import files

#: Of two drivers that claim one number at the same moment the later write stands, as pyarrow cannot write only where
#: nothing is. So long after its write each looks which one stands. One whose write takes longer than that overwrites a
#: claim whose owner has begun: that one finds out with its next heartbeat, and none of its lines count.
_SETTLE_SECONDS = 1.0

_CLOSE_SECONDS = 30.0


def begin(location: str, folder: Path) -> None:
    """Make a place for a new search in a storage, and note it in the search's folder.

    Raises StorageError when there is a search of that name, or when the place cannot be written.
    """
    home = layout.home_of(location, folder.name)
    with reported(location):
        if home.folder.names("drivers"):
            raise StorageError(
                f"the search '{home.name}' exists in {files.shown(location)}; choose another --name, or continue it "
                f"with hpsearch resume {home.name} and the same --storage"
            )
        for name in layout.DESCRIPTION:
            if (folder / name).exists():
                home.folder.write(name, (folder / name).read_bytes())
    layout.remember(folder, home.location)


def claim(home: Home, folder: Path, *, sleep: Callable[[float], None] = time.sleep) -> Claim:
    """Claim a search for this process, which has its ledger open; its lines count from the first that is not stored.

    Raises StorageError when another driver has written since `begin` or `take_over`, or claims at the same moment.
    """
    with reported(home.location):
        stored = layout.read(home)
        standing = stored.claims[-1] if stored.claims else None
        if layout.is_known(folder, stored):
            mine = (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
            ours = Claim(
                number=len(stored.claims) + 1,
                id=token_hex(4),
                host=socket.gethostname(),
                pid=os.getpid(),
                time=time.time(),
                first_seq=_common(mine, stored.lines),
            )
            # Noted before it is written: a kill in between must not make us a stranger to our own claim.
            layout.remember(folder, home.location, **{ours.id: None})
            home.folder.write(f"drivers/{ours.number:04}.json", json.dumps(asdict(ours)).encode())
            sleep(_SETTLE_SECONDS)
            standing = layout.read_claim(home, ours.number)
            if standing == ours:
                return ours
    assert standing is not None
    raise StorageError(f"{home.name} was taken over by {standing.owner} at the same moment; this machine gives way")


def _common(mine: list[bytes], stored: list[bytes]) -> int:
    """How many lines two ledgers have in common before they differ or one ends."""
    pairs = enumerate(zip(mine, stored, strict=False))
    return next((index for index, (ours, theirs) in pairs if ours != theirs), min(len(mine), len(stored)))


class Mirror:
    """Writes segments and heartbeats while it is open as a context manager.

    superseded: who has taken the search over, for people, once that is so. Nothing is written any more, and what the
    owner records from then on does not count: it ends.
    """

    def __init__(
        self, ledger: Ledger, folder: Path, say: Callable[[str], None], *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """ledger: the folder's, open in this process. say: hears when the storage fails, and when it is back.

        Raises StorageError as `claim` does.
        """
        place = layout.location_of(folder)
        assert place is not None
        self._home = layout.home_of(place, folder.name)
        self._claim = claim(self._home, folder, sleep=sleep)
        self._ledger, self._folder, self._say = ledger, folder, say
        self._path = folder / "ledger.jsonl"
        self._seq = self._claim.first_seq  # of the next event to store, and where its line begins
        self._offset = sum(map(len, self._path.read_bytes().splitlines(keepends=True)[: self._seq]))
        self._data = b""  # the segment to be written; the same again after a failure, as it may arrive twice
        self._segments = self._beats = 0
        self._copied: dict[Path, int] = {}
        self._steps: deque[tuple[int, Callable[[], None]]] = deque()
        self.superseded: str | None = None
        self._failing: set[int] = set()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        # Of their own each: a heartbeat waits for no weights. Daemons: one that hangs does not keep the process.
        self._beater = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)
        self._copier = threading.Thread(target=self._keep_copying, name="mirror", daemon=True)

    def __enter__(self) -> "Mirror":
        self._beater.start()
        self._copier.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Store what is left, and that the driver has ended; takes half a minute at most."""
        self._closing.set()
        self._copier.join(_CLOSE_SECONDS)
        left = len(self._ledger.events) - self._seq
        if left and not self.superseded:
            self._say(
                f"{left} events of {self._home.name} are here and not yet in {self._home}; the next "
                f"hpsearch resume {self._home.name} on this machine copies them"
            )

    def when_stored(self, step: Callable[[], None]) -> None:
        """Have a step done once all that is recorded by now is stored; never if another driver takes over before.

        For what must not be gone while the stored record still tells of it, such as an older checkpoint. The step is
        done in a thread of the mirror, and again if it raises OSError.
        """
        self._steps.append((len(self._ledger.events), step))

    def copy(self) -> None:
        """Store what is recorded and not yet stored; what a line tells of is there before the line. Raises OSError."""
        if not self._stands():
            return
        self._copy_file(self._folder / "search.json")
        while events := self._next_segment():
            for folder in _retrained(self._folder, events):
                for name in layout.RETRAINED:
                    self._copy_file(folder / name)
            self._home.folder.write(self._claim.segment(self._segments + 1), self._data)
            if not self._stands():  # raises where the folder was unmounted before the write, which made another
                return
            self._segments += 1
            self._seq += len(events)
            self._offset += len(self._data)
            self._data = b""
        while self._steps and self._steps[0][0] <= self._seq and self._stands():
            self._steps[0][1]()
            self._steps.popleft()

    def beat(self, *, closed: bool = False) -> None:
        """Show that the driver is alive, or that it has ended. Raises OSError."""
        if self._stands():
            self._beats += 1
            beat = {"beats": self._beats, "time": time.time(), "closed": closed}
            self._home.folder.write(self._claim.beat, json.dumps(beat).encode())

    def _stands(self) -> bool:
        """Whether the claim is the last one still."""
        number = self._claim.number
        standing = layout.read_claim(self._home, number)
        if standing == self._claim:
            try:
                standing = layout.read_claim(self._home, number + 1)
            except FileNotFoundError:
                return True
        self.superseded = f"{self._home.name} was taken over by {standing.owner}"
        return False

    def _next_segment(self) -> list[Event]:
        """The events of the segment to write; none when all is stored. Only lines whose `append` has returned."""
        count = len(self._ledger.events) - self._seq
        if not self._data and count:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                self._data = b"".join(file.read().splitlines(keepends=True)[:count])
        return self._ledger.events[self._seq :][: self._data.count(b"\n")]

    def _copy_file(self, path: Path) -> None:
        """Copy a file of the search that is there and has changed since."""
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
        end = time.monotonic() + _CLOSE_SECONDS
        while not self.superseded and time.monotonic() < end:
            if self._attempt(self.copy):
                self._beater.join()  # its last heartbeat shall not come after ours
                self._attempt(lambda: self.beat(closed=True))
                return
            time.sleep(1)

    def _pause(self, last: float, done: bool) -> float:
        """Seconds until the next attempt. Half a loss window leaves the other half for the writing."""
        usual = layout.LOSS_WINDOW / 2
        # Never so long that a driver which is alive is taken for dead when the storage is back.
        return usual if done else min(max(usual, 2 * last), 2 * layout.LOSS_WINDOW)

    def _attempt(self, step: Callable[[], None]) -> bool:
        """Whether a step was done. Whatever its error is, the search goes on, and the step is tried again."""
        try:
            step()
        except Exception as error:
            with self._lock:
                first, self._failing = not self._failing, self._failing | {threading.get_ident()}
            if first:
                self._say(
                    f"storage {self._home}: {layout.reason(error)}. The search goes on, and its record is "
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
    """Folders of the retrains whose weights or predictions these events tell of."""
    told = [
        each for each in events if each.get("repeat") and (each.get("state") == "done" or each["event"] == "tested")
    ]
    return [folder / "retrain" / f"{each['trial']}-{each['repeat']}" for each in told]
