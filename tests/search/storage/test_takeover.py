"""A search goes on elsewhere when its driver has ended, and never while it has not."""

import json
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from search.history import ledger
from search.history.ledger import LedgerError
from search.storage import layout, record
from search.storage.layout import StorageError
from search.storage.takeover import take_over
from tests.search.storage.drivers import Driver, launch, never, no_sleep, resume, stored_trials, trials, wait_until


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


RUNNING = """
import sys, time
from pathlib import Path
from search.storage import layout
from tests.search.storage.drivers import launch
layout.LOSS_WINDOW = 0.4
driver = launch(*map(Path, sys.argv[1:]))
driver.record(1)
with driver.mirror:
    driver.mirror.copy()
    print("running", flush=True)
    sys.stdin.read()
"""


@pytest.mark.usefixtures("quick")
def test_a_copied_folder_does_not_take_over_the_search_that_still_runs_where_it_was_copied_from(
    place: Path, here: Path, there: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUNNING, place, here], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "running\n"
        shutil.copytree(here, there)
        with pytest.raises(StorageError, match=rf"one is running on .* \(process {process.pid}\)"):
            take_over(str(place), "one", there)
        process.kill()
    take_over(str(place), "one", there, sleep=never)


@pytest.mark.parametrize("has_more", [False, True])
def test_a_storage_that_was_moved_is_noted_where_its_search_ran(place: Path, here: Path, has_more: bool) -> None:
    driver = launch(place, here)
    driver.record(1)
    driver.mirror.copy()
    if has_more:
        driver.record(2)
    driver.die()
    moved = place.rename(place.with_name("moved"))
    again = resume(moved, here)
    again.record(3)
    again.mirror.copy()
    assert stored_trials(moved) == trials(again.folder)
    assert not place.exists()


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
    late = place / "one" / record.read_claims(layout.home_of(str(place), "one"))[0].segment(2)
    old.record(2)
    line = (old.folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)[1]
    new = resume(place, there)
    new.record(3)
    late.write_bytes(line)
    assert stored_trials(place) == [1]
    new.mirror.copy()
    late.write_bytes(b"torn")
    assert stored_trials(place) == [1, 3]


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
    assert [json.loads(line)["event"] for line in record.read(layout.home_of(str(place), "one")).lines] == [
        "asked",
        "asked",
        "cut",
        "asked",
    ]
    third.die()
    fourth = resume(place, here if elsewhere else there)
    assert (fourth.folder / "ledger.jsonl").read_bytes() == (third.folder / "ledger.jsonl").read_bytes()
