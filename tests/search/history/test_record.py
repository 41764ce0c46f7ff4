import pytest

from search.history import events
from search.history.events import Closed, Granted, Opened, State
from search.history.record import Record
from tests.search.events import asked, ended, in_order, measured, started


def fold(*happened):
    return Record(in_order(happened))


def curve(record):
    return [(m.images, m.val_accuracy) for m in record.runs[0, 0].measurements]


def test_a_run_goes_from_waiting_to_running_to_its_end():
    items = [asked(), started(), measured(10), measured(20, state=State.DONE)]
    states = [fold(*items[: n + 1]).runs[0, 0].state for n in range(4)]
    assert states == ["waiting", "running", "running", "done"]


def test_a_paused_run_that_is_granted_waits_for_a_worker():
    items = [asked(), started(), measured(10, state=State.PAUSED), Granted(trial=0, repeat=0), started(attempt=2)]
    states = [fold(*items[: n + 1]).runs[0, 0].state for n in range(2, 5)]
    assert states == ["paused", "waiting", "running"]


def test_a_session_that_begins_trains_nothing_that_a_killed_one_left_running():
    items = [Opened(samples=1, slots=1), asked(), started(), measured(10), Opened(slots=1), started(attempt=2)]
    states = [fold(*items[: n + 1]).runs[0, 0].state for n in range(3, 6)]
    assert states == ["running", "interrupted", "running"]


def test_an_attempt_from_a_checkpoint_keeps_the_curve_up_to_it():
    items = [asked(), started(), measured(10, 0.1), measured(20, 0.2), measured(30, 0.3)]
    record = fold(*items, started(attempt=2, images=20), measured(30, 0.4, attempt=2))
    assert curve(record) == [(10, 0.1), (20, 0.2), (30, 0.4)]


def test_an_attempt_from_the_seed_begins_the_curve_anew():
    items = [asked(), started(), measured(10, 0.1, checkpoint="c"), started(attempt=2), measured(10, 0.3, attempt=2)]
    record = fold(*items)
    assert curve(record) == [(10, 0.3)]
    assert record.runs[0, 0].checkpoint is None


def test_lines_of_a_superseded_attempt_change_nothing():
    items = [
        asked(),
        started(),
        started(attempt=2),
        measured(10, 0.9, attempt=1, state=State.DONE),
        measured(10, 0.3, attempt=2),
    ]
    record = fold(*items)
    assert curve(record) == [(10, 0.3)]
    assert record.runs[0, 0].state == "running"


def test_a_line_says_whether_it_counts():
    record = fold(asked(), started(), started(attempt=2))
    assert not record.apply(measured(10, attempt=1))
    assert record.apply(measured(10, attempt=2))


def test_the_best_measurement_is_the_highest_and_the_earliest_of_equals():
    record = fold(asked(), started(), measured(10, 0.3), measured(20, 0.6), measured(30, 0.6))
    assert record.runs[0, 0].best.images == 20


def test_a_killed_session_lasts_until_its_last_event():
    opened = Opened(samples=3, slots=1)
    record = fold(opened, asked(), started(), measured(10), opened, Closed(reason="finished"))
    assert [(s.seconds, s.reason) for s in record.sessions] == [(3.0, "killed"), (1.0, "finished")]


@pytest.mark.parametrize(
    "later", [events.Cut(lines=2, tested=1), events.Looked(why="a page", images=3)], ids=["cut", "looked"]
)
def test_what_happens_between_sessions_makes_none_longer(later):
    record = fold(Opened(samples=3, slots=1), asked(), started(), later)
    assert record.sessions[0].seconds == 2.0
    assert (record.test_passes, len(record.looks)) == ((1, 0) if isinstance(later, events.Cut) else (0, 1))


def test_a_retrain_is_retrained_once_it_is_done_and_tests_are_counted():
    items = [asked(repeat=1), measured(10, None, repeat=1, state=State.DONE)]
    begun = events.Testing(trial=0, repeat=1)  # twice, as the first pass was interrupted
    record = fold(asked(), *items, begun, begun, events.Tested(trial=0, repeat=1, correct=3, images=9))
    (run,) = record.retrains
    assert run.retrained
    assert not record.runs[0, 0].retrained
    assert (record.test_passes, run.test.correct) == (2, 3)


@pytest.mark.parametrize("state", [State.STOPPED, State.DIVERGED, State.FAILED])
def test_an_end_without_a_measurement_is_an_event_of_its_own(state):
    record = fold(asked(), started(), ended(state, "why"))
    assert (record.runs[0, 0].state, record.runs[0, 0].reason) == (state, "why")
