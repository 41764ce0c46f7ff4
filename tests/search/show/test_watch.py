"""A running search is watched from another terminal; this process is the one that runs it."""

import os
import pty
import subprocess
import threading
from pathlib import Path

import pytest

from search.history import store
from search.history.events import Closed, Opened, State
from search.history.ledger import Ledger
from search.show import watch as watching
from tests.end_to_end.commands import COMMAND, wait_for
from tests.search.events import asked, measured, started
from tests.search.storage.drivers import FACTS, REQUEST

RETRAIN = (
    Closed(reason="finished"),
    Opened(slots=1),
    asked(1, 1),
    started(1, 1),
    measured(10, None, trial=1, repeat=1),
)


@pytest.fixture
def book(tmp_path):
    """The ledger of a search at work on two trials."""
    found = store.create(tmp_path / "results", "one", REQUEST, 1.0, FACTS)
    with Ledger(found.ledger) as ledger:
        for event in (Opened(samples=3, slots=2), asked(0), asked(1), started(0), started(1), measured(10, 0.25)):
            ledger.append(event)
        yield ledger


def test_where_nobody_looks_each_measurement_is_a_plain_line_until_the_search_ends(tmp_path, book, capsys, monkeypatch):
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.02)
    names = []
    thread = threading.Thread(target=lambda: names.append(watching.watch(tmp_path / "results", None)))
    said = ""

    def has_said(words):
        nonlocal said
        said += capsys.readouterr().out
        return words in said

    thread.start()
    wait_for(lambda: has_said("ended"), 20)
    book.append(measured(20, 0.5, trial=1))
    book.append(measured(20, 0.125, state=State.DIVERGED, reason="the loss is not finite"))
    wait_for(lambda: has_said("diverged"), 20)
    book.append(Closed(reason="interrupted"))
    book.close()
    thread.join(20)
    assert names == ["one"]
    assert said.splitlines() == [
        "one: running, 0 of 3 trials ended, best 25.0%",
        "trial 1: cnn5 ×0.5, sgd 0.1, epoch 2/4, val 50.0%",
        "trial 0: cnn5 ×0.5, sgd 0.1, diverged: the loss is not finite",
    ]


@pytest.mark.parametrize(
    ("later", "parts"),
    [
        ((), ("trial", "25.0%", "0/3 ended: 2 running")),
        (
            (
                Closed(reason="finished"),
                Opened(slots=1),
                asked(1, 1),
                started(1, 1),
                measured(10, None, trial=1, repeat=1),
            ),
            ("retrain", "1-1", "0/1 ended: 1 running", "about 3 s left"),
        ),
    ],
    ids=["search", "retrain"],
)
def test_a_terminal_shows_slots_and_ctrl_c_ends_it_quietly(tmp_path, book, later, parts):
    for event in later:
        book.append(event)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [COMMAND, "status", "--watch"],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        env=os.environ | {"COLUMNS": "80", "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    while b"so far" not in seen:
        seen += os.read(ours, 10_000)
    shown = seen.decode()
    assert "slot" in shown and not [part for part in parts if part not in shown]
    process.send_signal(2)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 130
    os.close(ours)


def test_a_search_that_does_not_run_is_not_waited_for(tmp_path, book, capsys):
    book.close()
    assert watching.watch(Path(tmp_path / "results"), "one") == "one"
    assert capsys.readouterr().out == ""
