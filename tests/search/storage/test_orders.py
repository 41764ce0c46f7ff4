"""Whatever the order of appends, copies, deaths, takeovers and late writes, a stored record is one search's record."""

import tempfile
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.history import ledger, store
from search.history.ledger import Ledger
from search.storage import claims, layout, record
from search.storage.mirror import Mirror
from search.storage.takeover import fetch, take_over
from tests.search.events import asked
from trainables import files

#: What happens, as often as it stands here. A segment may not be written; or be, and its driver does not hear of it; or
#: be on its way until it arrives, perhaps when another driver has taken over.
STEPS = (
    *("append",) * 6,
    *("copy",) * 4,
    *("copy, request lost", "copy, answer lost", "copy, on its way", "copy, on its way"),
    *("arrive",) * 2,
    *("die",) * 2,
    *("resume",) * 3,
    *("cut and resume",) * 2,
)


class Driver:
    """A driver that lives or not, and the lines it recorded or found when it began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.mirror = Mirror(self.ledger, folder, lambda _: None, sleep=lambda _: None)
        self.alive = True
        self.lines = read_lines(folder)

    def append(self, trial: int) -> None:
        for repeat in range(2):
            self.ledger.append(asked(trial, repeat))
        self.lines = read_lines(self.folder)


def read_lines(folder: Path) -> list[bytes]:
    return (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)


class World:
    """One search, three machines, and a storage that may lose and delay what is written."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root, self.patch = root, patch
        self.place = str(root / "storage")
        self.late: set[bytes] = set()  # recorded by a driver after another took over
        self.on_their_way: list[tuple[Path, bytes]] = []
        self.stored: list[bytes] = []
        request = store.Request(space="any", samples=1, data_dir="")
        found = store.create(self.machine(0), "one", request, 1.0, {})
        claims.begin(self.place, found)
        self.drivers = [Driver(found.folder)]

    def machine(self, number: int) -> Path:
        return self.root / f"machine-{number % 3}"

    def driver(self, number: int) -> Driver | None:
        """One of those that live, mostly the last."""
        alive = [driver for driver in self.drivers if driver.alive]
        return alive[-1 - (number % len(alive) if number > 4 else 0)] if alive else None

    def step(self, what: str, number: int, trial: int) -> None:
        driver = self.driver(number)
        if what == "arrive" and self.on_their_way:
            files.write(*self.on_their_way.pop(number % len(self.on_their_way)))
        elif "resume" in what:
            self.resume(self.machine(number), number if "cut" in what else None)
        elif driver and what == "append":
            driver.append(trial)
            if driver is not self.drivers[-1]:
                self.late.update(driver.lines[-2:])
        elif driver and what == "copy":
            driver.mirror.copy()
        elif driver and what.startswith("copy"):
            self.copy_badly(driver, what)
        elif driver and what == "die":
            driver.ledger.close()
            driver.alive = False
        self.check()

    def copy_badly(self, driver: Driver, what: str) -> None:
        write = files.Folder.write

        def fail(folder: files.Folder, name: str, data: bytes) -> None:
            if not name.startswith("record/") or what == "copy, answer lost":
                write(folder, name, data)
            elif what == "copy, on its way":
                self.on_their_way.append((Path(folder.location) / name, data))
            if name.startswith("record/"):
                raise OSError("no answer")

        with self.patch.context() as patch:
            patch.setattr(files.Folder, "write", fail)
            try:
                driver.mirror.copy()
            except OSError as error:
                assert str(error) == "no answer"

    def resume(self, results: Path, cut: int | None) -> None:
        """Where no driver lives; one on another machine may live unseen, being cut off."""
        folder = results / "one"
        if any(driver.alive and driver.folder == folder for driver in self.drivers):
            return
        last = self.drivers[-1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            take_over(self.place, None, results, sleep=lambda _: None)
        assert read_lines(folder) == (last.lines if last.folder == folder else self.stored)
        if cut is not None and len(read_lines(folder)) > 1:
            line = 2 + cut % (len(read_lines(folder)) - 1)
            ledger.cut(folder / "ledger.jsonl", line)
            self.stored = self.stored[: line - 1]
        self.drivers.append(Driver(folder))

    def check(self) -> None:
        stored = record.read(layout.home_of(self.place, "one"))
        events = [ledger.decode(line, seq) for seq, line in enumerate(stored.lines)]
        assert [event["seq"] for event in events] == list(range(len(events)))
        assert not self.late & set(stored.lines)
        assert stored.lines[: len(self.stored)] == self.stored, "what was stored once stays"
        for number, (claim, driver) in enumerate(zip(stored.claims, self.drivers, strict=True)):
            end = min((later.first_seq for later in stored.claims[number + 1 :]), default=len(stored.lines))
            assert stored.lines[claim.first_seq : end] == driver.lines[claim.first_seq : end]
        self.stored = stored.lines

    def end(self) -> None:
        """The last driver, or one after it, stores all that it has, and everybody gets that."""
        if not self.drivers[-1].alive:
            self.resume(self.drivers[-1].folder.parent, None)
        last = self.drivers[-1]
        last.mirror.copy()
        for each in self.on_their_way:
            files.write(*each)
        self.check()
        assert self.stored == last.lines
        assert read_lines(fetch(self.place, "one", self.root / "elsewhere")) == last.lines
        for driver in self.drivers:
            driver.ledger.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), min_size=30, max_size=40))
def test_a_stored_record_has_no_gap_and_no_late_line_whatever_happens_when(steps: list[tuple[str, int]]) -> None:
    memory = Path("/dev/shm")  # where there is one: a thousand flushes to disk would take half a minute
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.exists() else None) as root,
        pytest.MonkeyPatch.context() as patch,
    ):
        world = World(Path(root), patch)
        for trial, (what, number) in enumerate(steps):
            world.step(what, number, trial)
        world.end()
