"""What a results folder has is kept, replaced or brought up to date by what its storage has."""

from pathlib import Path

import pytest

from search.history import events, ledger, store
from search.history.events import State
from search.history.ledger import Ledger
from search.storage import layout, note, record
from search.storage.layout import StorageError
from search.storage.takeover import fetch
from tests.search.events import asked, measured
from tests.search.storage.drivers import FACTS, REQUEST, launch, resume, stored_trials, trials
from trainables import files


def test_what_the_old_machine_recorded_after_it_was_taken_over_is_kept_aside_with_a_warning(
    place: Path, here: Path, there: Path
) -> None:
    old = launch(place, here)
    old.record(1)
    old.mirror.copy()
    old.record(2, 3)
    old.die()
    new = resume(place, there)
    new.record(4)
    new.mirror.copy()
    new.mirror.beat(closed=True)
    new.die()
    with pytest.warns(UserWarning, match=r"taken over by .*kept in .*before-0002"):
        again = resume(place, here)
    assert trials(again.folder) == [1, 4]
    aside = again.folder / "ledger.before-0002.jsonl"
    assert [event["trial"] for event in ledger.read(aside)] == [1, 2, 3]
    again.record(5)
    again.mirror.copy()
    assert stored_trials(place) == [1, 4, 5]


def test_what_the_old_machine_retrained_after_it_was_taken_over_is_replaced(
    place: Path, here: Path, there: Path
) -> None:
    old = launch(place, here)
    new = resume(place, there)
    for driver, weights in ((old, b"old"), (new, b"new")):
        folder = driver.folder / "retrain" / "3-1"
        folder.mkdir(parents=True)
        files.write(folder / "model.safetensors", weights)
        driver.ledger.append(asked(3, 1))
        seconds = len(weights) + (driver is new)
        driver.ledger.append(measured(40, None, trial=3, repeat=1, state=State.DONE, seconds=seconds))
    new.mirror.copy()
    old.die()
    with pytest.warns(UserWarning, match="taken over by"):
        fetch(str(place), "one", here)
    assert (here / "one" / "retrain" / "3-1" / "model.safetensors").read_bytes() == b"new"


def test_what_another_machine_tested_again_is_fetched_by_one_that_had_it_already(
    place: Path, here: Path, there: Path
) -> None:
    names = ("predictions.parquet", "README.md")
    for results, content in ((here, b"plain"), (there, b"flips")):
        driver = resume(place, results) if results is there else launch(place, results)
        folder = driver.folder / "retrain" / "3-1"
        for name in names:
            files.write(folder / name, content)
        files.write(folder / "config.json", b"the same")
        if results is here:
            driver.ledger.append(asked(3, 1))
            driver.ledger.append(measured(40, None, trial=3, repeat=1, state=State.DONE))
        driver.ledger.append(events.Tested(trial=3, repeat=1, correct=1, images=2, fingerprint="any"))
        driver.mirror.copy()
        driver.mirror.beat(closed=True)
        driver.die()
    fetch(str(place), "one", here)
    assert {(here / "one" / "retrain" / "3-1" / name).read_bytes() for name in names} == {b"flips"}


def test_a_fetch_that_was_interrupted_is_completed_by_the_next_one(
    place: Path, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = launch(place, here)
    card = driver.folder / "retrain" / "3-1" / "README.md"
    for content in (b"old", b"new"):
        files.write(card, content)
        driver.ledger.append(asked(3, 1) if content == b"old" else measured(40, trial=3, repeat=1, state=State.DONE))
        driver.mirror.copy()
        if content == b"old":
            place.joinpath("one", "retrain", "3-1").mkdir(parents=True)
            place.joinpath("one", "retrain", "3-1", "README.md").write_bytes(content)
            fetch(str(place), "one", there)
    read = files.Folder.read

    def refuse(self: files.Folder, name: str) -> bytes:
        if name.startswith("retrain/"):
            raise OSError("no route to host")
        return read(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(files.Folder, "read", refuse)
        with pytest.raises(StorageError, match="no route to host"):
            fetch(str(place), "one", there)
    fetch(str(place), "one", there)
    assert (there / "one" / "retrain" / "3-1" / "README.md").read_bytes() == b"new"


def test_lines_put_aside_twice_are_kept_twice(place: Path, here: Path, there: Path) -> None:
    old = launch(place, here)
    old.record(1)
    old.die()
    resume(place, there)
    kept = []
    for trial in (2, 3):
        with pytest.warns(UserWarning, match="kept in"):
            folder = fetch(str(place), "one", here)
        assert trials(folder) == []
        with Ledger(folder / "ledger.jsonl") as book:
            book.append(asked(trial))
        note.remember(folder, str(place), **{record.read_claims(layout.home_of(str(place), "one"))[-1].id: -1})
        kept = sorted(folder.glob("ledger.before*"))
    assert [trials_of.name for trials_of in kept] == ["ledger.before-0002+.jsonl", "ledger.before-0002.jsonl"]


def test_a_fetched_search_is_brought_up_to_date(place: Path, here: Path, there: Path) -> None:
    driver = launch(place, here)
    for trial in range(3):
        driver.record(trial)
        driver.mirror.copy()
        assert trials(fetch(str(place), "one", there)) == list(range(trial + 1))


def test_where_it_runs_a_search_is_ahead_of_its_storage_and_stays(place: Path, here: Path) -> None:
    driver = launch(place, here)
    driver.record(1)
    driver.mirror.copy()
    driver.record(2)
    driver.die()
    store.record(store.find(here), later=1)
    assert trials(fetch(str(place), "one", here)) == [1, 2]
    assert store.find(here).facts == FACTS | {"later": 1}


def test_another_search_of_that_name_is_not_overwritten(place: Path, here: Path, there: Path) -> None:
    launch(place, here)
    store.create(there, "one", REQUEST, 2.0, FACTS)
    with pytest.raises(StorageError, match="another search of that name.*give another --results"):
        fetch(str(place), "one", there)
    assert [path.name for path in (there / "one").iterdir()] == ["search.json"]
