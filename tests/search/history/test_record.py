import pytest

from search.history.record import Record


def events(*items):
    kept = []
    for time, (event, fields) in enumerate(items):
        kept.append({"v": 1, "seq": time, "time": float(time), "event": event, "repeat": 0, **fields})
    return kept


def asked(trial=0, repeat=0):
    return "asked", {
        "trial": trial,
        "repeat": repeat,
        "config": {},
        "parameters": 1,
        "flops": 1,
        "redrawn": 0,
        "seed": 0,
    }


def started(trial=0, attempt=1, images=0):
    return "started", {"trial": trial, "attempt": attempt, "images": images}


def measured(images, accuracy=0.5, trial=0, attempt=1, state="running", checkpoint=None):
    fields = {"trial": trial, "attempt": attempt, "images": images, "val_accuracy": accuracy, "seconds": 1.0}
    return "measured", {**fields, "state": state, "reason": None, "checkpoint": checkpoint}


def curve(record):
    return [(m["images"], m["val_accuracy"]) for m in record.runs[0, 0].measurements]


def test_a_run_goes_from_waiting_to_running_to_its_end():
    items = [asked(), started(), measured(10), measured(20, state="done")]
    states = [Record(events(*items[: n + 1])).runs[0, 0].state for n in range(4)]
    assert states == ["waiting", "running", "running", "done"]


def test_an_attempt_from_a_checkpoint_keeps_the_curve_up_to_it():
    items = [asked(), started(), measured(10, 0.1), measured(20, 0.2), measured(30, 0.3)]
    record = Record(events(*items, started(attempt=2, images=20), measured(30, 0.4, attempt=2)))
    assert curve(record) == [(10, 0.1), (20, 0.2), (30, 0.4)]


def test_an_attempt_from_the_seed_begins_the_curve_anew():
    items = [asked(), started(), measured(10, 0.1, checkpoint="c"), started(attempt=2), measured(10, 0.3, attempt=2)]
    record = Record(events(*items))
    assert curve(record) == [(10, 0.3)]
    assert record.runs[0, 0].checkpoint is None


def test_lines_of_a_superseded_attempt_change_nothing():
    items = [
        asked(),
        started(),
        started(attempt=2),
        measured(10, 0.9, attempt=1, state="done"),
        measured(10, 0.3, attempt=2),
    ]
    record = Record(events(*items))
    assert curve(record) == [(10, 0.3)]
    assert record.runs[0, 0].state == "running"


def test_the_best_measurement_is_the_highest_and_the_earliest_of_equals():
    record = Record(events(asked(), started(), measured(10, 0.3), measured(20, 0.6), measured(30, 0.6)))
    assert record.runs[0, 0].best["images"] == 20


def test_a_killed_session_lasts_until_its_last_event():
    opened = ("opened", {"samples": 3})
    record = Record(events(opened, asked(), started(), measured(10), opened, ("closed", {"reason": "finished"})))
    assert [(s.seconds, s.reason) for s in record.sessions] == [(3.0, "killed"), (1.0, "finished")]


def test_a_retrain_is_retrained_once_it_is_done_and_tests_are_counted():
    items = [asked(repeat=1), ("measured", {**measured(10, None, state="done")[1], "repeat": 1})]
    begun = ("testing", {"trial": 0, "repeat": 1})  # twice, as the first pass was interrupted
    tested = ("tested", {"trial": 0, "repeat": 1, "correct": 3, "images": 9})
    record = Record(events(asked(), *items, begun, begun, tested))
    (run,) = record.retrains
    assert run.retrained
    assert not record.runs[0, 0].retrained
    assert (record.test_passes, run.test["correct"]) == (2, 3)


@pytest.mark.parametrize("state", ["stopped", "diverged", "failed"])
def test_an_end_without_a_measurement_is_an_event_of_its_own(state):
    record = Record(events(asked(), started(), ("ended", {"trial": 0, "attempt": 1, "state": state, "reason": "why"})))
    assert (record.runs[0, 0].state, record.runs[0, 0].reason) == (state, "why")
