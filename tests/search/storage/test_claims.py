"""Of two drivers one has the search, and the other learns it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from search.history import store
from search.history.ledger import Ledger
from search.storage import claims, layout, record
from search.storage.layout import StorageError
from search.storage.takeover import take_over
from tests.search.storage.drivers import Driver, launch, never, no_sleep, resume, stored_trials
from trainables import files


def test_of_two_that_take_over_at_once_the_later_write_stands_and_the_other_gives_way(
    place: Path, here: Path, there: Path, tmp_path: Path
) -> None:
    launch(place, here).die()
    folder = take_over(str(place), "one", there, sleep=no_sleep)
    rival = take_over(str(place), "one", tmp_path / "rival", sleep=no_sleep)
    home = layout.home_of(str(place), "one")
    standing = []

    def meanwhile(_seconds: float) -> None:
        # The rival looked before the first wrote: to it the number is free.
        (place / "one" / "drivers" / "0002.json").unlink()
        standing.append(claims.claim(home, rival, sleep=no_sleep))

    with Ledger(folder / "ledger.jsonl"), pytest.raises(StorageError, match="taken over by .* at the same moment"):
        claims.claim(home, folder, sleep=meanwhile)
    assert record.read_claims(home)[-1] == standing[0]


def test_a_claim_overwritten_after_its_driver_began_is_noticed_and_nothing_is_mixed(
    place: Path, here: Path, there: Path, tmp_path: Path
) -> None:
    launch(place, here).die()
    loser = resume(place, there)
    loser.record(1)
    loser.mirror.copy()
    claimed = place / "one" / "drivers" / "0002.json"
    claimed.unlink()
    winner = resume(place, tmp_path / "rival")
    loser.record(2)
    loser.mirror.copy()
    assert loser.mirror.superseded
    winner.record(3)
    winner.mirror.copy()
    assert stored_trials(place) == [3]


def test_who_has_been_overtaken_between_fetching_and_claiming_gives_way(
    place: Path, here: Path, there: Path, tmp_path: Path
) -> None:
    launch(place, here).die()
    folder = take_over(str(place), "one", there, sleep=no_sleep)
    resume(place, tmp_path / "rival")
    with pytest.raises(StorageError, match="taken over"):
        Driver(folder)


def test_who_is_overtaken_while_watching_gives_way(place: Path, here: Path, there: Path, tmp_path: Path) -> None:
    launch(place, here).die()
    rivals: list[Driver] = []

    def meanwhile(_seconds: float) -> None:
        if not rivals:
            rivals.append(resume(place, tmp_path / "rival"))

    with pytest.raises(StorageError, match="taken over by .* at the same moment"):
        take_over(str(place), "one", there, sleep=meanwhile)


def test_a_claim_whose_answer_was_lost_is_our_own(
    place: Path, here: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(place, here).die()
    folder = take_over(str(place), "one", there, sleep=no_sleep)
    write = files.Folder.write

    def lose(self: files.Folder, name: str, data: bytes) -> None:
        write(self, name, data)
        if name.startswith("drivers/"):
            raise OSError("no answer")

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="no answer"):
        patch.setattr(files.Folder, "write", lose)
        Driver(folder)
    driver = Driver(take_over(str(place), "one", there, sleep=never))
    driver.record(1)
    driver.mirror.copy()
    assert [claim.number for claim in record.read_claims(layout.home_of(str(place), "one"))] == [1, 2, 3]
    assert stored_trials(place) == [1]


def test_a_name_that_is_taken_in_the_storage_is_refused(place: Path, here: Path, there: Path) -> None:
    launch(place, here)
    with pytest.raises(StorageError, match=r"'one' exists in .*hpsearch resume one and the same --storage"):
        launch(place, there)


def test_of_a_search_that_never_began_nothing_stays_in_the_storage(place: Path, here: Path) -> None:
    driver = launch(place, here)
    driver.mirror.beat(closed=True)
    driver.die()
    claims.withdraw(str(place), store.find(here))
    assert [path for path in place.rglob("*") if path.is_file()] == []
    shutil.rmtree(here)
    launch(place, here)


@pytest.mark.parametrize("has_begun", [True, False])
def test_what_is_withdrawn_is_neither_a_record_nor_another_drivers(place: Path, here: Path, has_begun: bool) -> None:
    driver = launch(place, here)
    if has_begun:
        driver.record(1)
        driver.mirror.copy()
    driver.die()
    before = sorted(place.rglob("*"))
    found = store.find(here)
    claims.withdraw(str(place), found if has_begun else replace(found, created=2.0))
    if not has_begun:
        (found.folder / "storage.json").unlink()  # the claim is another's then
        claims.withdraw(str(place), found)
    assert sorted(place.rglob("*")) == before
