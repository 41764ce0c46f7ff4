"""The mirror's threads store what is recorded, whatever the storage does meanwhile."""

import shutil
import time
from pathlib import Path

import pytest

from search.history.record import Run
from search.run.run_files import RunFiles
from search.storage import layout, mirror
from search.storage.takeover import is_running, take_over
from tests.search.events import asked
from tests.search.storage.drivers import Driver, launch, never, stored_trials, wait_until
from trainables import files


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
    assert "the search continues" in driver.said[0].lower()


@pytest.mark.usefixtures("quick")
def test_a_storage_that_stays_away_delays_the_end_for_a_while_and_is_said(
    place: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "CLOSE_SECONDS", 0.5)
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


@pytest.mark.usefixtures("quick")
def test_while_a_storage_fails_it_is_not_asked_for_a_checkpoint(
    place: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = launch(place, here)
    own = RunFiles(driver.folder, checkpoints=files.Folder(str(place / "one" / "checkpoints")), mirror=driver.mirror)
    run = Run(asked(1), checkpoint="1-0-1-60.pt")
    assert own.usable(run) is None, "it is not there"
    away = place.with_name("away")
    with driver.mirror:
        driver.record(1)
        wait_until(lambda: stored_trials(place) == [1])
        place.rename(away)
        place.write_text("no folder")
        wait_until(lambda: driver.said)
        with monkeypatch.context() as patch:
            patch.setattr(files.Folder, "has", lambda *_: pytest.fail("it was asked"))
            assert own.usable(run) == "1-0-1-60.pt", "the worker tries for a while"
        place.unlink()
        away.rename(place)
        wait_until(lambda: len(driver.said) == 2)
