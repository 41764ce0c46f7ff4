"""Searches in a real object store."""

import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from search.history import ledger
from search.storage import layout, record
from search.storage.layout import StorageError
from search.storage.takeover import fetch, take_over
from tests.search.storage.drivers import Driver, launch, resume, stored_trials, trials, wait_until
from trainables import files

DRIVER = """
import sys, time
from pathlib import Path
from search.history import store
from search.history.ledger import Ledger
from search.storage import claims, layout, mirror
from tests.search.events import asked

layout.LOSS_WINDOW = 1.0
found = store.create(Path(sys.argv[2]), "one", store.Request(space="any", samples=1, data_dir=""), 1.0, {})
claims.begin(sys.argv[1], found)
with Ledger(found.ledger) as book, mirror.Mirror(book, found.folder, print):
    for trial in range(10_000):
        book.append(asked(trial))
        time.sleep(0.02)
"""


def test_a_search_whose_machine_dies_goes_on_elsewhere_from_an_object_store(
    object_store: Any, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "LOSS_WINDOW", 1.0)
    place = object_store.location("moved")
    with subprocess.Popen([sys.executable, "-c", DRIVER, place, str(here)]) as process:
        try:
            wait_until(lambda: (here / "one" / "storage.json").exists())
            wait_until(lambda: len(record.read(layout.home_of(place, "one")).lines) > 50)
            with pytest.raises(StorageError, match=rf"running on .*\(process {process.pid}\)"):
                take_over(place, "one", there)
        finally:
            process.kill()
    killed = ledger.read(here / "one" / "ledger.jsonl")
    folder = take_over(place, "one", there)
    stored = ledger.read(folder / "ledger.jsonl")
    assert stored == killed[: len(stored)]
    lost = killed[len(stored) :]
    assert killed[-1]["time"] - lost[0]["time"] < layout.LOSS_WINDOW + 1 if lost else True

    second = Driver(folder)
    second.record(10_000)
    second.mirror.copy()
    second.mirror.beat(closed=True)
    second.die()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        third = resume(place, here, "one")
    told = [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]
    assert ["was taken over by" in line for line in told] == [True] * bool(lost)
    assert trials(third.folder) == [*range(len(stored)), 10_000]


@pytest.mark.usefixtures("quick")
def test_an_object_store_that_is_killed_and_started_again_has_everything(object_store: Any, here: Path) -> None:
    place = object_store.location("killed")
    driver = launch(place, here)
    with driver.mirror:
        driver.record(1)
        wait_until(lambda: stored_trials(place) == [1])
        object_store.kill()
        driver.record(2)
        wait_until(lambda: driver.said)
        driver.record(3)
        object_store.start()
        wait_until(lambda: len(driver.said) == 2)
    assert stored_trials(place) == [1, 2, 3]
    assert "cannot be reached" in driver.said[0]
    assert "works again" in driver.said[1]


@pytest.mark.parametrize(("user", "secret"), [("writer", "wrong"), ("nobody", "wrong"), ("reader", "reader")])
def test_who_is_denied_is_told_where_the_keys_come_from(
    object_store: Any, here: Path, monkeypatch: pytest.MonkeyPatch, user: str, secret: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    with pytest.raises(StorageError, match=r"storage s3://bucket/denied: access is denied; .*AWS_ACCESS_KEY_ID"):
        launch(object_store.location("denied"), here)


def test_a_reader_may_look(object_store: Any, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = object_store.location("read")
    driver = launch(place, here)
    driver.record(1)
    driver.mirror.copy()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "reader")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "reader")
    assert trials(fetch(place, None, there)) == [1]


def test_a_bucket_that_is_not_there_is_said(object_store: Any, here: Path, there: Path) -> None:
    place = object_store.location("path", bucket="nowhere")
    with pytest.raises(StorageError, match="no such bucket"):
        launch(place, here)
    with pytest.raises(StorageError, match="no such bucket"):
        fetch(place, "one", there)


def test_a_store_that_is_down_or_hangs_is_given_up_soon(
    here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setattr(files, "SILENT_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        location = f"s3://bucket/x?endpoint_override=127.0.0.1:{silent.getsockname()[1]}&scheme=http"
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(StorageError, match=r"s3://bucket/x: it cannot be reached \(.*\); check"):
                launch(location, here, f"search-{begun}")
            assert time.monotonic() - begun < 8
            silent.listen()  # from now on it accepts and says nothing
