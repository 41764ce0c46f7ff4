"""A search's record in its storage: whole, in order, and going on elsewhere when its machine is gone."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import search as public
from search.history import ledger, store
from search.history.ledger import Ledger, LedgerError
from search.storage import layout, mirror
from search.storage.layout import StorageError
from search.storage.mirror import Mirror
from search.storage.takeover import fetch, is_running, open_copy, take_over
from trainables import files

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
            self.ledger.append("asked", trial=trial, repeat=0)

    def die(self) -> None:
        self.ledger.close()


def launch(place: str | Path, results: Path, name: str = "one", created: float = 1.0) -> Driver:
    found = store.create(results, name, REQUEST, created, FACTS)
    mirror.begin(str(place), found.folder)
    return Driver(found.folder)


def resume(place: str | Path, results: Path, name: str | None = None) -> Driver:
    return Driver(take_over(str(place), name, results, sleep=no_sleep))


def trials(folder: Path) -> list[int]:
    return [event["trial"] for event in ledger.read(folder / "ledger.jsonl")]


def stored_trials(place: str | Path, name: str = "one") -> list[int]:
    lines = layout.read(layout.home_of(str(place), name)).lines
    return [ledger.decode(line, seq)["trial"] for seq, line in enumerate(lines)]


def wait_until(true: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never was so"
        time.sleep(0.01)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    return tmp_path / "here"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "LOSS_WINDOW", 0.4)


# ---- a search and its copy


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
    mirror.begin(str(place), found.folder)
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
    driver.ledger.append("measured", trial=3, repeat=1, state="done")
    written: list[str] = []
    write = files.Folder.write
    monkeypatch.setattr(files.Folder, "write", lambda self, name, data: (written.append(name), write(self, name, data)))
    driver.mirror.copy()
    files.write(folder / "predictions.parquet", b"predictions")
    driver.ledger.append("tested", trial=3, repeat=1)
    driver.mirror.copy()
    kinds = [name for name in written if name.startswith(("retrain", "record"))]
    assert [name.split("-")[0] if "record" in name else name for name in kinds] == [
        "retrain/3-1/model.safetensors",
        "record/0001",
        "retrain/3-1/predictions.parquet",
        "record/0001",
    ]
    assert (fetch(str(place), "one", there) / "retrain" / "3-1" / "model.safetensors").read_bytes() == b"weights"
    with open_copy(str(place), "one") as results:
        assert [path.name for path in (results / "one" / "retrain" / "3-1").iterdir()] == ["predictions.parquet"]


def test_what_the_stored_record_may_still_tell_of_goes_only_when_it_tells_of_what_came_after(
    place: Path, here: Path, there: Path
) -> None:
    done: list[str] = []
    driver = launch(place, here)
    driver.record(1)
    driver.mirror.when_stored(lambda: done.append(f"with {stored_trials(place)}"))
    driver.mirror.when_stored(lambda: files.remove(place / ("one" if len(done) == 1 else "none")))  # a folder: OSError
    assert done == []
    with pytest.raises(OSError):
        driver.mirror.copy()
    assert done == ["with [1]"]
    done.append("again")
    driver.record(2)
    driver.mirror.copy()
    driver.mirror.copy()
    assert done == ["with [1]", "again"]
    driver.mirror.when_stored(lambda: done.append("late"))
    resume(place, there)
    driver.mirror.copy()
    assert done == ["with [1]", "again"]


def test_a_copy_can_be_looked_at_while_the_driver_runs(place: Path, here: Path) -> None:
    driver = launch(place, here)
    driver.ledger.append("opened", samples=7, slots=1)
    driver.mirror.copy()
    with open_copy(str(place), None) as results:
        assert public.load(results=str(results)).samples == 7
    assert not results.exists()
    assert is_running(str(place), "one", sleep=lambda _: driver.mirror.beat())
    assert not is_running(str(place), "one", sleep=no_sleep)
    driver.mirror.beat(closed=True)
    assert not is_running(str(place), "one", sleep=never)


def test_the_newest_search_is_fetched_when_no_name_is_given(place: Path, here: Path, there: Path) -> None:
    for name, created in (("b", 1.0), ("a", 3.0), ("c", 2.0)):
        launch(place, here, name, created)
    (place / "notes").mkdir()
    assert fetch(str(place), None, there).name == "a"


# ---- the mirror's threads


@pytest.mark.usefixtures("quick")
def test_a_line_is_stored_within_the_loss_window_and_the_end_at_once(place: Path, here: Path) -> None:
    driver = launch(place, here)
    with driver.mirror:
        for trial in range(4):
            driver.record(trial)
            recorded = time.monotonic()
            wait_until(lambda: stored_trials(place) == list(range(trial + 1)))  # noqa: B023
            assert time.monotonic() - recorded < layout.LOSS_WINDOW + 1
        assert is_running(str(place), "one")
        driver.record(9)
    assert stored_trials(place) == [0, 1, 2, 3, 9]
    assert not is_running(str(place), "one", sleep=never)
    assert driver.said == []


@pytest.mark.usefixtures("quick")
def test_a_storage_that_fails_is_said_once_and_gets_everything_when_it_is_back(place: Path, here: Path) -> None:
    driver = launch(place, here)
    away = place.with_name("away")
    with driver.mirror:
        for trial in (1, 2):
            driver.record(trial)
            wait_until(lambda: stored_trials(place)[-1:] == [trial])  # noqa: B023
            place.rename(away)
            place.write_text("no folder")
            driver.record(-trial)
            wait_until(lambda: len(driver.said) == 2 * trial - 1)  # noqa: B023
            time.sleep(0.5)
            place.unlink()
            away.rename(place)
            wait_until(lambda: len(driver.said) == 2 * trial)  # noqa: B023
    assert stored_trials(place) == [1, -1, 2, -2]
    assert ["works again" in line for line in driver.said] == [False, True, False, True]
    assert "the search goes on" in driver.said[0].lower()


@pytest.mark.usefixtures("quick")
def test_a_storage_that_stays_away_delays_the_end_for_a_while_and_is_said(
    place: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "_CLOSE_SECONDS", 0.5)
    driver = launch(place, here)
    place.rename(place.with_name("away"))
    driver.record(1, 2)
    with driver.mirror:
        pass
    left = next(line for line in driver.said if "2 events of one are here and not yet in" in line)
    assert "hpsearch resume one" in left
    place.with_name("away").rename(place)
    assert stored_trials(place) == []
    driver.die()
    resumed = Driver(take_over(str(place), "one", here, sleep=never))
    resumed.mirror.copy()
    assert stored_trials(place) == [1, 2]


def test_what_is_written_while_a_storage_goes_away_is_written_again_when_it_is_back(
    place: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = launch(place, here)
    driver.record(1, 2)
    away, write = place.with_name("away"), files.Folder.write

    def unmounted(folder: files.Folder, name: str, data: bytes) -> None:
        if name.startswith("record/") and not away.exists():
            place.rename(away)  # what is written next lies where nobody looks
        write(folder, name, data)

    monkeypatch.setattr(files.Folder, "write", unmounted)
    with pytest.raises(OSError):
        driver.mirror.copy()
    shutil.rmtree(place)
    away.rename(place)
    monkeypatch.undo()
    assert stored_trials(place) == []
    driver.mirror.copy()
    assert stored_trials(place) == [1, 2]


@pytest.mark.usefixtures("quick")
def test_a_mirror_that_fails_in_an_unforeseen_way_is_said_and_goes_on(
    place: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = launch(place, here)
    with driver.mirror, monkeypatch.context() as patch:
        patch.setattr(files.Folder, "write", lambda *_: 1 / 0)
        wait_until(lambda: driver.said)
        assert "division by zero" in driver.said[0]
        patch.undo()
        driver.record(1)
    assert stored_trials(place) == [1]


# ---- one driver after another


def test_a_search_that_was_closed_goes_on_elsewhere_at_once(place: Path, here: Path, there: Path) -> None:
    first = launch(place, here)
    first.record(1)
    first.mirror.copy()
    first.mirror.beat(closed=True)
    first.die()
    second = Driver(take_over(str(place), None, there, sleep=never))
    second.record(2)
    second.mirror.copy()
    assert stored_trials(place) == trials(second.folder) == [1, 2]


def test_a_driver_that_is_alive_is_not_taken_over_and_is_named(place: Path, here: Path, there: Path) -> None:
    driver = launch(place, here)
    driver.mirror.beat()
    with pytest.raises(StorageError, match=rf"running on {socket.gethostname()} \(process \d+\).*stop it there"):
        take_over(str(place), "one", there, sleep=lambda _: driver.mirror.beat())
    assert not there.exists()


def test_a_driver_is_taken_for_dead_after_three_silent_loss_windows(place: Path, here: Path, there: Path) -> None:
    driver = launch(place, here)
    driver.mirror.beat()
    slept: list[float] = []
    take_over(str(place), "one", there, sleep=slept.append)
    assert sum(slept) == pytest.approx(3 * layout.LOSS_WINDOW)


def test_a_driver_that_closes_while_it_is_watched_is_taken_over(place: Path, here: Path, there: Path) -> None:
    driver = launch(place, here)
    driver.mirror.beat()
    take_over(str(place), "one", there, sleep=lambda _: driver.mirror.beat(closed=True))


def test_where_it_ran_a_killed_search_goes_on_at_once_with_all_its_lines(place: Path, here: Path) -> None:
    first = launch(place, here)
    first.record(1)
    first.mirror.copy()
    first.mirror.beat()
    first.record(2, 3)
    first.die()
    second = Driver(take_over(str(place), "one", here, sleep=never))
    assert trials(second.folder) == [1, 2, 3]
    second.record(4)
    second.mirror.copy()
    assert stored_trials(place) == [1, 2, 3, 4]


def test_a_search_that_is_open_here_is_not_taken_over_though_its_storage_has_not_heard_of_it(
    place: Path, here: Path
) -> None:
    driver = launch(place, here)
    with pytest.raises(LedgerError, match="running in another process"):
        take_over(str(place), "one", here, sleep=no_sleep)
    driver.die()


def test_the_old_driver_writes_no_more_and_learns_who_took_over(place: Path, here: Path, there: Path) -> None:
    old = launch(place, here)
    old.record(1)
    old.mirror.copy()
    new = resume(place, there)
    old.record(2)
    before = sorted(path.name for path in (place / "one").rglob("*"))
    old.mirror.copy()
    old.mirror.beat()
    assert sorted(path.name for path in (place / "one").rglob("*")) == before
    assert old.mirror.superseded
    assert socket.gethostname() in old.mirror.superseded
    new.record(3)
    new.mirror.copy()
    assert stored_trials(place) == [1, 3]


@pytest.mark.usefixtures("quick")
def test_the_old_drivers_threads_end_when_it_is_superseded(place: Path, here: Path, there: Path) -> None:
    old = launch(place, here)
    resume(place, there)
    with old.mirror:
        wait_until(lambda: old.mirror.superseded)
        old.record(2)
    assert stored_trials(place) == []
    assert old.said == []
    wait_until(lambda: not {"mirror", "heartbeat"} & {thread.name for thread in threading.enumerate()})


def test_a_segment_of_the_old_driver_that_arrives_late_does_not_count(place: Path, here: Path, there: Path) -> None:
    old = launch(place, here)
    old.record(1)
    old.mirror.copy()
    late = place / "one" / layout.read_claims(layout.home_of(str(place), "one"))[0].segment(2)
    old.record(2)
    line = (old.folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)[1]
    new = resume(place, there)
    new.record(3)
    late.write_bytes(line)
    assert stored_trials(place) == [1]
    new.mirror.copy()
    late.write_bytes(b"torn")
    assert stored_trials(place) == [1, 3]


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
        driver.ledger.append("measured", trial=3, repeat=1, state="done", seconds=len(weights) + (driver is new))
    new.mirror.copy()
    old.die()
    with pytest.warns(UserWarning, match="taken over by"):
        fetch(str(place), "one", here)
    assert (here / "one" / "retrain" / "3-1" / "model.safetensors").read_bytes() == b"new"


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
            book.append("asked", trial=trial, repeat=0)
        layout.remember(folder, str(place), **{layout.read_claims(layout.home_of(str(place), "one"))[-1].id: -1})
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


@pytest.mark.filterwarnings("ignore:one was taken over")
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_ledger_cut_by_resume_until_is_cut_in_the_storage_too(
    place: Path, here: Path, there: Path, elsewhere: bool
) -> None:
    first = launch(place, here)
    first.record(1, 2, 3)
    first.mirror.copy()
    first.die()
    second = resume(place, here)
    second.record(4)
    second.mirror.copy()
    second.die()
    folder = take_over(str(place), "one", there if elsewhere else here, sleep=no_sleep)
    ledger.cut(folder / "ledger.jsonl", 3)
    third = Driver(folder)
    third.record(5)
    third.mirror.copy()
    assert [json.loads(line)["event"] for line in layout.read(layout.home_of(str(place), "one")).lines] == [
        "asked",
        "asked",
        "cut",
        "asked",
    ]
    third.die()
    fourth = resume(place, here if elsewhere else there)
    assert (fourth.folder / "ledger.jsonl").read_bytes() == (third.folder / "ledger.jsonl").read_bytes()


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
        standing.append(mirror.claim(home, rival, sleep=no_sleep))

    with Ledger(folder / "ledger.jsonl"), pytest.raises(StorageError, match="taken over by .* at the same moment"):
        mirror.claim(home, folder, sleep=meanwhile)
    assert layout.read_claims(home)[-1] == standing[0]


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
    assert [claim.number for claim in layout.read_claims(layout.home_of(str(place), "one"))] == [1, 2, 3]
    assert stored_trials(place) == [1]


def test_a_name_that_is_taken_in_the_storage_is_refused(place: Path, here: Path, there: Path) -> None:
    launch(place, here)
    with pytest.raises(StorageError, match=r"'one' exists in .*hpsearch resume one and the same --storage"):
        launch(place, there)


# ---- damage


@pytest.fixture
def three_segments(place: Path, here: Path) -> Iterator[SimpleNamespace]:
    driver = launch(place, here)
    for trial in range(3):
        driver.record(trial)
        driver.mirror.copy()
    driver.die()
    names = sorted((place / "one" / "record").iterdir())
    yield SimpleNamespace(names=names, driver=driver)


def refused(place: Path, there: Path) -> str:
    for _ in range(2):
        with pytest.raises(StorageError) as error:
            take_over(str(place), "one", there, sleep=no_sleep)
    assert not there.exists()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_segment_is_named(place: Path, there: Path, three_segments: SimpleNamespace) -> None:
    three_segments.names[1].unlink()
    assert f"record/{three_segments.names[1].name} is missing" in refused(place, there)


@pytest.mark.parametrize("damage", ["bit", "torn", "line", "swapped"])
def test_a_damaged_segment_is_named(place: Path, there: Path, three_segments: SimpleNamespace, damage: str) -> None:
    name = three_segments.names[1]
    data = name.read_bytes()
    damaged = {
        "bit": data.replace(b'"trial":1', b'"trial":3'),
        "torn": data[:-5],
        "line": data + data,
        "swapped": three_segments.names[2].read_bytes(),
    }
    name.write_bytes(damaged[damage])
    assert f"record/{name.name} in {place}/one is damaged" in refused(place, there)


def test_lines_missing_before_a_takeover_are_a_gap(
    place: Path, here: Path, there: Path, three_segments: SimpleNamespace
) -> None:
    resume(place, here).die()
    three_segments.names[2].unlink()
    assert "has a gap: driver 2 took over at event 3, and only 2 events are there" in refused(place, there)


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"number": 1}', "[1]"])
def test_a_damaged_claim_is_named(place: Path, there: Path, three_segments: SimpleNamespace, text: str) -> None:
    (place / "one" / "drivers" / "0001.json").write_text(text)
    assert "drivers/0001.json" in refused(place, there)


@pytest.mark.parametrize("change", [{"number": "1"}, {"number": 2}, {"first_seq": None}, {"id": "../x"}])
def test_a_claim_that_no_driver_makes_is_named(
    place: Path, there: Path, three_segments: SimpleNamespace, change: dict[str, Any]
) -> None:
    path = place / "one" / "drivers" / "0001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert "drivers/0001.json in" in refused(place, there)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"storage": 5, "claims": {}}'])
def test_a_damaged_note_of_the_storage_is_named(place: Path, here: Path, text: str) -> None:
    driver = launch(place, here)
    driver.die()
    (driver.folder / "storage.json").write_text(text)
    with pytest.raises(StorageError, match=r"storage\.json is damaged .* fetch the search into another --results"):
        layout.location_of(driver.folder)


def test_a_missing_claim_is_named(place: Path, here: Path, there: Path, three_segments: SimpleNamespace) -> None:
    resume(place, here).die()
    (place / "one" / "drivers" / "0001.json").unlink()
    assert "drivers/0001.json is missing" in refused(place, there)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_damaged_description_is_named(place: Path, there: Path, three_segments: SimpleNamespace, text: str) -> None:
    (place / "one" / "search.json").write_text(text)
    assert "search.json in" in refused(place, there)


# ---- wrong requests


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/abs", ".hidden", "a b", "x" * 101, "ü"])
def test_a_name_that_could_leave_the_results_is_refused(place: Path, there: Path, name: str) -> None:
    place.mkdir()
    with pytest.raises(StorageError, match="a search's name is"):
        fetch(str(place), name, there)


def test_files_that_the_storage_names_stay_in_the_search(place: Path, here: Path, there: Path) -> None:
    driver = launch(place, here)
    driver.mirror.copy()
    for name in ("retrain/1-1/evil.sh", "retrain/config.json", "retrain/1-1/x/config.json", "retrain/../config.json"):
        files.write(place / "one" / name, b"evil")
    fetched = fetch(str(place), "one", there)
    assert sorted(p.name for p in fetched.rglob("*")) == ["ledger.jsonl", "search.json", "storage.json"]


def test_an_unknown_search_lists_the_known_ones(place: Path, here: Path, there: Path) -> None:
    launch(place, here, "first")
    launch(place, here, "second", 2.0)
    with pytest.raises(StorageError, match=r"no search 'third' in .*the newest are first, second"):
        fetch(str(place), "third", there)
    (place / "third").mkdir()
    with pytest.raises(StorageError, match=r"no search 'third' in .*the newest are first, second"):
        take_over(str(place), "third", there)


def test_a_storage_without_searches_says_how_to_begin(place: Path, there: Path) -> None:
    with pytest.raises(StorageError, match="no search in .*hpsearch launch --storage"):
        fetch(str(place), None, there)


@pytest.mark.parametrize(
    ("location", "rule"),
    [
        ("nowhere://bucket/path", "begins with one of s3://, gs://.*got 'nowhere://'"),
        ("s3:bucket/path", "a URI such as s3://bucket/path; got"),
        ("s3:/bucket/path", "a URI such as s3://bucket/path; got"),
        ("s3://", "names no bucket"),
        ("s3:///path", "names no bucket"),
        ("s3://bucket/path?endpoint=x", "options of s3:// are region, scheme, endpoint_override; got 'endpoint'"),
        ("s3://[bucket/path", "Invalid"),
        ("gs://", "bucket"),
    ],
)
def test_a_location_that_is_none_is_one_line_with_the_rule(here: Path, location: str, rule: str) -> None:
    with pytest.raises(StorageError, match=rule) as error:
        launch(location, here)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("location", ["s3://mine:hush@bucket/x", "s3://mine:hu/sh@bucket/x", "s3://hush@bucket"])
def test_keys_in_a_location_are_refused_and_not_repeated(here: Path, location: str) -> None:
    with pytest.raises(StorageError, match="AWS_ACCESS_KEY_ID") as error:
        launch(location, here)
    assert "mine" not in str(error.value)
    assert "hu" not in str(error.value)


def test_a_place_that_may_not_be_written_is_one_line(place: Path, here: Path) -> None:
    place.write_text("a file")
    with pytest.raises(StorageError, match=f"storage {place}: .*Not a directory"):
        launch(place, here)


# ---- an object store

DRIVER = """
import sys, time
from pathlib import Path
from search.history import store
from search.history.ledger import Ledger
from search.storage import layout, mirror

layout.LOSS_WINDOW = 1.0
found = store.create(Path(sys.argv[2]), "one", store.Request(space="any", samples=1, data_dir=""), 1.0, {})
mirror.begin(sys.argv[1], found.folder)
with Ledger(found.ledger) as book, mirror.Mirror(book, found.folder, print):
    for trial in range(10_000):
        book.append("asked", trial=trial, repeat=0)
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
            wait_until(lambda: len(layout.read(layout.home_of(place, "one")).lines) > 50)
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
    second.record(-1)
    second.mirror.copy()
    second.mirror.beat(closed=True)
    second.die()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        third = resume(place, here, "one")
    assert len(caught) == (1 if lost else 0)
    assert trials(third.folder) == [*range(len(stored)), -1]


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
    monkeypatch.setattr(files, "_SILENT_SECONDS", 1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        location = f"s3://bucket/x?endpoint_override=127.0.0.1:{silent.getsockname()[1]}&scheme=http"
        for _ in range(2):
            begun = time.monotonic()
            with pytest.raises(StorageError, match=r"s3://bucket/x: it cannot be reached \(.*\); check"):
                launch(location, here, f"search-{begun}")
            assert time.monotonic() - begun < 8
            silent.listen()  # from now on it accepts and says nothing
