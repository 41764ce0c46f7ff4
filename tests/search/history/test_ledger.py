import fcntl
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from search.history import events, ledger
from search.history.events import EventError, Opened, parse
from search.history.ledger import DiskError, Ledger, LedgerError, MemoryLedger
from search.history.record import Record
from tests.search.events import CONFIG, asked, measured, started
from trainables import files

OPENED = Opened(samples=3, slots=1)


def write_three(path):
    with Ledger(path) as book:
        for trial in range(3):
            book.append(asked(trial))


def test_events_come_back_in_order_with_version_sequence_and_time(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, clock=lambda: 12.5) as book:
        book.append(asked())
        book.append(started())
    first, second = ledger.read(path)
    written = {"trial": 0, "repeat": 0, "config": CONFIG, "params": {}, "distributions": {}, "redrawn": 0}
    written |= {"parameters": 10, "flops": 20, "seed": 0}
    assert first == {"v": 1, "seq": 0, "time": 12.5, "event": "asked", **written}
    assert (second["seq"], second["event"]) == (1, "started")


def test_an_appended_event_comes_back_with_its_place_and_time_also_from_a_ledger_in_memory(tmp_path):
    memory = MemoryLedger(clock=lambda: 12.5)
    with Ledger(tmp_path / "ledger.jsonl", clock=lambda: 12.5) as book:
        for each in (asked(), started()):
            assert book.append(each) == memory.append(each) == book.events[-1]
        assert [(each.seq, each.time) for each in book.events] == [(0, 12.5), (1, 12.5)]
        written = book.events
    with Ledger(tmp_path / "ledger.jsonl") as book:
        assert book.events == written == memory.events


