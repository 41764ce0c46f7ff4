"""A driver and its storage, one step at a time."""

import time
from collections.abc import Callable
from pathlib import Path

from search.history import ledger, store
from search.history.ledger import Ledger
from search.storage import claims, layout, record
from search.storage.mirror import Mirror
from search.storage.takeover import take_over
from tests.search.events import asked

FACTS = {"data": {"fingerprint": "any", "num_train": 8, "num_validation": 2}}
REQUEST = store.Request(space="cnn_all", samples=3, data_dir="data")


def no_sleep(_seconds: float) -> None:
    pass


def never(_seconds: float) -> None:
    raise AssertionError("it waited")


class Driver:
    """What a driver does with its ledger and its storage, one step at a time; without the mirror's threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.ledger = Ledger(folder / "ledger.jsonl")
        try:
            self.mirror = Mirror(self.ledger, folder, self.said.append, sleep=no_sleep)
        except BaseException:
            self.ledger.close()
            raise

    def record(self, *trials: int) -> None:
        for trial in trials:
            self.ledger.append(asked(trial))

    def die(self) -> None:
        self.ledger.close()


def launch(place: str | Path, results: Path, name: str = "one", created: float = 1.0) -> Driver:
    found = store.create(results, name, REQUEST, created, FACTS)
    claims.begin(str(place), found)
    return Driver(found.folder)


def resume(place: str | Path, results: Path, name: str | None = None) -> Driver:
    return Driver(take_over(str(place), name, results, sleep=no_sleep))


def trials(folder: Path) -> list[int]:
    return [event["trial"] for event in ledger.read(folder / "ledger.jsonl")]


def stored_trials(place: str | Path, name: str = "one") -> list[int]:
    lines = record.read(layout.home_of(str(place), name)).lines
    return [ledger.decode(line, seq)["trial"] for seq, line in enumerate(lines)]


def wait_until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.01)
