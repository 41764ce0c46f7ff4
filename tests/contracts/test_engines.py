"""What every engine keeps to: the same curves whether a run pauses or not, also after kills of the driver."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from search.history.events import Event, Measured, State
from search.history.ledger import Ledger, read
from search.history.load import read_search
from search.history.record import Record
from search.machines.machine import Machine
from search.run.engines import tuner
from search.run.engines.engine import ENGINES, EngineError, engine
from tests.contracts import searches

ROOT = Path(__file__).parents[2]
KILLED = 16  # lines after which the search that pauses is killed


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Record:
    """The search with segments of half an epoch, in which nobody pauses."""
    return searches.run(tmp_path_factory.mktemp("undisturbed"), data, engine="inline", scheduler="marks")


@pytest.fixture(scope="module")
def paused(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Path:
    """Results of the search in which everybody pauses, without Ray; in `killed` as a kill had left them midway."""
    results = tmp_path_factory.mktemp("paused")
    append = Ledger.append

    def photographed(book: Ledger, event: Event) -> Event:
        written = append(book, event)
        if len(book.events) == KILLED:
            shutil.copytree(results / "search", results / "killed" / "search")
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "append", photographed)
        searches.run(results, data, engine="inline", scheduler="halves")
    return results


def curves(record: Record) -> dict[int, list[tuple[Any, ...]]]:
    def row(m: Measured) -> tuple[Any, ...]:
        return (
            m.images,
            m.epoch,
            m.train_loss,
            m.train_accuracy,
            m.val_loss,
            m.val_accuracy,
            m.val_balanced_accuracy,
            m.learning_rate,
        )

    return {run.key[0]: [row(m) for m in run.measurements] for run in record.trials}


def test_segments_end_at_the_scheduler_s_marks_rounded_up_to_a_batch(undisturbed: Record) -> None:
    (first, *_) = undisturbed.trials
    assert [m.images for m in first.measurements] == [64, 120, 184, 240, 304, 360]
    assert [run.state for run in undisturbed.trials] == [State.DONE] * 4
    assert len(undisturbed.runs[1, 0].measurements) == 4, "its own number of epochs"


def test_the_inline_engine_pauses_and_goes_on_without_a_difference(paused: Path, undisturbed: Record) -> None:
    record = read_search(paused, "search").record
    assert curves(record) == curves(undisturbed)
    assert [run.state for run in record.trials] == [State.DONE] * 4
    events = [entry["event"] for entry in read(paused / "search" / "ledger.jsonl")]
    assert events.count("granted") == sum(len(run.measurements) - 1 for run in record.trials)
    assert list((paused / "search" / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_ray_s_workers_go_on_after_a_kill_and_pause_without_a_difference(
    data: Path, paused: Path, undisturbed: Record
) -> None:
    results = paused / "killed"
    command = [sys.executable, "-m", "tests.contracts.searches", str(results), str(data), "tune", "halves", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    log = done.stderr[-2000:]
    record = searches.run(results, data, engine="inline", scheduler="halves")  # trains nothing, as nothing is left
    assert curves(record) == curves(undisturbed), log
    assert [run.state for run in record.trials] == [State.DONE] * 4
    assert [session.reason for session in record.sessions] == ["killed", "finished"], log
    workers = {m.pid for run in record.trials for m in run.measurements if m.time > record.sessions[1].opened.time}
    assert len(workers) <= 2, "idle workers stay warm"


def test_every_checkpoint_that_a_run_continues_from_was_recorded(paused: Path) -> None:
    record = read_search(paused, "search").record
    assert all(m.checkpoint for run in record.trials for m in run.measurements if m.state is State.PAUSED), (
        "a paused trial always has a checkpoint"
    )


def test_a_trial_whose_network_raises_fails_alone(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = searches.CONFIGS[0] | {"network": {"name": "tests.contracts.searches:broken"}}
    monkeypatch.setattr(searches, "CONFIGS", [broken, searches.CONFIGS[1]])
    monkeypatch.setattr(searches, "broken", _broken, raising=False)
    record = searches.run(tmp_path / "results", data, engine="inline", scheduler="none")
    failed, done = record.trials
    assert (failed.state, failed.reason) == (State.FAILED, "RuntimeError: on the second batch")
    assert failed.attempt == 3, "two retries"
    assert done.state is State.DONE


@pytest.mark.slow
@pytest.mark.parametrize(("how", "attempts"), [("shared", 4), ("turns", 3)])
def test_a_fault_of_a_gpu_that_workers_share_spends_no_retry_the_first_time(
    tmp_path: Path, data: Path, how: str, attempts: int
) -> None:
    command = [sys.executable, "-m", "tests.contracts.sharing", str(tmp_path), str(data), how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    failed, fine = read_search(tmp_path, "search").record.trials
    assert (failed.state, failed.reason) == (State.FAILED, "RuntimeError: CUDA error: unspecified launch failure")
    assert failed.attempt == attempts, "there are two retries, and on a shared GPU the first fault may be another's"
    assert (fine.state, fine.attempt) == (State.DONE, 1)


@pytest.mark.parametrize("slots", range(1, 10))
@pytest.mark.parametrize("num_gpus", [0, 1, 4])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_local_ray_has_room_for_as_many_trials_as_there_are_slots(slots: int, num_gpus: int, threads: int) -> None:
    here = Machine(slots=slots, threads=threads, num_gpus=num_gpus, device="cuda", precision="float32")
    taken = tuner.resources(here)
    has = {"CPU": slots * threads, "GPU": num_gpus}  # as `local_ray` starts it
    assert min(int(has[name] / part + 1e-6) for name, part in taken.items() if part) == slots


@pytest.mark.parametrize(
    ("error", "may_be"),
    [
        ("torch.AcceleratorError: CUDA error: an illegal memory access was encountered", True),
        ("RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", True),
        ("RuntimeError: CUDA driver error: unspecified launch failure", True),
        ("RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 807: MPS server is not ready", True),
        ("torch.AcceleratorError: CUDA error: out of memory", False),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate", False),
        ("RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED", False),
        ("ValueError: on the second batch", False),
        ("The actor died because its worker process has died.", False),
    ],
)
def test_which_errors_of_a_worker_may_be_faults_of_its_gpu(error: str, may_be: bool) -> None:
    assert tuner.is_gpu_fault(f"Traceback (most recent call last):\n  …\n{error}\n") is may_be


def test_which_errors_of_a_worker_are_its_machine_s() -> None:
    raised = "ray.exceptions.ActorDiedError: ray::Worker.__init__()\n  …\n"
    said = "node-b has torch 1.0 and the driver 2.0: install the same"
    unfit = f"{raised}trainables.limits.UnfitError: {said}\n"
    assert tuner.unfit_of(unfit) == tuner.reason_of(unfit) == said
    assert tuner.unfit_of(f"{raised}RuntimeError: on the second batch\n") is None
    missing = "\tip: 10.0.0.3\nThe actor is dead because its worker process has died. …\n"
    missing += "RuntimeError: The actor with name Worker failed to import on the worker. …\n"
    missing += "ModuleNotFoundError: No module named 'trainables'\n"
    said = "10.0.0.3: a worker cannot import what it needs: ModuleNotFoundError: No module named 'trainables'"
    assert tuner.unfit_of(missing) == said


def _broken(input_shape: tuple[int, ...], num_classes: int) -> Any:
    import torch

    class Broken(torch.nn.Linear):
        seen = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Broken.seen += self.training
            if Broken.seen > 1:
                raise RuntimeError("on the second batch")
            return super().forward(x.flatten(1))

    return Broken(input_shape[0] * input_shape[1] * input_shape[2], num_classes)


def test_an_unknown_engine_is_one_line() -> None:
    with pytest.raises(EngineError, match="unknown engine 'steam'; known: tune, inline"):
        engine("steam")
    assert all(callable(engine(name)) for name in ENGINES)
