"""How a session ends, and what the next one makes of it; on the inline engine."""

import re
import signal
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from torch import nn

from search.history import ledger, store
from search.history.events import Measured
from search.history.store import NameTakenError
from search.run import session
from search.run.engines.engine import EngineError, engine
from search.run.launch import launch, resume
from search.run.progress import Progress
from search.run.session import Options, find_machine
from tests.search.run import searches
from trainables.files import Folder
from trainables.worker import patience

INLINE = Options(engine="inline")
LINES = [
    {
        "network": {"name": "cnn5", "width": 0.125},
        "optimizer": {"name": "sgd", "lr": rate},
        "training": {"batch_size": 32},
    }
    for rate in (0.1, 0.01)
]


@pytest.fixture
def request_of(tmp_path):
    """A request for the configurations of a list, on sixty digits for two epochs."""

    def make(lines=LINES):
        return searches.listed(tmp_path, lines, epochs=2, limit_train=60)

    return make


class Broken(nn.Module):
    """Fails in training, once batches are larger than those with which its cost is measured."""

    def __init__(self, num_classes):
        super().__init__()
        self.head = nn.Linear(256, num_classes)

    def forward(self, inputs):
        if self.training and len(inputs) > 8:
            raise ArithmeticError("a batch\ntoo many")
        return self.head(inputs.flatten(1))


def broken(num_classes):
    return Broken(num_classes)


def closings(folder):
    return [line["reason"] for line in ledger.read(folder / "ledger.jsonl") if line["event"] == "closed"]


def test_a_ctrl_c_closes_the_session_and_the_next_one_ends_with_the_same_tables(tmp_path, request_of, monkeypatch):
    whole = launch(request_of(), INLINE, results=tmp_path, name="whole")
    hear = Progress.hear

    def interrupt(self, event):
        hear(self, event)
        if isinstance(event, Measured):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "hear", interrupt)
        outcome = launch(request_of(), INLINE, results=tmp_path, name="interrupted")
    assert (outcome.reason, closings(outcome.search.folder)) == ("interrupted", ["interrupted"])
    assert signal.getsignal(signal.SIGINT) is before
    assert len(outcome.record.runs[0, 0].measurements) == 1
    outcome = resume(store.find(tmp_path, "interrupted"), INLINE, samples=None)
    assert (outcome.reason, closings(outcome.search.folder)) == ("finished", ["interrupted", "finished"])
    searches.assert_same_tables(outcome.search.folder, whole.search.folder)


def test_a_ctrl_c_whose_exception_a_library_swallows_ends_the_session_all_the_same(tmp_path, request_of, monkeypatch):
    whole = launch(request_of(), INLINE, results=tmp_path, name="whole")
    hear, interrupted = Progress.hear, []

    def interrupt(self, event):
        hear(self, event)
        if isinstance(event, Measured) and not interrupted:
            interrupted.append(event)  # a second one would end the process
            with suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "hear", interrupt)
        outcome = launch(request_of(), INLINE, results=tmp_path, name="interrupted")
    assert not any(run.measurements for run in outcome.record.trials[1:])
    assert (outcome.reason, closings(outcome.search.folder)) == ("interrupted", ["interrupted"])
    outcome = resume(store.find(tmp_path, "interrupted"), INLINE, samples=None)
    searches.assert_same_tables(outcome.search.folder, whole.search.folder)


def test_a_ctrl_c_of_which_a_library_makes_another_error_ends_the_session_too(tmp_path, request_of, monkeypatch):
    def train(driver, work, watcher):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr(session, "engine", lambda name: train)
    outcome = launch(request_of(), INLINE, results=tmp_path, name="interrupted")
    assert (outcome.reason, closings(outcome.search.folder)) == ("interrupted", ["interrupted"])


