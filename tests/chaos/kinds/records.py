"""A search's own files: search.json and the ledger."""

import json
import warnings
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st
from rules.rule import FINISHED, line_with_checksum, whole_lines

from kinds.holding import Kind, begin, hpsearch
from kinds.making import changed, damaged


def requests() -> Kind:
    """search.json with parts changed, read by every verb that reads it."""
    path = Path("results", FINISHED, "search.json")
    whole = path.read_bytes()

    def test(data: Any) -> None:
        path.write_text(json.dumps(data))
        try:
            with mock.patch("search.run.launch.run", begin):
                for verb in ("status", "top", "list", "resume"):
                    hpsearch(verb, *([FINISHED] if verb != "list" else []))
        finally:
            path.write_bytes(whole)

    return changed(json.loads(whole)), test


def ledgers() -> Kind:
    """Ledgers with bytes changed: what is read is what stands before the damage."""
    from search.history import ledger

    path = Path("results", FINISHED, "ledger.jsonl")
    whole = path.read_bytes()

    def test(data: bytes) -> None:
        path.write_bytes(data)
        try:
            code = hpsearch("status", FINISHED)
            assert path.read_bytes() == data, "reading has changed it"
            if code == 0:
                assert len(ledger.read(path)) == len(whole_lines(data))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ledger.Ledger(path).close()
                assert path.read_bytes() == b"".join(line + b"\n" for line in whole_lines(data))
        finally:
            path.write_bytes(whole)

    lines = whole.splitlines(keepends=True)
    return damaged(whole) | st.permutations(lines).map(b"".join) | st.lists(st.sampled_from(lines)).map(b"".join), test


def events() -> Kind:
    """Ledgers of which an event says something else, with a right checksum."""
    path = Path("results", FINISHED, "ledger.jsonl")
    whole = path.read_bytes()
    entries = [json.loads(line) for line in whole.splitlines()]
    for entry in entries:
        del entry["crc"]

    def with_changed(number: int) -> st.SearchStrategy[bytes]:
        def put(entry: Any) -> bytes:
            before, after = entries[:number], entries[number + 1 :]
            return b"".join(map(line_with_checksum, [*before, entry | {"v": 1, "seq": number}, *after]))

        return changed(entries[number]).map(put)

    def test(data: bytes) -> None:
        path.write_bytes(data)
        try:
            for verb in ("status", "top", "list"):
                hpsearch(verb, *([FINISHED] if verb != "list" else []))
            assert path.read_bytes() == data, "reading has changed it"
        finally:
            path.write_bytes(whole)

    return st.integers(0, len(entries) - 1).flatmap(with_changed), test
