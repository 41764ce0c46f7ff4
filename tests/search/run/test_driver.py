"""What becomes of a run whose worker fails, runs out of memory, is replaced, or finds its disk full."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.history import ledger
from search.history.events import Asked, Opened, parse
from search.history.ledger import Ledger
from search.history.record import Record
from search.run.driver import Driver, Halt
from search.run.run_files import RunFiles
from search.schedulers.asha import Asha
from search.schedulers.none import NoScheduler
from search.storage import layout
from tests.contracts.halves import Halves
from tests.search.events import asked
from trainables.files import NETWORK_FILES
from trainables.predictions import PREDICTIONS
from trainables.worker import patience


@pytest.fixture
def book(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        yield ledger


def make(book, folder, *, trials=1, kept=None, **settings):
    def source(driver):
        yield from driver.unfinished(driver.record.trials)
        for trial in range(len(driver.record.trials), trials):
            driver.append(asked(trial, kept=kept))
            yield driver.record.runs[trial, 0]

    driver = Driver(book, source, settings.pop("scheduler", Asha(max_t=4)), RunFiles(folder), **settings)
    driver.append(Opened(samples=trials, slots=1))
    return driver


def begin(driver):
    task = driver.next_task()
    driver.started(task)
    return task


def epoch(task, number, accuracy=0.5, *, checkpoint=False, driver=None, **more):
    name = f"{task.prefix}-{100 * number}.pt" if checkpoint else None
    if checkpoint:
        driver.files.checkpoints.write(name, b"state")
    fields = {"images": 100 * number, "epoch": float(number), "val_accuracy": accuracy, "seconds": 1.0}
    return {"state": "done" if number == 4 else "running", **fields, "checkpoint": name, **more}


def no_memory(reason="too much", *, batch=32):
    return {"state": "out of memory", "reason": reason, "batch": batch, "checkpoint": None}


def write_result(driver, task):
    """What a worker writes at the end of a run that keeps its network or predicts its fold."""
    for name in NETWORK_FILES if task.weights else [PREDICTIONS]:
        driver.files.checkpoints.write(f"{task.prefix}+{name}", b"{}")


def test_a_driver_that_another_has_replaced_has_finished_nothing(tmp_path, book):
    others = [None]
    driver = make(book, tmp_path, superseded=lambda: others[0])
    task = begin(driver)
    driver.measured(task, epoch(task, 4))
    assert driver.next_task() is None and driver.finished
    others[0] = "host b has taken this search over"
    assert not driver.finished and driver.pausing == "taken over"


def test_a_failed_worker_s_run_is_tried_again_from_its_checkpoint(tmp_path, book):
    driver = make(book, tmp_path)
    task = begin(driver)
    assert driver.measured(task, epoch(task, 1, checkpoint=True, driver=driver))
    assert driver.measured(task, epoch(task, 2))
    driver.failed(task, "killed")
    run = driver.record.runs[0, 0]
    assert (run.state, run.reason) == ("interrupted", "killed")
    assert not driver.finished
    again = begin(driver)
    assert (again.attempt, again.resume_from) == (2, "0-0-1-100.pt")
    assert [m.epoch for m in run.measurements] == [1.0]
    assert [end.reason for end in run.ends] == ["killed"]


def test_after_so_many_failures_a_run_is_failed_and_a_new_session_tries_again(tmp_path, book):
    driver = make(book, tmp_path, retries=2)
    for attempt in (1, 2, 3):
        task = begin(driver)
        assert task.attempt == attempt
        driver.failed(task, f"death {attempt}")
    assert driver.next_task() is None
    assert driver.finished
    assert (driver.record.runs[0, 0].state, driver.record.runs[0, 0].reason) == ("failed", "death 3")
    assert begin(make(book, tmp_path)).attempt == 4


def test_a_fault_of_a_shared_gpu_makes_suspects_of_which_one_at_a_time_is_at_work(tmp_path, book):
    driver = make(book, tmp_path, trials=4, retries=0)
    for task in [begin(driver), begin(driver)]:
        driver.failed(task, "CUDA error", is_shared=True)
    again, other, last = begin(driver), begin(driver), begin(driver)
    assert [task.trial for task in (again, other, last)] == [0, 2, 3]
    assert driver.next_task() is None and driver.waiting, "the second suspect waits for the first"
    driver.measured(again, epoch(again, 1))
    assert begin(driver).trial == 1, "the first has got further than before"
    driver.failed(again, "CUDA error", is_shared=True)
    driver.failed(other, "CUDA error")
    states = [driver.record.runs[trial, 0].state for trial in (0, 2)]
    assert states == ["interrupted", "failed"], "a run that got further is a new suspect, and another error counts"


@given(st.integers(1, 8), st.integers(1, 12), st.sets(st.integers(0, 11), max_size=3), st.data(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_of_all_runs_on_a_shared_gpu_only_those_that_cause_its_faults_fail(slots, trials, culprits, data, keeps):
    """A suspect may pay for the first fault of each other culprit, so as many retries are enough for the innocent."""
    culprits = {each % trials for each in culprits}
    ends = {culprit: data.draw(st.integers(1, 4), label=f"trial {culprit} ends in epoch") for culprit in culprits}
    with TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.jsonl") as book:
        retries = max(0, len(culprits) - 1)
        driver = make(book, Path(folder), trials=trials, retries=retries, scheduler=NoScheduler())
        at_work, steps = {}, 0
        while True:
            while len(at_work) < slots and (task := driver.next_task()) is not None:
                driver.started(task)
                images = Path(task.resume_from).stem.split("-")[-1] if task.resume_from else 0
                at_work[task.trial] = [task, int(images) // 100]
            if not at_work:
                break
            steps += 1
            assert steps < 2000
            trial = data.draw(st.sampled_from(sorted(at_work)), label="trial")
            task, before = at_work[trial]
            if before + 1 == ends.get(trial):
                for each, _ in at_work.values():
                    driver.failed(each, "CUDA error", is_shared=True)
                at_work = {}
                continue
            at_work[trial][1] += 1
            if not driver.measured(task, epoch(task, before + 1, checkpoint=keeps and before < 3, driver=driver)):
                del at_work[trial]
        assert driver.finished
        failed = {run.key[0] for run in driver.record.trials if run.state == "failed"}
        assert failed == culprits
        assert all(run.state == "done" for run in driver.record.trials if run.key[0] not in culprits)


def test_without_a_checkpoint_a_run_begins_again_from_its_seed(tmp_path, book):
    driver = make(book, tmp_path)
    task = begin(driver)
    driver.measured(task, epoch(task, 1))
    driver.failed(task, "killed")
    again = begin(driver)
    assert again.resume_from is None
    assert again.seed == task.seed
    assert driver.record.runs[0, 0].measurements == []
    assert ledger.read(tmp_path / "ledger.jsonl")[-1]["images"] == 0


def test_nothing_is_said_to_be_the_end_while_a_run_at_work_may_fail(tmp_path, book):
    driver = make(book, tmp_path)
    task = begin(driver)
    assert driver.next_task() is None
    assert driver.waiting
    driver.failed(task, "killed")
    assert driver.next_task().attempt == 2


def test_a_source_may_wait_until_the_runs_at_work_have_ended(tmp_path, book):
    def source(driver):
        for trial in (0, 1):
            driver.append(asked(trial, 1, fold=trial + 1, folds=2))
            yield driver.record.runs[trial, 1]
        while driver.num_handed_out:
            yield None
        driver.append(asked(2, 1))
        yield driver.record.runs[2, 1]

    driver = Driver(book, source, NoScheduler(), RunFiles(tmp_path), split_seed=7, metric="balanced_accuracy")
    first, second = begin(driver), begin(driver)
    assert [(task.fold, task.weights) for task in (first, second)] == [((1, 2, 7), False), ((2, 2, 7), False)]
    assert first.judged_by == "val_balanced_accuracy"
    assert driver.next_task() is None and driver.waiting
    write_result(driver, first)
    driver.measured(first, epoch(first, 4, val_balanced_accuracy=0.5))
    driver.failed(second, "killed")
    again = begin(driver)
    assert (again.trial, again.attempt, driver.next_task()) == (1, 2, None)
    write_result(driver, again)
    driver.measured(again, epoch(again, 4, val_balanced_accuracy=0.5))
    assert not driver.finished  # nothing is at work, and the source has more
    last = begin(driver)
    assert (last.trial, last.fold, last.weights) == (2, None, True)
    write_result(driver, last)
    driver.measured(last, epoch(last, 4, None))
    assert driver.next_task() is None and driver.finished


def test_a_superseded_attempt_changes_neither_record_nor_files(tmp_path, book):
    driver = make(book, tmp_path)
    old = begin(driver)
    driver.failed(old, "its machine died or was cut off")
    new = begin(driver)
    lines = len(book.events)
    assert not driver.measured(old, epoch(old, 1, 0.9))
    driver.failed(old, "again")
    assert len(book.events) == lines
    driver.files.checkpoints.write(f"{old.prefix}-100.pt", b"late")
    for number in (1, 2, 3, 4):
        driver.measured(new, epoch(new, number))
    assert driver.record.runs[0, 0].state == "done"
    assert driver.files.checkpoints.names() == []


def test_a_retried_run_is_judged_afresh(tmp_path, book):
    asha = Asha(max_t=4)
    driver = make(book, tmp_path, trials=2, scheduler=asha)
    first = begin(driver)
    driver.measured(first, epoch(first, 1, 0.9))
    assert asha.points(0) == {0: (0.9,)}
    driver.failed(first, "killed")
    again = begin(driver)
    assert asha.points(0) == {}
    driver.measured(again, epoch(again, 1, 0.1))
    assert asha.points(0) == {0: (0.1,)}


def test_a_new_session_judges_by_what_earlier_ones_measured(tmp_path, book):
    driver = make(book, tmp_path, trials=2)
    first = begin(driver)
    driver.measured(first, epoch(first, 1, 0.9))
    asha = Asha(max_t=4)
    driver = make(book, tmp_path, trials=2, scheduler=asha)
    assert asha.points(0) == {0: (0.9,)}


def test_what_a_worker_wrote_down_before_it_ended_itself_is_the_reason(tmp_path, book):
    driver = make(book, tmp_path, retries=0)
    task = begin(driver)
    driver.files.checkpoints.write(f"{task.prefix}.reason", b"no progress for 60 s")
    driver.failed(task, "the worker's process died")
    assert driver.record.runs[0, 0].reason == "no progress for 60 s"


def test_a_batch_too_large_for_memory_is_tried_in_parts_and_then_infeasible(tmp_path, book):
    driver = make(book, tmp_path, retries=0)
    parts = []
    for _ in range(4):
        task = begin(driver)
        parts.append(task.micro_batch)
        driver.measured(task, no_memory("tried to allocate 9 TiB"))
    assert parts == [None, 16, 8, 4]
    run = driver.record.runs[0, 0]
    assert (run.state, run.micro_batch) == ("infeasible", 4)
    assert "continuing with micro-batches of 16" in run.ends[0].reason
    assert driver.next_task() is None and driver.finished


def test_parts_are_those_of_the_images_if_a_batch_would_hold_more(tmp_path, book):
    driver = make(book, tmp_path)
    parts = []
    for _ in range(4):
        task = begin(driver)
        parts.append(task.micro_batch)
        driver.measured(task, no_memory(batch=20))
    assert (parts, driver.record.runs[0, 0].state) == ([None, 10, 5, 2], "infeasible")


def test_parts_of_a_batch_outlast_a_kill(tmp_path, book):
    driver = make(book, tmp_path)
    task = begin(driver)
    driver.measured(task, no_memory())
    assert begin(make(book, tmp_path)).micro_batch == 16
    assert Record(parse(ledger.read(tmp_path / "ledger.jsonl"))).runs[0, 0].micro_batch == 16


def test_a_checkpoint_that_cannot_be_read_costs_epochs_and_no_attempt(tmp_path, book):
    driver = make(book, tmp_path, retries=0)
    task = begin(driver)
    driver.measured(task, epoch(task, 1, checkpoint=True, driver=driver))
    driver = make(book, tmp_path, retries=0)
    again = begin(driver)
    assert again.resume_from == "0-0-1-100.pt"
    driver.measured(again, {"state": "unreadable", "reason": "the checkpoint cannot be used", "checkpoint": None})
    third = begin(driver)
    assert (third.attempt, third.resume_from) == (3, None)


def test_a_full_disk_pauses_every_run_at_its_epoch_s_end(tmp_path, book):
    driver = make(book, tmp_path, trials=3)
    first, second = begin(driver), begin(driver)
    trouble = {"trouble": "cannot write a checkpoint", "full": "No space left on device"}
    assert not driver.measured(first, epoch(first, 1, **trouble))
    assert driver.pausing == "disk full"
    assert driver.next_task() is None and not driver.waiting
    assert not driver.measured(second, epoch(second, 1, 0.6))
    assert not driver.finished
    run = driver.record.runs[0, 0]
    assert (run.state, run.measurements[-1].decision, len(run.measurements)) == ("interrupted", "pause", 1)


def test_what_a_killed_session_left_half_written_is_removed_and_nothing_else(tmp_path, book):
    driver = make(book, tmp_path)
    task = begin(driver)
    driver.measured(task, epoch(task, 1, checkpoint=True, driver=driver))
    kept = {"search.json", "trials.parquet", "retrain/0-1/model.safetensors", "checkpoints/0-0-1-100.pt"}
    torn = {f"{name}.12ab34cd.tmp" for name in kept} | {"checkpoints/0-0-1-200.pt"}
    for name in kept | torn:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    make(book, tmp_path)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == kept | {"ledger.jsonl"}


def test_a_run_that_the_deadline_meets_without_a_checkpoint_goes_on_to_one(tmp_path, book):
    driver = make(book, tmp_path, deadline=time.time() + 60)
    task = begin(driver)
    driver.deadline = time.time() - 1
    assert driver.measured(task, epoch(task, 1)), "by the worker's clock it was in time"
    assert not driver.measured(task, epoch(task, 2, checkpoint=True, driver=driver))
    assert driver.record.runs[0, 0].measurements[-1].decision == "pause"


def test_a_run_that_the_deadline_meets_pauses_even_if_no_checkpoint_can_be_written(tmp_path, book):
    driver = make(book, tmp_path)
    task = begin(driver)
    driver.deadline = time.time() - 1
    assert not driver.measured(task, epoch(task, 1, trouble="cannot write a checkpoint: access denied"))
    run = driver.record.runs[0, 0]
    assert (run.state, run.measurements[-1].decision, driver.pausing) == ("interrupted", "pause", "out of time")


def test_a_run_that_failed_before_the_source_was_asked_is_handed_out_once(tmp_path, book):
    driver = make(book, tmp_path, trials=2, scheduler=Halves(max_t=4))
    for task in (begin(driver), begin(driver)):
        driver.measured(task, epoch(task, 1, checkpoint=True, driver=driver))
    driver = make(book, tmp_path, trials=3, scheduler=Halves(max_t=4))
    tasks = [begin(driver), begin(driver)]
    assert [task.attempt for task in tasks] == [2, 2], "the scheduler has let them go on"
    for task in tasks:
        driver.failed(task, "CUDA error", is_shared=True)
    assert [begin(driver).trial, begin(driver).trial] == [0, 2], "the second suspect waits for the first"
    assert driver.next_task() is None and driver.waiting


def test_a_storage_that_is_away_ends_no_search(tmp_path, book):
    driver = make(book, tmp_path)
    task = begin(driver)
    driver.measured(task, epoch(task, 1, checkpoint=True, driver=driver))
    driver.failed(task, "killed")
    there, driver.files.checkpoints = driver.files.checkpoints, Away()
    again = begin(driver)
    assert again.resume_from == "0-0-1-100.pt"
    driver.measured(again, epoch(again, 4))
    assert driver.next_task() is None and driver.finished
    assert there.names() == ["0-0-1-100.pt"], "the next session's to remove"


def test_a_storage_that_stays_away_pauses_the_session_and_spends_no_retry(tmp_path, book):
    driver = make(book, tmp_path, trials=2, retries=0)
    first, second = begin(driver), begin(driver)
    driver.measured(first, epoch(first, 1, checkpoint=True, driver=driver))
    driver.measured(first, {"state": "interrupted", "reason": "no route to host", "checkpoint": None})
    assert driver.halt == Halt("files unavailable", "no route to host") and driver.pausing == "files unavailable"
    assert driver.next_task() is None and not driver.waiting
    assert not driver.measured(second, epoch(second, 1))
    assert not driver.finished
    run = driver.record.runs[0, 0]
    assert (run.state, run.reason, run.checkpoint) == ("interrupted", "no route to host", "0-0-1-100.pt")
    assert begin(make(book, tmp_path, trials=2)).resume_from == "0-0-1-100.pt"


def test_a_network_is_fetched_from_a_storage_that_is_back_soon(tmp_path, book, monkeypatch):
    monkeypatch.setattr(patience, "WAITS", (0.0, 0.0))
    driver = make(book, tmp_path, kept=True)
    task = begin(driver)
    write_result(driver, task)
    driver.files.checkpoints = Away(driver.files.checkpoints, attempts=2)
    driver.measured(task, epoch(task, 4))
    assert (driver.record.runs[0, 0].state, driver.next_task(), driver.finished) == ("done", None, True)
    assert (tmp_path / "retrain" / "0-0" / "config.json").read_bytes() == b"{}"


def test_a_network_that_cannot_be_fetched_pauses_the_session_and_is_trained_from_its_checkpoint(
    tmp_path, book, monkeypatch
):
    monkeypatch.setattr(patience, "WAITS", (0.0,))
    driver = make(book, tmp_path, kept=True)
    task = begin(driver)
    driver.measured(task, epoch(task, 1, checkpoint=True, driver=driver))
    driver.files.checkpoints = Away()
    assert not driver.measured(task, epoch(task, 4))
    assert driver.pausing == "files unavailable" and not driver.finished
    run = driver.record.runs[0, 0]
    assert (run.state, run.reason) == ("interrupted", "its network cannot be fetched: no route to host")
    assert begin(make(book, tmp_path, kept=True)).resume_from == "0-0-1-100.pt"


def test_a_network_that_a_worker_wrote_where_the_driver_does_not_look_pauses_the_session(tmp_path, book, monkeypatch):
    monkeypatch.setattr(patience, "WAITS", (0.0,))
    driver = make(book, tmp_path, kept=True)
    task = begin(driver)
    driver.files.checkpoints.write(f"{task.prefix}+config.json", b"{}")
    assert not driver.measured(task, epoch(task, 4))
    run = driver.record.runs[0, 0]
    assert (run.state, driver.pausing, driver.finished) == ("interrupted", "files unavailable", False)
    assert "0-0-1+model.safetensors is not in" in run.reason


def test_a_shared_folder_that_is_not_mounted_costs_no_checkpoint(tmp_path, book):
    home = layout.home_of(str(tmp_path / "shared"), "one")
    home.folder.write("drivers/0001.json", b"{}")
    driver = make(book, tmp_path)
    driver.files.checkpoints = home.checkpoints
    task = begin(driver)
    driver.measured(task, epoch(task, 1, checkpoint=True, driver=driver))
    driver.failed(task, "killed")
    (tmp_path / "shared").rename(tmp_path / "away")
    (tmp_path / "shared").mkdir()
    assert begin(driver).resume_from == "0-0-1-100.pt", "the worker waits for it"


def test_a_machine_that_cannot_train_pauses_the_session_and_spends_no_retry(tmp_path, book):
    driver = make(book, tmp_path, trials=2, retries=0)
    driver.failed(driver.next_task(), "node-b has torch 1.0", is_unfit=True)
    assert (driver.halt, driver.finished) == (Halt("machine unfit", "node-b has torch 1.0"), False)
    assert driver.next_task() is None and not driver.waiting
    run = driver.record.runs[0, 0]
    assert (run.state, run.reason) == ("interrupted", "node-b has torch 1.0")
    assert begin(make(book, tmp_path, trials=2, retries=0)).trial == 0


def test_once_files_are_out_of_reach_the_session_does_not_wait_for_each_run_again(tmp_path, book, monkeypatch):
    monkeypatch.setattr(patience, "WAITS", (0.0, 0.0))
    driver = make(book, tmp_path, trials=2, kept=True)
    first, second = begin(driver), begin(driver)
    away = Away(driver.files.checkpoints, attempts=9)
    driver.files.checkpoints = away
    driver.measured(first, epoch(first, 4))
    assert (driver.pausing, away.left) == ("files unavailable", 6)
    driver.measured(second, epoch(second, 4))
    assert away.left == 5, "one attempt"
    run = driver.record.runs[1, 0]
    assert (run.state, run.reason) == ("interrupted", "its network cannot be fetched: no route to host")


def test_a_student_whose_teachers_cannot_be_lent_is_the_next_session_s(tmp_path, book, monkeypatch):
    monkeypatch.setattr(patience, "WAITS", ())

    def source(driver):
        if not driver.record.runs:
            driver.append(asked(0, 1))
            driver.append(asked(0, 2, teachers=[[0, 1]]))
        yield from driver.unfinished([driver.record.runs[0, 2]])

    teacher = tmp_path / "retrain" / "0-1" / "config.json"
    teacher.parent.mkdir(parents=True)
    teacher.write_bytes(b"{}")
    driver = Driver(book, source, NoScheduler(), RunFiles(tmp_path))
    driver.files.checkpoints = Away()
    assert driver.next_task() is None
    assert (driver.pausing, driver.num_handed_out, driver.finished) == ("files unavailable", 0, False)
    task = Driver(book, source, NoScheduler(), RunFiles(tmp_path)).next_task()
    assert (task.repeat, task.attempt, task.teachers) == (2, 1, ("0-2-1-teacher-1",))


def test_a_session_begins_although_its_storage_does_not_answer(tmp_path, book):
    files = RunFiles(tmp_path, checkpoints=Away())
    assert Driver(book, lambda _: iter(()), NoScheduler(), files).next_task() is None


class Away:
    """A place that cannot be reached, but to forget a file.

    there: a folder that is reached after so many attempts.
    """

    def __init__(self, there=None, *, attempts=0):
        self.there, self.left = there, attempts

    def names(self, below=""):
        return self._reached().names(below)

    def has(self, name):
        return self._reached().has(name)

    def read(self, name):
        return self._reached().read(name)

    def write(self, name, data):
        self._reached().write(name, data)

    def _reached(self):
        self.left -= 1
        if self.there is None or self.left >= 0:
            raise OSError("no route to host")
        return self.there

    def remove(self, name):
        pass


def test_every_line_is_on_disk_before_the_engine_gets_its_task_or_its_answer(tmp_path, book):
    driver = make(book, tmp_path)
    task = begin(driver)
    kinds = [type(event) for event in parse(ledger.read(tmp_path / "ledger.jsonl"))]
    assert kinds[:2] == [Opened, Asked]
    driver.measured(task, epoch(task, 4))
    last = ledger.read(tmp_path / "ledger.jsonl")[-1]
    assert (last["state"], last["decision"]) == ("done", "end")
