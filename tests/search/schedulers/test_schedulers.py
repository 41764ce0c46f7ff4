"""The registry, and the scheduler that stops nothing."""

import pytest

from search.history.events import Decision
from search.schedulers.scheduler import SchedulerError, make_scheduler, scheduler


def test_without_a_scheduler_nothing_is_stopped():
    none = make_scheduler("none", 5)
    assert none.rungs == ()
    assert all(none.decide(trial, 1, -trial) is Decision.CONTINUE for trial in range(10))


def test_an_unknown_scheduler_is_refused_with_the_known_ones():
    with pytest.raises(SchedulerError, match="unknown scheduler 'best'; known: asha, none"):
        make_scheduler("best", 5)


def test_a_name_is_taken_once():
    before = make_scheduler("asha", 5)
    with pytest.raises(ValueError, match="the scheduler 'asha' exists already"):
        scheduler("asha")(object)
    assert type(make_scheduler("asha", 5)) is type(before)
