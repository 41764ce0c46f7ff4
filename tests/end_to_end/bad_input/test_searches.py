"""Searches that cannot go on, and their ledgers and search.json that are damaged or newer."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from search.history import store
from search.history.events import Decision, Measured, Opened, Started, State
from search.history.ledger import Ledger
from tests.end_to_end.bad_input.cases import (
    Refused,
    Run,
    folder_of_images,
    make_search,
    says,
)


def test_a_retrain_needs_a_finished_trial(refused: Refused, mine: store.Search):
    says(refused("retrain"), "mine", "no finished trial", "hpsearch status")


@pytest.mark.parametrize("verb", ["resume", "retrain"])
def test_a_search_that_another_process_runs_is_left_alone(refused: Refused, mine: store.Search, verb: str):
    with Ledger(mine.ledger) as book:
        run = {"trial": 0, "repeat": 0, "attempt": 1}
        book.append(Started(**run, images=0))
        end = {"state": State.DONE, "reason": None, "decision": Decision.END, "checkpoint": None}
        book.append(Measured(**run, **end, images=4000, epoch=4.0, val_accuracy=0.5, seconds=1.0))
        says(refused(verb), "mine", "running in another process", "hpsearch status")


def test_samples_only_grow(refused: Refused, mine: store.Search):
    says(refused("resume", "--samples", "7"), "8", "7", "grow")


@pytest.mark.parametrize("verb", ["resume", "retrain"])
def test_a_dataset_that_has_changed_is_refused(refused: Refused, data_dir: Path, verb: str):
    images = folder_of_images("cat", "dog")
    search = make_search(data_dir, dataset=str(images))
    search.ledger.touch()
    says(refused(verb), "my images", "changed", "mine", "new search")


def test_a_list_that_has_gone_is_refused(refused: Refused, data_dir: Path):
    make_search(data_dir, space="gone.jsonl").ledger.touch()
    says(refused("resume"), "gone.jsonl", "No such file")


def listed(run: Run) -> str:
    """What `list` says of the one search, which it shows as unreadable."""
    code, out, err = run("list")
    assert (code, err.count("\n")) == (2, 1) and re.search(r"^ mine +unreadable", out, flags=re.MULTILINE), out
    return err


@pytest.mark.parametrize("verb", ["resume", "status", "top", "retrain"])
def test_a_ledger_damaged_in_the_middle_names_the_line(refused: Refused, run: Run, mine: store.Search, verb: str):
    mine.ledger.write_bytes(mine.ledger.read_bytes().replace(b'"trial":0', b'"trial":1'))
    says(refused(verb), "ledger.jsonl", "line 2", "checksum")
    says(listed(run), "ledger.jsonl", "line 2", "checksum")


@pytest.mark.parametrize("verb", ["resume", "status", "top", "retrain"])
def test_a_ledger_of_a_newer_version_is_refused(
    refused: Refused, run: Run, mine: store.Search, verb: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as newer, Ledger(mine.ledger) as book:
        newer.setattr("search.history.ledger.VERSION", 2)
        book.append(Opened(samples=8, slots=2))
    says(refused(verb), "ledger.jsonl", "version 2", "update")
    says(listed(run), "ledger.jsonl", "version 2", "update")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda data: {**data, "v": 2}, ("mine", "newer", "version 2", "update")),
        (lambda data: {**data, "v": "new"}, ("damaged",)),
        (lambda data: [], ("damaged",)),
        (lambda data: {"v": 1, "request": {}}, ("damaged",)),
        (lambda data: {**data, "created": "today"}, ("damaged",)),
        (lambda data: {**data, "request": {"space": "cnn5"}}, ("damaged",)),
        (lambda data: {**data, "request": ["cnn5"]}, ("damaged",)),
        (lambda data: b'{"v": 1, "cre', ("damaged",)),
        (lambda data: b"\xff\xfe\x00", ("damaged",)),
        (lambda data: b"", ("damaged",)),
    ],
)
@pytest.mark.parametrize("arguments", [("status",), ("resume", "mine")])
def test_a_search_json_that_is_damaged_or_newer_is_refused(
    refused: Refused,
    run: Run,
    mine: store.Search,
    change: Callable[[Any], Any],
    parts: tuple[str, ...],
    arguments: tuple[str, ...],
):
    path = mine.folder / "search.json"
    changed = change(json.loads(path.read_text()))
    path.write_bytes(changed if isinstance(changed, bytes) else json.dumps(changed).encode())
    says(refused(*arguments), "mine", *parts)
    says(listed(run), "mine", *parts)
