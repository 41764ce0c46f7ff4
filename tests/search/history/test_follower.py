import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from search.history import ledger
from search.history.events import EventError, Opened, parse
from search.history.follower import Follower
from search.history.ledger import Ledger, LedgerError
from search.history.record import Record
from tests.search.events import measured
from trainables import files

FINISHED = Path(__file__).parents[2] / "data" / "0.1.0" / "finished" / "ledger.jsonl"
LINES = FINISHED.read_bytes().splitlines(keepends=True)

WRITER = """
import sys, time
from pathlib import Path
lines = Path(sys.argv[1]).read_bytes().splitlines(keepends=True)
with open(sys.argv[2], "ab", buffering=0) as file:
    for line in lines:
        middle = len(line) // 2
        for part in (line[:middle], line[middle:]):  # a line that is being written is there in part
            file.write(part)
            time.sleep(0.005)
"""


def state(record: Record) -> dict:
    return {key: (run.state, run.attempt, run.measurements) for key, run in record.runs.items()}


def read_bytes() -> int:
    """Bytes that this process has read in all."""
    return int(dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())["rchar"])


def test_a_ledger_that_grows_in_another_process_is_read_to_its_end_event_by_event(tmp_path):
    path = tmp_path / "ledger.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(FINISHED), str(path)])
    found, polls = [], 0
    with Follower(path) as follower:
        while len(found) < len(LINES):
            change = follower.poll()
            assert not change.anew
            found += change.events
            polls += bool(change.events)
            time.sleep(0.01)
        assert writer.wait(30) == 0
        assert found == list(parse(ledger.read(FINISHED)))
        assert polls > 5
        assert state(follower.record) == state(Record(parse(ledger.read(FINISHED))))


def test_a_poll_reads_what_is_new_however_long_the_ledger_is(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as book, Follower(path) as follower:
        book.append(Opened(slots=1, host="x" * 5_000_000))
        book.append(Opened(slots=1))
        assert len(follower.poll().events) == 2
        before = read_bytes()
        book.append(Opened(slots=1))
        assert len(follower.poll().events) == 1
        assert follower.poll().events == []
        assert read_bytes() - before < 10_000


def test_a_torn_last_line_waits_until_it_is_whole(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Follower(path) as follower:
        path.write_bytes(b"".join(LINES[:2]) + LINES[2][:30])
        assert len(follower.poll().events) == 2
        assert follower.poll().events == []
        with path.open("ab") as file:
            file.write(LINES[2][30:])
        assert [event.seq for event in follower.poll().events] == [2]


def test_a_change_names_the_runs_it_is_about(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Follower(path) as follower:
        path.write_bytes(b"".join(LINES[:1]))
        assert follower.poll().runs == set()
        path.write_bytes(b"".join(LINES[:2]))
        assert follower.poll().runs == {(0, 0)}


@pytest.mark.parametrize("then", [5, 12])
def test_a_ledger_that_was_cut_is_read_anew_also_when_it_has_grown_since(tmp_path, then):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(LINES[:10]))
    with Follower(path) as follower:
        assert len(follower.poll().events) == 10
        ledger.cut(path, 4)
        with Ledger(path) as book:
            while len(book.events) < then:
                book.append(Opened(slots=1))
        change = follower.poll()
        assert change.anew
        assert change.events == list(parse(ledger.read(path)))
        assert state(follower.record) == state(Record(change.events))


def test_a_ledger_that_was_replaced_in_place_is_read_anew(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(LINES[:10]))
    with Follower(path) as follower:
        follower.poll()
        path.write_bytes(b"".join(LINES[:5]))
        assert (follower.poll().anew, len(follower.record.runs)) == (True, len(Record(parse(ledger.read(path))).runs))


def test_a_longer_copy_that_has_replaced_the_ledger_is_no_other_ledger(tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(b"".join(LINES[:3]))
    with Follower(path) as follower:
        follower.poll()
        for lines in (5, 5, 9):
            files.write(path, b"".join(LINES[:lines]))  # as a fetch from a storage does
            change = follower.poll()
            assert not change.anew
        assert [event.seq for event in change.events] == [5, 6, 7, 8]
        assert state(follower.record) == state(Record(parse(ledger.read(path))))
        files.write(path, b"".join(LINES[:7]))
        change = follower.poll()
        assert (change.anew, len(change.events)) == (True, 7)


def test_a_ledger_that_is_not_there_yet_is_waited_for(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Follower(path) as follower:
        assert follower.poll().events == []
        path.write_bytes(LINES[0])
        assert len(follower.poll().events) == 1


def test_damage_before_the_last_line_is_an_error_that_names_the_line(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Follower(path) as follower:
        path.write_bytes(LINES[0])
        follower.poll()
        path.write_bytes(LINES[0] + LINES[1].replace(b"asked", b"axked") + LINES[2])
        with pytest.raises(LedgerError, match="line 2: the line does not match its checksum"):
            follower.poll()


def test_an_event_that_no_search_writes_is_an_error_that_names_the_line(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as book, Follower(path) as follower:
        book.append(Opened(slots=1))
        follower.poll()
        book.append(measured(10, trial=5))
        with pytest.raises(EventError, match=r"line 2: its checksum is right, but"):
            follower.poll()


def test_a_ledger_of_a_later_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as book, Follower(path) as follower:
        book.append(Opened(slots=1))
        follower.poll()
        with monkeypatch.context() as later:
            later.setattr("search.history.ledger.VERSION", 2)
            book.append(Opened(slots=1))
        assert json.loads(path.read_text().splitlines()[1])["v"] == 2
        with pytest.raises(LedgerError, match="version 2"):
            follower.poll()