def test_a_terminal_that_says_twice_that_it_is_closed_asks_once(tmp_path, request_of, monkeypatch):
    def train(driver, work, watcher):
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGHUP)

    monkeypatch.setattr(session, "engine", lambda name: train)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # below nohup it would be ignored
    try:
        outcome = launch(request_of(), INLINE, results=tmp_path, name="closed")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (outcome.reason, closings(outcome.search.folder)) == ("interrupted", ["interrupted"])


def test_a_ctrl_c_while_libraries_start_is_only_noted(tmp_path, request_of, monkeypatch, capfd):
    def train(driver, work, watcher):
        with driver.undisturbed():
            signal.raise_signal(signal.SIGINT)
        assert driver.pausing == "interrupted"

    monkeypatch.setattr(session, "engine", lambda name: train)
    outcome = launch(request_of(), INLINE, results=tmp_path, name="interrupted")
    assert (outcome.reason, closings(outcome.search.folder)) == ("interrupted", ["interrupted"])
    assert "Ctrl-C again stops at once" in capfd.readouterr().err


def test_what_a_cut_off_host_writes_after_its_runs_end_is_removed_with_the_workers(tmp_path, request_of, monkeypatch):
    def train(driver, work, watcher):
        engine("inline")(driver, work, watcher)
        driver.files.checkpoints.write("0-0-1-1200.pt", b"late")

    monkeypatch.setattr(session, "engine", lambda name: train)
    outcome = launch(request_of(), INLINE, results=tmp_path, name="late")
    assert outcome.reason == "finished"
    assert list((outcome.search.folder / "checkpoints").iterdir()) == []


def test_a_search_that_is_out_of_time_says_so_and_is_resumed_to_its_end(tmp_path, request_of):
    whole = launch(request_of(), INLINE, results=tmp_path, name="whole")
    outcome = launch(request_of(), Options(engine="inline", max_time=1e-9), results=tmp_path, name="short")
    assert (outcome.reason, closings(outcome.search.folder)) == ("out of time", ["out of time"])
    outcome = resume(store.find(tmp_path, "short"), INLINE, samples=None)
    assert outcome.reason == "finished"
    searches.assert_same_tables(outcome.search.folder, whole.search.folder)


def test_a_storage_that_is_away_pauses_a_search_that_promotes_and_the_next_session_ends_with_the_same_tables(
    tmp_path, request_of, monkeypatch
):
    request = replace(request_of(LINES * 2), scheduler="halving", keep=0.5)
    whole = launch(request, INLINE, results=tmp_path, name="whole")
    read = Folder.read

    def refuse(self, name):
        if name.endswith(".pt"):
            raise OSError("no route to host")
        return read(self, name)

    monkeypatch.setattr(patience, "WAITS", (0.0, 0.0))
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "read", refuse)
        outcome = launch(request, INLINE, results=tmp_path, name="away", storage=str(tmp_path / "storage"))
    assert (outcome.reason, closings(outcome.search.folder)) == ("files unavailable", ["files unavailable"])
    assert "no route to host" in outcome.detail
    assert not [run for run in outcome.record.trials if run.state in ("failed", "running")]
    outcome = resume(store.find(tmp_path, "away"), INLINE, samples=None)
    assert outcome.reason == "finished"
    searches.assert_same_tables(outcome.search.folder, whole.search.folder)


def test_a_finished_search_that_is_resumed_opens_no_session_and_its_tables_are_there_again(tmp_path, request_of):
    first = launch(request_of(), INLINE, results=tmp_path, name="one")
    before = first.search.ledger.read_bytes()
    (first.search.folder / "trials.parquet").unlink()
    (first.search.folder / "trials.parquet.12ab34cd.tmp").write_bytes(b"half")
    outcome = resume(store.find(tmp_path, "one"), Options(), samples=None)
    assert (outcome.reason, outcome.detail) == ("finished", "nothing is left to train; --samples N adds trials")
    assert first.search.ledger.read_bytes() == before
    assert (first.search.folder / "trials.parquet").exists()
    assert not list(first.search.folder.rglob("*.tmp"))
    with ledger.Ledger(first.search.ledger), pytest.raises(ledger.LedgerError, match="another process"):
        resume(store.find(tmp_path, "one"), Options(), samples=None)


