"""A search is ended from another terminal as by Ctrl-C, and deleted only when nobody works on it."""

import socket
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from search.cli.ending import delete
from search.history import ledger, store
from search.history.events import Opened
from search.history.ledger import Ledger
from search.history.load import read_search
from search.history.store import Request
from search.run import ending
from search.run.ending import EndingError

REQUEST = Request(space="cnn_all", samples=1, epochs=1, data_dir="")
FACTS = {"data": {"fingerprint": "0", "num_train": 1, "num_validation": 1}}


def make(results, **opened):
    """A search of which a session began, and its open ledger."""
    search = store.create(results, "one", REQUEST, 0.0, FACTS)
    book = Ledger(search.ledger)
    book.append(Opened(samples=1, slots=1, **opened))
    return search, book


def test_a_running_search_is_ended_and_its_record_closed(tmp_path):
    words = "launch --dataset digits --space cnn5 --samples 1 --epochs 5000 --augment none --limit-train 60"
    words += f" --scheduler none --engine inline --name one --data-dir {tmp_path} --results {tmp_path}"
    with subprocess.Popen([sys.executable, "-m", "search", *words.split()], stderr=subprocess.PIPE) as process:
        path = tmp_path / "one" / "ledger.jsonl"
        while not (path.exists() and any(line["event"] == "measured" for line in ledger.read(path))):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.1)
        assert ending.stop(read_search(tmp_path, "one")) == "interrupted"
        assert process.wait() == 130
    assert read_search(tmp_path, "one").state == "interrupted"


def test_a_search_of_another_machine_is_named_with_that_machine(tmp_path):
    _, book = make(tmp_path, host="elsewhere", pid=77)
    with book, pytest.raises(EndingError, match=r"one runs on elsewhere \(process 77\)"):
        ending.stop(read_search(tmp_path, "one"))


def test_a_process_that_does_not_work_on_the_search_is_left_alone(tmp_path):
    with subprocess.Popen(["sleep", "100"]) as other:
        _, book = make(tmp_path, host=socket.gethostname(), pid=other.pid)
        with book, pytest.raises(EndingError, match="one is starting, or another command is using its record"):
            ending.stop(read_search(tmp_path, "one"))
        assert other.poll() is None
        other.kill()


def test_a_search_that_does_not_run_is_not_stopped(tmp_path):
    make(tmp_path)[1].close()
    with pytest.raises(EndingError, match="one is not running: killed"):
        ending.stop(read_search(tmp_path, "one"))


def test_only_a_search_that_nobody_works_on_is_deleted(tmp_path):
    search, book = make(tmp_path)
    with book, pytest.raises(EndingError, match="one is running: end it first with hpsearch stop one"):
        ending.check_deletable(tmp_path, "one")
    assert ending.delete(ending.check_deletable(tmp_path, "one")) is None
    assert not search.folder.exists()


def test_a_search_behind_a_link_is_deleted_with_the_link(tmp_path):
    search, book = make(tmp_path)
    book.close()
    away = search.folder.rename(tmp_path / "away")
    search.folder.symlink_to(away)
    ending.delete(ending.check_deletable(tmp_path, "one"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("answer", "stays"), [("n", True), ("y", False)])
def test_deleting_asks_first(tmp_path, answer, stays):
    search, book = make(tmp_path)
    book.close()
    done = CliRunner().invoke(delete, ["one", "--results", str(tmp_path)], input=answer)
    assert done.exit_code == 0 and f"delete {search.folder}?" in done.output
    assert search.folder.exists() == stays