def test_a_ledger_with_a_line_that_no_search_writes_is_not_opened_and_stays_as_it_is(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as book:
        book.append(started())  # of a run that was never asked for
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(EventError, match="line 1.*run 0-0 was never asked for"):
            Ledger(path)
    assert path.read_bytes() == before
    assert not ledger.is_open(path)


def test_every_line_is_plain_json_with_a_checksum(tmp_path):
    write_three(tmp_path / "ledger.jsonl")
    for line in (tmp_path / "ledger.jsonl").read_text().splitlines():
        assert json.loads(line)["crc"] > 0


def test_numbers_that_json_lacks_become_null(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl") as book:
        book.append(asked(params={"x": [float("inf"), 1.0]}))
        book.append(measured(10, train_loss=float("nan")))
    drawn, event = ledger.read(tmp_path / "ledger.jsonl")
    assert event["train_loss"] is None
    assert drawn["params"] == {"x": [None, 1.0]}


def test_a_line_is_on_disk_before_append_returns(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as book:
        book.append(asked())
        assert len(ledger.read(path)) == 1


@pytest.mark.parametrize("kept", [1, 10, 50])
def test_a_torn_last_line_is_cut_off_with_a_warning_and_writing_goes_on(tmp_path, kept):
    path = tmp_path / "ledger.jsonl"
    write_three(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:kept])
    assert len(ledger.read(path)) == 2
    with pytest.warns(UserWarning, match="torn"), Ledger(path) as book:
        book.append(asked(9))
    assert [event["trial"] for event in ledger.read(path)] == [0, 1, 9]


def test_damage_before_the_last_line_is_refused_with_its_number_and_changes_nothing(tmp_path):
    path = tmp_path / "ledger.jsonl"
    write_three(path)
    damaged = path.read_bytes().replace(b'"trial":1', b'"trial":7')
    path.write_bytes(damaged)
    for attempt in (ledger.read, Ledger):
        with pytest.raises(LedgerError, match="line 2"):
            attempt(path)
    assert path.read_bytes() == damaged


def test_a_missing_line_is_noticed(tmp_path):
    path = tmp_path / "ledger.jsonl"
    write_three(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2] + lines[2])
    with pytest.raises(LedgerError, match="event 2 stands where 1 is due"):
        ledger.read(path)


def test_a_ledger_of_a_newer_version_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "ledger.jsonl"
    monkeypatch.setattr(ledger, "VERSION", 2)
    write_three(path)
    monkeypatch.setattr(ledger, "VERSION", 1)
    with pytest.raises(LedgerError, match="version 2.*up to 1"):
        ledger.read(path)


def test_a_second_writer_in_another_process_is_refused_and_a_reader_is_not(tmp_path):
    path = tmp_path / "search" / "ledger.jsonl"
    path.parent.mkdir()
    with Ledger(path) as book:
        book.append(asked())
        code = (
            "import sys; from pathlib import Path; from search.history.ledger import *\n"
            "path = Path(sys.argv[1]); assert is_open(path) and len(read(path)) == 1\n"
            "try: Ledger(path)\n"
            "except LedgerError as error: print(error)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert "running in another process" in done.stdout
    assert not ledger.is_open(path)


def test_a_full_disk_is_named_and_leaves_no_torn_line(tmp_path):
    import resource
    import signal

    path = tmp_path / "ledger.jsonl"
    write_three(path)
    before = path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Ledger(path) as book:
        # A limit on file sizes is the nearest to a full disk that needs no root: the write comes back short.
        resource.setrlimit(resource.RLIMIT_FSIZE, (before + 20, limits[1]))
        try:
            with pytest.raises(DiskError, match="nothing recorded is lost"):
                book.append(asked(3))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        book.append(asked(4))
    assert [event["trial"] for event in ledger.read(path)] == [0, 1, 2, 4]


def write_a_test_pass(folder):
    """A ledger of three sessions, a retrain and its test pass; its path."""
    path = folder / "ledger.jsonl"
    with Ledger(path) as book:
        for _ in range(3):
            book.append(OPENED)
        book.append(asked(repeat=1))
        book.append(events.Testing(trial=0, repeat=1))
    return path


def test_a_cut_keeps_what_is_before_a_line_records_itself_and_counts_lost_test_passes(tmp_path):
    path = write_a_test_pass(tmp_path)
    whole = path.read_bytes()
    ledger.cut(path, 3)
    left = ledger.read(path)
    assert [each["event"] for each in left] == ["opened", "opened", "cut"]
    assert Record(parse(left)).test_passes == 1
    assert [copy.read_bytes() for copy in tmp_path.glob("ledger-*.jsonl")] == [whole]
    with Ledger(path) as book:
        book.append(OPENED)
    assert len(ledger.read(path)) == 4


def test_two_cuts_of_one_second_keep_two_files(tmp_path):
    path = tmp_path / "ledger.jsonl"
    write_three(path)
    wholes = []
    for line in (3, 2):
        wholes.append(path.read_bytes())
        ledger.cut(path, line)
    assert sorted(copy.read_bytes() for copy in tmp_path.glob("ledger-*.jsonl")) == sorted(wholes)


@pytest.mark.parametrize("line", [0, 1, 4, 99])
def test_a_cut_at_no_line_is_refused_and_changes_nothing(tmp_path, line):
    path = tmp_path / "ledger.jsonl"
    write_three(path)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="2 to 3"):
        ledger.cut(path, line)
    assert path.read_bytes() == before


def test_a_cut_beyond_the_damage_is_refused(tmp_path):
    path = tmp_path / "ledger.jsonl"
    write_three(path)
    path.write_bytes(path.read_bytes().replace(b'"trial":1', b'"trial":7'))
    with pytest.raises(LedgerError, match="--until 2"):
        ledger.cut(path, 3)


@pytest.mark.parametrize("early", [True, False])
def test_a_ctrl_c_within_append_leaves_the_line_in_memory_and_on_disk_or_in_neither(tmp_path, early):
    class Interrupted(list):
        def append(self, entry):
            if not early:
                super().append(entry)
            raise KeyboardInterrupt

    path = tmp_path / "ledger.jsonl"
    write_three(path)
    with Ledger(path) as book:
        book.events = Interrupted(book.events)
        with pytest.raises(KeyboardInterrupt):
            book.append(asked(3))
        book.events = list(book.events)
        book.append(asked(4))
    assert [event["trial"] for event in ledger.read(path)] == [0, 1, 2, *([] if early else [3]), 4]


def test_a_cut_keeps_the_test_passes_of_an_earlier_cut_and_of_damaged_lines(tmp_path):
    path = write_a_test_pass(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"repeat":1', b'"repeat":2'))
    ledger.cut(path, 4)
    ledger.cut(path, 3)
    assert ledger.read(path)[-1]["tested"] == 1


def test_who_waits_for_a_ledger_that_is_replaced_gets_the_new_one(tmp_path):
    path = tmp_path / "ledger.jsonl"
    write_three(path)
    with path.open("rb") as busy, ThreadPoolExecutor() as pool:
        fcntl.flock(busy, fcntl.LOCK_EX)
        waiting = pool.submit(Ledger, path)
        time.sleep(0.3)
        files.write(path, path.read_bytes().splitlines(keepends=True)[0])
        fcntl.flock(busy, fcntl.LOCK_UN)
        with waiting.result() as book:
            book.append(OPENED)
    assert [event["seq"] for event in ledger.read(path)] == [0, 1]


def test_a_ledger_is_not_cut_while_it_is_open(tmp_path):
    path = tmp_path / "ledger.jsonl"
    write_three(path)
    with Ledger(path), pytest.raises(LedgerError, match="running in another process"):
        ledger.cut(path, 2)


def test_a_file_system_without_locks_is_named_and_not_taken_for_a_running_search(tmp_path, monkeypatch):
    path = tmp_path / "ledger.jsonl"
    write_three(path)

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    for attempt in (lambda: Ledger(path), lambda: ledger.cut(path, 2)):
        with pytest.raises(LedgerError, match=r"cannot be locked \(Function not implemented\).*another --results"):
            attempt()
    assert not ledger.is_open(path)


def test_only_files_that_are_open_for_writing_are_locked_for_one_process(tmp_path, monkeypatch):
    flock = fcntl.flock

    def as_over_nfs(file, operation):
        mode = fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE
        if operation & fcntl.LOCK_EX and mode == os.O_RDONLY:
            raise OSError(9, "Bad file descriptor")
        flock(file, operation)

    path = tmp_path / "ledger.jsonl"
    monkeypatch.setattr(fcntl, "flock", as_over_nfs)
    write_three(path)
    ledger.cut(path, 2)
    assert len(ledger.read(path)) == 2
