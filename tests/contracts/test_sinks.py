"""What every sink holds: its output says of each run what the ledger says, once, whatever happened before."""

import importlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from search.cli.main import main
from search.follow import SINKS, sink
from search.follow.following import follow, sink_folder
from search.history import ledger, store
from search.history.events import FINAL, Decision, Measured, OfRun, State, parse
from search.history.ledger import Ledger
from search.history.record import Record, Run
from search.history.store import Search
from tests.search.events import ended, started

OLD = Path(__file__).parents[1] / "data" / "0.1.0"
LINES = (OLD / "finished" / "ledger.jsonl").read_bytes().splitlines(keepends=True)

#: What a sink's output says: of each trial its end, if it has one, and its curve by images. A trial that is there
#: twice fails the reader.
Contents = dict[int, tuple[str | None, dict[int, float]]]


def read_tensorboard(folder: Path, search: str, tag: str = "val_accuracy") -> Contents:
    """As TensorBoard reads it: a start at a step makes it forget what it read of that step and later ones."""
    found: Contents = {}
    for run in folder.glob("trial-*[0-9]"):
        if "retrain" in run.name:
            continue
        curve: dict[int, float] = {}
        end = None
        for event in (event for file in sorted(run.glob("events*")) for event in events_in(file)):
            if event.HasField("session_log"):
                curve, end = {}, None
            for value in event.summary.value:
                if value.tag == tag:
                    assert event.step not in curve
                    curve[event.step] = value.simple_value
                if value.tag == "_hparams_/session_start_info":
                    assert end is None
                    data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                    end = data.session_start_info.hparams["state"].string_value
        found[int(run.name.removeprefix("trial-"))] = (end, curve)
    return found


def events_in(file: Path) -> list[Event]:
    """The events of a file of length-prefixed records, up to a torn end."""
    data, at, found = file.read_bytes(), 0, []
    while at + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        if at + 12 + length + 4 > len(data):
            break
        found.append(Event.FromString(data[at + 12 : at + 12 + length]))
        at += 12 + length + 4
    return found


def read_optuna(folder: Path, search: str) -> Contents:
    """As optuna-dashboard reads it."""
    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    study = optuna.load_study(study_name=search, storage=storage)
    numbers = [trial.user_attrs["trial"] for trial in study.trials]
    assert len(set(numbers)) == len(numbers)
    return {t.user_attrs["trial"]: (t.user_attrs.get("state"), t.intermediate_values) for t in study.trials}


READERS: dict[str, Callable[[Path, str], Contents]] = {"tensorboard": read_tensorboard, "optuna": read_optuna}


