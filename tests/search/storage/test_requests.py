"""A wrong name or storage is refused in one line that says the rule."""

from pathlib import Path

import pytest

from search.storage.layout import StorageError
from search.storage.takeover import fetch, take_over
from tests.search.storage.drivers import launch
from trainables import files


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


def test_a_storage_below_the_users_home(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    launch("~/searches", here)
    assert (tmp_path / "searches" / "one" / "search.json").exists()


def test_a_place_that_may_not_be_written_is_one_line(place: Path, here: Path) -> None:
    place.write_text("a file")
    with pytest.raises(StorageError, match=f"storage {place}: .*Not a directory"):
        launch(place, here)
