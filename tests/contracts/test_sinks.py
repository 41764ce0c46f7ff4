"""What every sink holds: its output says of each run what the ledger says, once, whatever happened before."""

import importlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import metadata
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from mlflow import MlflowClient

from search.cli import following
from search.cli.main import main
from search.follow import SINKS, run_values, sink, tensorboard
from search.follow import optuna as optuna_sink
from search.follow.loop import follow, sink_folder
from search.history import events, ledger, store
from search.history.events import FINAL, Decision, Measured, OfRun, State, parse
from search.history.ledger import Ledger
from search.history.record import Record, Run
from search.history.store import Search
from search.storage import takeover
from search.storage.takeover import open_growing_copy
from tests.contracts.sink_readers import READERS, Contents, read_optuna, read_tensorboard
from tests.search.events import asked, ended, started
from tests.search.forks import forked
from tests.search.storage.drivers import launch

OLD = Path(__file__).parents[1] / "data" / "0.1.0"
TRIALS = (0, 2, 4, 8)  # of a real search that was killed once: done, stopped, both of them once more after the kill


def lines_of_some_trials() -> list[bytes]:
    """The lines of a ledger with these trials alone."""
    with TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.jsonl") as book:
        for event in parse(ledger.read(OLD / "finished" / "ledger.jsonl")):
            if not isinstance(event, OfRun) or event.trial in TRIALS:
                book.append(event)
        return (Path(folder) / "ledger.jsonl").read_bytes().splitlines(keepends=True)


LINES = lines_of_some_trials()