def test_a_session_takes_the_engine_of_the_launch_unless_told_and_a_cluster_needs_tune(tmp_path, request_of):
    search = launch(request_of(), Options(engine="inline", max_time=1e-9), results=tmp_path, name="one").search
    assert search.facts["engine"] == "inline"
    assert Options().settled(search.facts).engine == "inline"
    assert Options(engine="tune").settled(search.facts).engine == "tune"
    assert Options(address="127.0.0.1:6379").settled(search.facts).engine == "tune"
    assert Options().settled({}).engine == "tune"
    assert resume(search, Options(), samples=None).reason == "finished"


def test_searches_of_one_second_that_nobody_named_have_names_of_their_own(tmp_path, request_of, monkeypatch):
    monkeypatch.setattr(time, "strftime", lambda _: "20260101-000000")
    options = Options(engine="inline", max_time=1e-9)
    names = [launch(request_of(), options, results=tmp_path, name=None).search.name for _ in range(3)]
    stem = "space-digits-20260101-000000"
    assert names == [stem, f"{stem}-2", f"{stem}-3"]
    shared = launch(request_of(), options, results=tmp_path, name=None, storage=str(tmp_path / "storage"))
    assert re.fullmatch(rf"{stem}-[0-9a-f]{{4}}", shared.search.name)
    with pytest.raises(NameTakenError, match="choose another --name"):
        launch(request_of(), options, results=tmp_path, name=stem)


def test_a_failure_of_ours_is_recorded_as_one_and_is_raised(tmp_path, request_of, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr("search.run.engines.inline.train", fail)
    with pytest.raises(ZeroDivisionError):
        launch(request_of(), INLINE, results=tmp_path, name="one")
    assert closings(tmp_path / "one") == ["failed"]


def test_a_trial_whose_network_raises_is_failed_after_its_retries_and_the_next_one_is_trained(
    tmp_path, request_of, monkeypatch
):
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])  # a user's own, where networks are looked for
    broken = {**LINES[0], "network": {"name": "mine:broken"}}
    outcome = launch(request_of([broken, LINES[1]]), Options(engine="inline", retries=1), results=tmp_path, name="one")
    first, second = outcome.record.trials
    assert (outcome.reason, first.state, first.attempt, len(first.ends)) == ("finished", "failed", 2, 2)
    assert second.state == "done"
    assert first.reason == "ArithmeticError: a batch too many"


def test_a_trial_that_failed_for_good_under_halving_leaves_nothing_to_resume(tmp_path, request_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "mine", sys.modules[__name__])
    request = replace(request_of([{**LINES[0], "network": {"name": "mine:broken"}}, LINES[1]]), scheduler="halving")
    outcome = launch(request, Options(engine="inline", retries=0), results=tmp_path, name="one")
    assert [run.state for run in outcome.record.trials] == ["failed", "done"]
    before = outcome.search.ledger.read_bytes()
    assert resume(store.find(tmp_path, "one"), INLINE, samples=None).detail.startswith("nothing is left to train")
    assert outcome.search.ledger.read_bytes() == before


def test_an_inline_search_does_not_keep_its_one_slot_on_another_engine():
    facts = {"engine": "inline", "slots": 1, "room": 1, "threads": 1, "precision": "float32"}
    assert find_machine(Options(engine="inline"), (), facts).slots == 1
    there = find_machine(Options(engine="tune"), (), facts)
    assert there.slots == find_machine(Options(engine="tune"), (), {"threads": 1, "precision": "float32"}).slots


def test_an_unknown_engine_is_refused_with_the_known_ones():
    with pytest.raises(EngineError, match="unknown engine 'best'; known: tune, inline"):
        engine("best")
