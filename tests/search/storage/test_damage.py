"""A damaged or incomplete storage is named in one line, and nothing is fetched from it."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from search.storage import note
from search.storage.layout import StorageError
from search.storage.takeover import take_over
from tests.search.storage.drivers import launch, no_sleep, resume


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
        note.location_of(driver.folder)


def test_a_missing_claim_is_named(place: Path, here: Path, there: Path, three_segments: SimpleNamespace) -> None:
    resume(place, here).die()
    (place / "one" / "drivers" / "0001.json").unlink()
    assert "drivers/0001.json is missing" in refused(place, there)


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_damaged_description_is_named(place: Path, there: Path, three_segments: SimpleNamespace, text: str) -> None:
    (place / "one" / "search.json").write_text(text)
    assert "search.json in" in refused(place, there)