@pytest.fixture(params=SINKS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's database without a run, which takes seconds to make."""
    folder = tmp_path_factory.mktemp("mlflow")
    MlflowClient(f"sqlite:///{folder}/mlflow.db")
    return folder / "mlflow.db"


@pytest.fixture
def search(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Search:
    """A search whose ledger is empty yet; `grow` adds lines of a real one."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    shutil.copytree(OLD / "finished", tmp_path / "one")
    (tmp_path / "one" / "ledger.jsonl").write_bytes(b"")
    found = store.find(tmp_path, "one")
    folder_of(found, "mlflow").mkdir(parents=True)
    shutil.copy(database, folder_of(found, "mlflow"))
    return found


def folder_of(search: Search, name: str) -> Path:
    return sink_folder(search.folder, name)


def write(search: Search, name: str, once: bool = True, say: Callable[[str], None] = lambda _: None) -> None:
    follow(search, name, folder_of(search, name), once=once, say=say)


def grow(search: Search, lines: int) -> None:
    with search.ledger.open("ab") as file:
        file.write(b"".join(LINES[len(ledger.read(search.ledger)) :][:lines]))


def record_of(search: Search) -> Record:
    return Record(parse(ledger.read(search.ledger)))


def holds(name: str, search: Search) -> None:
    """Compare a sink's output with the record."""
    found = READERS[name](folder_of(search, name), search.name)
    expected = said_of(record_of(search))
    assert found.keys() == expected.keys()
    for trial, (end, curve) in expected.items():
        assert found[trial] == (end, pytest.approx(curve)), trial


def said_of(record: Record) -> Contents:
    return {
        run.key[0]: (
            end_of(run, record),
            {m.images: m.val_accuracy for m in run.measurements if m.val_accuracy is not None},
        )
        for run in record.trials
    }


def end_of(run: Run, record: Record) -> str | None:
    if run.state is State.PAUSED and record.finished:
        return "not continued"
    return run.state if run.state in FINAL else None


def test_every_sink_is_under_the_contract() -> None:
    assert READERS.keys() == SINKS.keys()


def test_a_finished_search_is_written_whole_and_following_ends(search: Search, name: str) -> None:
    grow(search, len(LINES))
    said: list[str] = []
    write(search, name, once=False, say=said.append)
    holds(name, search)
    (line,) = said
    assert str(folder_of(search, name)) in line


def test_it_says_how_many_runs_are_written(search: Search, name: str) -> None:
    grow(search, len(LINES))
    trials = len(record_of(search).trials)
    with Ledger(search.ledger) as book:
        book.append(asked(0, 1))
    said: list[str] = []
    write(search, name, say=said.append)
    number = trials if name == "optuna" else trials + 1  # which leaves retrains out
    assert said[0].startswith(f"{search.name}: {number} runs in {name}; look at them with: ")


def test_mlflow_is_viewed_from_an_environment_of_its_own(search: Search) -> None:
    said: list[str] = []
    write(search, "mlflow", say=said.append)
    version = metadata.version("mlflow-skinny")
    assert f"look at them with: uvx mlflow=={version} ui --backend-store-uri sqlite:///" in said[0]


def test_starting_twice_leaves_no_trial_twice(search: Search, name: str) -> None:
    for lines in (9, 0, 8, len(LINES), 0):
        grow(search, lines)
        write(search, name)
        holds(name, search)


def test_output_is_right_after_every_line_of_the_ledger(search: Search, name: str) -> None:
    with sink.opened(name, folder_of(search, name), search) as into:
        into.start([])
        for event in parse(map(ledger.decode, LINES, range(len(LINES)))):
            grow(search, 1)
            if isinstance(event, OfRun):
                into.update([record_of(search).runs[event.trial, event.repeat]])
            if name != "wandb":  # whose library writes by itself
                holds(name, search)
    holds(name, search)


def test_a_killed_sink_goes_on_where_it_was_and_leaves_no_trial_twice(search: Search, name: str) -> None:
    grow(search, 12)
    with follower_in_another_process(search, name):
        before = files_in(folder_of(search, name))
        grow(search, 6)
        wait_for(lambda: files_in(folder_of(search, name)) != before)
    grow(search, len(LINES))
    write(search, name)
    holds(name, search)


def files_in(folder: Path) -> dict[Path, tuple[int, int]]:
    """The files and when they were written; one that has just gone is none."""
    found = {}
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file():
                found[path] = (path.stat().st_size, path.stat().st_mtime_ns)
    return found


@contextmanager
def follower_in_another_process(search: Search, name: str) -> Iterator[BaseProcess]:
    """`hpsearch follow` that has written what there is; killed at the end."""

    def command() -> None:
        sys.argv = ["hpsearch", "follow", name, search.name, "--results", str(search.folder.parent)]
        main()

    with forked(command) as (process, printed):
        assert printed.readline().startswith(search.name)
        yield process


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
            write(search, name)
            holds(name, search)
            book.append(started(measured.trial, attempt=8))
            write(search, name)
            holds(name, search)
            book.append(again)
            write(search, name)
            holds(name, search)
            book.append(ended(State.FAILED, "its worker died", trial=measured.trial, attempt=8))


def pause(event: events.Event) -> events.Event:
    """The event of a scheduler that pauses where the recorded one stopped."""
    if isinstance(event, Measured) and event.state is State.STOPPED:
        return replace(event, state=State.PAUSED, decision=Decision.PAUSE, reason=None)
    return event


@pytest.mark.parametrize("at_once", [False, True], ids=["each time anew", "one follower"])
def test_paused_trials_have_ended_once_the_search_is_finished_unless_a_later_session_continues_them(
    search: Search, name: str, at_once: bool
) -> None:
    *begun, closed = map(pause, parse(map(ledger.decode, LINES, range(len(LINES)))))
    stage = 0

    def check() -> None:
        nonlocal stage
        stage += 1
        if not at_once:
            write(search, name)
        if name != "wandb" or not at_once:  # whose library writes by itself
            holds(name, search)

    with Ledger(search.ledger) as book:

        def go_on() -> Iterator[None]:
            for event in begun:
                book.append(event)
            yield
            paused = [run for run in Record(book.events).trials if run.state is State.PAUSED]
            assert len(paused) > 1
            book.append(closed)
            yield
            book.append(events.Opened(samples=14, slots=1))
            yield
            of = {"trial": paused[0].key[0], "repeat": 0}
            last = paused[0].measurements[-1]
            book.append(events.Granted(**of))
            book.append(started(of["trial"], attempt=9, images=last.images))
            book.append(
                replace(last, attempt=9, images=2 * last.images, state=State.DONE, decision=Decision.END, reason=None)
            )
            yield
            book.append(closed)
            yield

        stages = go_on()
        if not at_once:
            for _ in stages:
                check()
        else:
            next(stages)

            def following() -> bool:
                check()
                return next(stages, 0) is None

            follow(search, name, folder_of(search, name), once=False, pause=following)
    assert stage == 5
    holds(name, search)
    ends = {end for end, _ in said_of(record_of(search)).values()}
    assert ends >= {"not continued", "done"}


@pytest.mark.parametrize(
    ("reasons", "goes_on"),
    [
        (["interrupted", "retrain finished"], True),
        (["finished", "retrain killed"], True),
        (["finished", "retrain finished"], False),
        (["interrupted", "retrain finished", "finished"], False),
    ],
)
def test_following_ends_with_the_search_and_its_retrain(search: Search, reasons: list[str], goes_on: bool) -> None:
    with Ledger(search.ledger) as book:
        for reason in reasons:
            book.append(events.Opened(samples=None if "retrain" in reason else 14, slots=1))
            if "killed" not in reason:
                book.append(events.Closed(reason=reason.removeprefix("retrain ")))
    polls: list[int] = []
    pause = lambda: polls.append(1)  # noqa: E731
    follow(search, "tensorboard", folder_of(search, "tensorboard"), once=False, pause=pause)
    assert bool(polls) == goes_on


def test_a_trial_that_was_tried_again_ends_in_optuna_with_its_last_measurement(search: Search) -> None:
    grow(search, len(LINES))
    book = Record(parse(ledger.read(search.ledger)))
    run = next(run for run in book.trials if run.state is State.DONE)
    run.ends.append(replace(ended(State.INTERRUPTED), time=run.asked.time))
    trial = optuna_sink._trial_of(run)
    assert trial.datetime_complete is not None
    assert trial.datetime_complete.timestamp() == pytest.approx(run.measurements[-1].time, abs=1e-3)


def test_runs_on_folds_are_named_by_their_folds() -> None:
    runs = [Run(asked(1, repeat, fold=fold, folds=3)) for repeat, fold in ((2, None), (7, 3), (8, 1))]
    assert [run_values.name(run) for run in runs] == [
        "trial-0001-retrain-2",
        "trial-0001-7-fold-3",
        "trial-0001-8-fold-1",
    ]


def test_a_second_test_pass_is_written_over_the_first(search: Search) -> None:
    grow(search, len(LINES))
    client = MlflowClient(f"sqlite:///{folder_of(search, 'mlflow')}/mlflow.db")

    def tested() -> list[float]:
        write(search, "mlflow")
        runs = client.search_runs([client.get_experiment_by_name(search.name).experiment_id])
        return [each.data.metrics["test_accuracy"] for each in runs if "test_accuracy" in each.data.metrics]

    with Ledger(search.ledger) as book:
        done = next(run for run in Record(book.events).trials if run.state is State.DONE)
        for correct, flips in ((50, None), (60, True)):
            book.append(events.Tested(trial=done.key[0], repeat=0, correct=correct, images=100, flips=flips))
            assert tested() == [correct / 100]


def test_a_diverged_trial_keeps_no_values_that_a_sampler_could_learn_from(search: Search) -> None:
    going_on = next(n for n, line in enumerate(LINES) if b'"event":"measured"' in line and b'"state":"running"' in line)
    grow(search, going_on + 1)
    with Ledger(search.ledger) as book:
        running = next(r for r in Record(book.events).trials if r.state is State.RUNNING and r.measurements)
        write(search, "optuna")
        book.append(ended(State.DIVERGED, "loss is NaN", trial=running.key[0], attempt=running.attempt))
    write(search, "optuna")
    assert read_optuna(folder_of(search, "optuna"), search.name)[running.key[0]] == ("diverged", {})


def test_output_follows_a_ledger_that_was_cut(search: Search, name: str) -> None:
    grow(search, len(LINES))
    write(search, name)
    ledger.cut(search.ledger, 12)
    write(search, name)
    holds(name, search)


def test_a_second_follower_of_the_same_search_is_refused(search: Search, name: str) -> None:
    grow(search, 9)
    with (
        sink.opened(name, folder_of(search, name), search),
        pytest.raises(sink.SinkError, match="another hpsearch follow"),
    ):
        write(search, name)


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

        def close(self) -> None: ...

    grow(search, len(LINES))
    before = files_of(search)
    write(search, name)
    assert files_of(search) == before
    with monkeypatch.context() as failing:
        failing.setattr(importlib.import_module(f"search.follow.{name}"), "make", lambda folder, search: Failing())
        with pytest.raises(OSError, match="No space"):
            write(search, name)
    assert files_of(search) == before
    write(search, name)
    holds(name, search)


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(search: Search, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`hpsearch follow`, or another verb, in this process: exit code and standard error."""

    def call(*arguments: str, verb: str = "follow") -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["hpsearch", verb, *arguments, "--results", str(search.folder.parent)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code, capsys.readouterr().err  # type: ignore[return-value]

    return call


def test_an_unknown_sink_names_the_known_ones(command: Command) -> None:
    for code, line in (command("comet"), command("--follow", "comet", verb="launch")):
        assert (code, line.count("\n")) == (2, 1)
        assert all(name in line for name in SINKS)


def test_a_missing_library_is_one_line_before_anything_is_on_disk(
    command: Command, search: Search, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, SINKS[name], None)
    for code, line in (command(name, "--once"), command("--follow", name, "--name", "two", verb="launch")):
        assert (code, line.count("\n")) == (2, 1)
        assert f"the sink {name} needs {SINKS[name]}" in line
        assert line.rstrip().endswith(f"pip install 'hpsearch[{name}]'") == (name in ("mlflow", "wandb"))
    assert not (search.folder.parent / "two").exists()


def test_a_folder_that_cannot_be_written_to_is_one_line(command: Command, search: Search, name: str) -> None:
    shutil.rmtree(search.folder / "follow")
    (search.folder / "follow").write_bytes(b"a file")
    code, line = command(name, "--once")
    assert (code, line.count("\n")) == (2, 1)
    assert f"cannot write to {folder_of(search, name)}" in line


def test_ctrl_c_ends_following_with_130(search: Search, name: str) -> None:
    grow(search, 9)
    with follower_in_another_process(search, name) as follower:
        assert follower.pid is not None
        os.kill(follower.pid, signal.SIGINT)
        follower.join(30)
        assert follower.exitcode == 130
    write(search, name)
    holds(name, search)


def test_ctrl_c_while_optunas_lock_is_released_is_no_error(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def interrupted(path: str) -> None:
        unlink(path)
        raise KeyboardInterrupt

    grow(search, 9)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "unlink", interrupted)
        write(search, "optuna")
    write(search, "optuna")
    holds("optuna", search)


def test_a_search_of_a_storage_is_followed_as_it_grows(command: Command, tmp_path: Path) -> None:
    driver = launch(tmp_path / "storage", tmp_path / "machine", "far")
    for trial in (0, 1):
        driver.record(trial)
        driver.mirror.copy()
        assert command("tensorboard", "far", "--once", "--storage", str(tmp_path / "storage")) == (0, "")
        assert len(read_tensorboard(sink_folder(tmp_path / "far", "tensorboard"), "far")) == trial + 1
    driver.die()


def test_a_storage_that_is_away_for_a_while_ends_no_following_and_starts_no_sink_anew(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, starts, bring = tmp_path / "storage", [], takeover.record.read
    driver = launch(storage, tmp_path / "machine", "far")
    driver.ledger.append(events.Opened(samples=1, slots=1))
    driver.mirror.copy()
    fetches = 0

    def read(home: Any) -> Any:
        nonlocal fetches
        fetches += 1
        if fetches in (2, 3, 5):
            raise OSError("no route to host")
        if fetches == 4:
            driver.record(0)
            driver.mirror.copy()
        if fetches == 6:
            driver.ledger.append(events.Closed(reason="finished"))
            driver.mirror.copy()
        return bring(home)

    start = tensorboard.TensorBoardSink.start
    monkeypatch.setattr(tensorboard.TensorBoardSink, "start", lambda *given: (starts.append(1), start(*given)))
    monkeypatch.setattr(takeover.record, "read", read)
    monkeypatch.setattr(following, "STORED_SECONDS", 0.01)
    code, said = command("tensorboard", "far", "--storage", str(storage))
    assert (code, starts, said.count("\n")) == (0, [1], 2), "once for each time that it is away"
    assert said.splitlines()[0] == f"storage {storage}: no route to host; trying again every 0.01 s"
    driver.die()


def test_a_copy_of_a_stored_search_is_brought_up_to_date(tmp_path: Path) -> None:
    driver = launch(tmp_path / "storage", tmp_path / "machine")
    with open_growing_copy(str(tmp_path / "storage"), None) as (copy, bring):
        driver.record(0)
        driver.mirror.copy()
        bring()
        assert (copy / "one" / "ledger.jsonl").read_bytes() == (driver.folder / "ledger.jsonl").read_bytes()
    driver.die()


def test_mlflow_is_written_where_its_variable_says_beside_a_search_of_the_same_name(
    search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tmp_path / "mlflow.db"
    folder_of(search, "mlflow").joinpath("mlflow.db").rename(server)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{server}")
    grow(search, 5)
    for created in (1.0, 2.0, 1.0):
        write(replace(search, created=created), "mlflow")
    client = MlflowClient(f"sqlite:///{server}")
    (experiment,) = client.search_experiments(filter_string="name = 'one'")
    runs = [run.data.tags["hpsearch.run"] for run in client.search_runs([experiment.experiment_id])]
    assert sorted(runs) == ["0", "0", "2", "2"]


SEQUENCES = """
from search.follow import optuna
from search.history.optuna_trial import distribution_of
print(distribution_of('{"name": "CategoricalDistribution", "attributes": {"choices": [[1, 2], [3]]}}').choices)
"""


def test_choices_that_are_sequences_bring_no_warning_of_optuna() -> None:
    done = subprocess.run([sys.executable, "-c", SEQUENCES], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("((1, 2), (3,))\n", "")


def test_an_offline_run_whose_folder_is_gone_is_written_anew(search: Search) -> None:
    grow(search, 12)
    write(search, "wandb")
    shutil.rmtree(next(folder_of(search, "wandb").glob("wandb/offline-run-*-trial-0000")))
    write(search, "wandb")
    holds("wandb", search)


@pytest.mark.parametrize(
    ("name", "variable", "value"), [("mlflow", "MLFLOW_TRACKING_URI", "ftp://nowhere"), ("wandb", "WANDB_MODE", "no")]
)
def test_a_tool_that_refuses_is_one_line(
    command: Command, name: str, variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    code, line = command(name, "--once")
    assert (code, line.count("\n")) == (2, 1)
    assert value in line
