"""When a session gives up on workers that do not start."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from search.machines.machine import Machine, StartError
from search.run.engines import tune, tuner
from search.run.engines.starting import BUSY_SHARE, FAILURES, MOST, STILL, Starting


def starting(is_busy=lambda: True, last_error=lambda: None):
    return Starting(is_busy, last_error)


def look(watch, times):
    for _ in range(times):
        watch.look()


def test_processes_that_stand_still_end_the_session_within_a_minute_and_say_why():
    watch = starting(lambda: False, lambda: "ImportError: no such name (x.py, line 3)")
    look(watch, STILL - 1)
    assert STILL < 60
    with pytest.raises(StartError, match=r"are making no progress \(ImportError: no such name \(x.py, line 3\)\)$"):
        watch.look()
    with pytest.raises(StartError, match="hpsearch doctor"):
        look(starting(lambda: False), STILL)


def test_a_worker_that_is_slow_to_start_is_waited_for():
    busy = iter([False, True, True] * MOST)
    watch = starting(lambda: next(busy))
    look(watch, MOST - 1)
    with pytest.raises(StartError, match="none is expected to"):
        watch.look()


def test_work_now_and_then_is_what_standing_still_looks_like():
    busy = iter(([True] * int(BUSY_SHARE * 10 - 1) + [False] * 10) * STILL)
    with pytest.raises(StartError):
        look(starting(lambda: next(busy)), 2 * STILL)


def test_once_a_worker_has_started_nothing_ends_the_session():
    watch = starting(lambda: False)
    look(watch, STILL - 1)
    watch.started()
    look(watch, MOST)
    for _ in range(2 * FAILURES):
        watch.failed("it died")


def test_failed_starts_end_the_session():
    watch = starting()
    for _ in range(FAILURES - 1):
        watch.failed("it died")
    with pytest.raises(StartError, match=r"no worker can start \(it died\)"):
        watch.failed("it died")


def test_no_worker_starts_after_a_ctrl_c_whose_exception_ray_has_lost(monkeypatch):
    driver, done = SimpleNamespace(pausing=None, undisturbed=nullcontext), []

    def start(here, meanwhile):
        driver.pausing = "interrupted"  # the signal's handler; its KeyboardInterrupt came in a callback of a library
        return "http://127.0.0.1:8265"

    monkeypatch.setattr(tune.local_ray, "start", start)
    monkeypatch.setattr(tune.local_ray, "stop", lambda: done.append("stop"))
    monkeypatch.setattr(tuner, "run_workers", lambda *_, **__: done.append("workers"))
    here = Machine(slots=2, threads=1, num_gpus=0, device="cpu", precision="float32")
    tune.train(driver, SimpleNamespace(here=here), SimpleNamespace(say=lambda _: None))
    assert done == ["stop"]


@pytest.mark.parametrize(
    ("slots", "address", "told"),
    [
        (1, None, "starting Ray and 1 worker …"),
        (2, "head:6379", "starting 2 workers on head:6379 …"),
        (0, "head:6379", "starting workers on head:6379 as machines join …"),
    ],
)
def test_a_session_says_how_many_workers_it_starts(monkeypatch, slots, address, told):
    monkeypatch.setattr(tune.local_ray, "start", lambda *_, **__: None)
    monkeypatch.setattr(tune.local_ray, "stop", lambda: None)
    here = Machine(slots=slots, threads=1, num_gpus=0, device="cpu", precision="float32", address=address)
    said = []
    driver = SimpleNamespace(pausing="interrupted", undisturbed=nullcontext)
    tune.train(driver, SimpleNamespace(here=here), SimpleNamespace(say=said.append))
    assert said[0] == told