@pytest.fixture(params=SINKS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def search(tmp_path: Path) -> Search:
    """A search whose ledger is empty yet; `grow` adds lines of a real one."""
    shutil.copytree(OLD / "finished", tmp_path / "one")
    (tmp_path / "one" / "ledger.jsonl").write_bytes(b"")
    return store.find(tmp_path, "one")


def grow(search: Search, lines: int) -> None:
    with search.ledger.open("ab") as file:
        file.write(b"".join(LINES[len(ledger.read(search.ledger)) :][:lines]))


def record_of(search: Search) -> Record:
    return Record(parse(ledger.read(search.ledger)))


def holds(name: str, search: Search) -> None:
    """Compare a sink's output with the record."""
    found = READERS[name](sink_folder(search, name), search.name)
    expected = said_of(record_of(search).trials)
    assert found.keys() == expected.keys()
    for trial, (end, curve) in expected.items():
        assert found[trial] == (end, pytest.approx(curve)), trial


def said_of(runs: list[Run]) -> Contents:
    return {
        run.key[0]: (
            run.state if run.state in FINAL else None,
            {m.images: m.val_accuracy for m in run.measurements if m.val_accuracy is not None},
        )
        for run in runs
    }


def test_every_sink_is_under_the_contract() -> None:
    assert READERS.keys() == SINKS.keys()


def test_a_finished_search_is_written_whole_and_following_ends(search: Search, name: str) -> None:
    grow(search, len(LINES))
    said: list[str] = []
    follow(search, name, once=False, say=said.append)
    holds(name, search)
    (line,) = said
    assert str(sink_folder(search, name)) in line


def test_starting_twice_leaves_no_trial_twice(search: Search, name: str) -> None:
    for lines in (20, 0, 15, len(LINES), 0):
        grow(search, lines)
        follow(search, name, once=True)
        holds(name, search)


def test_output_is_right_after_every_line_of_the_ledger(search: Search, name: str) -> None:
    with sink.opened(name, sink_folder(search, name), search.name) as into:
        into.start([])
        for event in parse(map(ledger.decode, LINES, range(len(LINES)))):
            grow(search, 1)
            if isinstance(event, OfRun):
                into.update([record_of(search).runs[event.trial, event.repeat]])
            holds(name, search)


def test_a_killed_sink_goes_on_where_it_was_and_leaves_no_trial_twice(search: Search, name: str) -> None:
    grow(search, 30)
    with follower_in_another_process(search, name):
        wait_for(lambda: size_of(sink_folder(search, name)) > 2000)
        before = size_of(sink_folder(search, name))
        grow(search, 20)
        wait_for(lambda: size_of(sink_folder(search, name)) > before)
    grow(search, len(LINES))
    follow(search, name, once=True)
    holds(name, search)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


@contextmanager
def follower_in_another_process(search: Search, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """`hpsearch follow`, killed at the end."""
    command = [sys.executable, "-m", "search", "follow", name, search.name, "--results", str(search.folder.parent)]
    # Where the tests run below nohup, the command would ignore a Ctrl-C too.
    with subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as follower:
        try:
            yield follower
        finally:
            follower.kill()


def wait_for(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen within a minute")


def test_a_trial_that_is_trained_again_has_the_curve_and_the_end_of_its_last_attempt(search: Search, name: str) -> None:
    grow(search, len(LINES))
    with Ledger(search.ledger) as book:
        measured = next(event for event in book.events if isinstance(event, Measured))
        again = replace(
            measured, attempt=8, state=State.RUNNING, decision=Decision.CONTINUE, checkpoint=None, val_accuracy=0.125
        )
        for _ in range(2):
            follow(search, name, once=True)
            holds(name, search)
            book.append(started(measured.trial, attempt=8))
            follow(search, name, once=True)
            holds(name, search)
            book.append(again)
            follow(search, name, once=True)
            holds(name, search)
            book.append(ended(State.FAILED, "its worker died", trial=measured.trial, attempt=8))


def test_a_diverged_trial_keeps_no_values_that_a_sampler_could_learn_from(search: Search) -> None:
    going_on = next(n for n, line in enumerate(LINES) if b'"event":"measured"' in line and b'"state":"running"' in line)
    grow(search, going_on + 1)
    with Ledger(search.ledger) as book:
        running = next(r for r in Record(book.events).trials if r.state is State.RUNNING and r.measurements)
        follow(search, "optuna", once=True)
        book.append(ended(State.DIVERGED, "loss is NaN", trial=running.key[0], attempt=running.attempt))
    follow(search, "optuna", once=True)
    assert read_optuna(sink_folder(search, "optuna"), search.name)[running.key[0]] == ("diverged", {})


def test_output_follows_a_ledger_that_was_cut(search: Search, name: str) -> None:
    grow(search, len(LINES))
    follow(search, name, once=True)
    ledger.cut(search.ledger, 25)
    follow(search, name, once=True)
    holds(name, search)


def test_a_second_follower_of_the_same_search_is_refused(search: Search, name: str) -> None:
    grow(search, 20)
    with (
        sink.opened(name, sink_folder(search, name), search.name),
        pytest.raises(sink.SinkError, match="another hpsearch follow"),
    ):
        follow(search, name, once=True)


def files_of(search: Search) -> dict[Path, bytes]:
    """The search's own files."""
    return {path: path.read_bytes() for path in search.folder.iterdir() if path.is_file()}


def test_a_sink_changes_nothing_in_the_search_also_when_it_fails(
    search: Search, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        viewer = ""

        def start(self, runs: Any) -> None:
            raise OSError(28, "No space left on device")

    grow(search, len(LINES))
    before = files_of(search)
    follow(search, name, once=True)
    assert files_of(search) == before
    with monkeypatch.context() as failing:
        failing.setattr(importlib.import_module(SINKS[name]), "make", lambda folder, search: Failing())
        with pytest.raises(OSError, match="No space"):
            follow(search, name, once=True)
    assert files_of(search) == before
    follow(search, name, once=True)
    holds(name, search)


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(search: Search, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`hpsearch follow` in this process: exit code and standard error."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["hpsearch", "follow", *arguments, "--results", str(search.folder.parent)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr().err  # type: ignore[return-value]

    return call


def test_an_unknown_sink_names_the_known_ones(command: Command) -> None:
    code, line = command("wandb")
    assert (code, line.count("\n")) == (2, 1)
    assert all(name in line for name in SINKS)


def test_a_missing_library_is_one_line(command: Command, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library, module = {
        "tensorboard": ("tensorboardX", "tensorboardX.record_writer"),
        "optuna": ("optuna", "optuna.storages.journal"),
    }[name]
    monkeypatch.delitem(sys.modules, SINKS[name], raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    code, line = command(name, "--once")
    assert (code, line.count("\n")) == (2, 1)
    assert f"the sink {name} needs {library}" in line


def test_a_folder_that_cannot_be_written_to_is_one_line(command: Command, search: Search, name: str) -> None:
    (search.folder / "follow").write_bytes(b"a file")
    code, line = command(name, "--once")
    assert (code, line.count("\n")) == (2, 1)
    assert f"cannot write to {sink_folder(search, name)}" in line


def test_ctrl_c_ends_following_with_130(search: Search, name: str) -> None:
    grow(search, 20)
    with follower_in_another_process(search, name) as follower:
        wait_for(lambda: size_of(sink_folder(search, name)) > 2000)
        follower.send_signal(signal.SIGINT)
        assert follower.wait(30) == 130


def test_ctrl_c_while_optunas_lock_is_released_is_no_error(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def interrupted(path: str) -> None:
        unlink(path)
        raise KeyboardInterrupt

    grow(search, 20)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "unlink", interrupted)
        follow(search, "optuna", once=True)
    follow(search, "optuna", once=True)
    holds("optuna", search)
