"""A search's copy in its storage is the search, to the byte and in the right order."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import search as public
from search.history import events, store
from search.history.events import Opened, State
from search.storage import claims
from search.storage.takeover import fetch, is_running, open_copy
from tests.search.events import asked, measured
from tests.search.storage.drivers import FACTS, REQUEST, Driver, launch, never, no_sleep, resume, stored_trials
from trainables import files


def test_a_copied_search_comes_back_the_same_to_the_byte(place: Path, here: Path, there: Path) -> None:
    driver = launch(place, here)
    driver.record(1, 2)
    driver.mirror.copy()
    driver.record(3)
    driver.mirror.copy()
    fetched = fetch(str(place), "one", there)
    for name in ("search.json", "ledger.jsonl"):
        assert (fetched / name).read_bytes() == (driver.folder / name).read_bytes()
    assert store.find(there).request == REQUEST


def test_a_listed_space_and_later_facts_are_copied_too(place: Path, here: Path, there: Path) -> None:
    found = store.create(here, "one", REQUEST, 1.0, FACTS)
    files.write(found.folder / "space.jsonl", b"{}\n")
    claims.begin(str(place), found)
    driver = Driver(found.folder)
    store.record(found, later=12)
    driver.mirror.copy()
    fetched = fetch(str(place), "one", there)
    assert (fetched / "space.jsonl").read_bytes() == b"{}\n"
    assert store.find(there).facts == FACTS | {"later": 12}


def test_only_lines_whose_append_has_returned_are_copied(place: Path, here: Path) -> None:
    driver = launch(place, here)
    driver.record(1)
    whole = (driver.folder / "ledger.jsonl").read_bytes()
    for begun in (whole[:20], whole.replace(b'"seq":0', b'"seq":1')):  # torn, or whole and not yet flushed
        with (driver.folder / "ledger.jsonl").open("ab") as file:
            file.write(begun)
        driver.mirror.copy()
        assert stored_trials(place) == [1]


def test_nothing_new_writes_no_segment(place: Path, here: Path) -> None:
    driver = launch(place, here)
    driver.record(1)
    for _ in range(3):
        driver.mirror.copy()
    assert len(list((place / "one" / "record").iterdir())) == 1


def test_weights_are_there_before_the_line_that_tells_of_them(
    place: Path, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = launch(place, here)
    folder = driver.folder / "retrain" / "3-1"
    folder.mkdir(parents=True)
    files.write(folder / "model.safetensors", b"weights")
    driver.ledger.append(asked(3, 1))
    driver.ledger.append(measured(40, None, trial=3, repeat=1, state=State.DONE))
    written: list[str] = []
    write = files.Folder.write
    monkeypatch.setattr(files.Folder, "write", lambda self, name, data: (written.append(name), write(self, name, data)))
    driver.mirror.copy()
    files.write(folder / "predictions.parquet", b"predictions")
    driver.ledger.append(events.Tested(trial=3, repeat=1, correct=1, images=2))
    driver.mirror.copy()
    files.write(folder / "README.md", b"card")
    driver.ledger.append(events.Closed(reason="finished"))
    driver.mirror.copy()
    kinds = [name for name in written if name.startswith(("retrain", "record"))]
    assert [name.split("-")[0] if "record" in name else name for name in kinds] == [
        "retrain/3-1/model.safetensors",
        "record/0001",
        "retrain/3-1/predictions.parquet",
        "record/0001",
        "retrain/3-1/README.md",
        "record/0001",
    ]
    assert (fetch(str(place), "one", there) / "retrain" / "3-1" / "model.safetensors").read_bytes() == b"weights"
    with open_copy(str(place), "one") as results:
        names = {path.name for path in (results / "one" / "retrain" / "3-1").iterdir()}
        assert names == {"predictions.parquet", "README.md"}
    with open_copy(str(place), "one", weights=True) as results:
        assert (results / "one" / "retrain" / "3-1" / "model.safetensors").read_bytes() == b"weights"


def test_what_the_stored_record_may_still_tell_of_goes_only_when_it_tells_of_what_came_after(
    place: Path, here: Path, there: Path
) -> None:
    done: list[str] = []
    driver = launch(place, here)
    driver.record(1)
    driver.mirror.when_stored(lambda: done.append(f"with {stored_trials(place)}"))
    driver.mirror.when_stored(lambda: files.remove(place / ("one" if len(done) == 1 else "none")))  # a folder: OSError
    assert done == []
    for _ in range(3):
        driver.mirror.copy()
    assert done == ["with [1]"]
    (line,) = driver.said
    assert "The search continues; checkpoints that it no longer needs stay there" in line
    done.append("again")
    driver.record(2)
    driver.mirror.copy()
    driver.mirror.copy()
    assert done == ["with [1]", "again"]
    assert stored_trials(place) == [1, 2]
    driver.mirror.when_stored(lambda: done.append("late"))
    resume(place, there)
    driver.mirror.copy()
    assert done == ["with [1]", "again"]


def test_a_copy_can_be_looked_at_while_the_driver_runs(place: Path, here: Path) -> None:
    driver = launch(place, here)
    driver.ledger.append(Opened(samples=7, slots=1))
    driver.mirror.copy()
    with open_copy(str(place), None) as results:
        assert public.load(results=str(results)).samples == 7
    assert not results.exists()
    assert is_running(str(place), "one", sleep=lambda _: driver.mirror.beat())
    assert not is_running(str(place), "one", sleep=no_sleep)
    driver.mirror.beat(closed=True)
    assert not is_running(str(place), "one", sleep=never)


LOOKING = """
import sys
from search.storage.takeover import open_copy
with open_copy(sys.argv[1], None):
    print("open", flush=True)
    sys.stdin.read()
"""


def test_the_copy_of_a_process_that_was_killed_is_removed_by_the_next_one(
    place: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(place, here).mirror.copy()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with subprocess.Popen(
        [sys.executable, "-c", LOOKING, place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
    ) as process:
        assert process.stdout and process.stdout.readline() == "open\n"
        process.terminate()
    assert list((tmp_path / "tmp").iterdir())
    with open_copy(str(place), None) as copy:
        assert [copy] == list((tmp_path / "tmp").iterdir())
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_newest_search_is_fetched_when_no_name_is_given(place: Path, here: Path, there: Path) -> None:
    for name, created in (("b", 1.0), ("a", 3.0), ("c", 2.0)):
        launch(place, here, name, created)
    (place / "notes").mkdir()
    assert fetch(str(place), None, there).name == "a"
