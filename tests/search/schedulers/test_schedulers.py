"""The registry, and the scheduler that stops nothing."""

import pytest

from search.history.events import Decision
from search.history.request import SCHEDULER_OPTIONS, Request
from search.schedulers import SCHEDULERS
from search.schedulers.scheduler import (
    SchedulerError,
    make_scheduler,
    options_of,
    scheduler,
    scheduler_of,
)
from tests.search.events import measured


def test_without_a_scheduler_nothing_is_stopped():
    none = make_scheduler("none", max_t=5, samples=10)
    assert none.rungs == ()
    assert all(none.decide(measured(10, -trial, trial=trial)) is Decision.CONTINUE for trial in range(10))


def test_an_unknown_scheduler_is_refused_with_the_known_ones():
    with pytest.raises(SchedulerError, match="unknown scheduler 'best'; known: asha, asha-promote, halving, none"):
        make_scheduler("best", max_t=5, samples=1)


def test_a_name_is_taken_once():
    before = make_scheduler("asha", max_t=5, samples=1)
    with pytest.raises(ValueError, match="the scheduler 'asha' exists already"):
        scheduler("asha")(object)
    assert type(make_scheduler("asha", max_t=5, samples=1)) is type(before)


def request(name, **options):
    return Request(space="cnn_all", samples=10, epochs=8, data_dir="", scheduler=name, **options)


def test_the_options_of_a_scheduler_are_those_that_its_constructor_names():
    assert options_of("asha") == options_of("asha-promote") == {"grace_period": 1.0, "reduction_factor": 2.0}
    assert options_of("halving") == {"grace_period": 0.5, "keep": 0.6}
    assert options_of("none") == {}
    assert {option for name in SCHEDULERS for option in options_of(name)} == set(SCHEDULER_OPTIONS)


def test_an_option_reaches_its_scheduler():
    assert scheduler_of(request("asha", grace_period=0.25), 10).rungs == (0.25, 0.5, 1, 2, 4)
    assert scheduler_of(request("asha", reduction_factor=3), 10).rungs == (1, 3)
    assert scheduler_of(request("halving", grace_period=2), 10).rungs == (2, 4)


@pytest.mark.parametrize(
    ("name", "options", "line"),
    [
        (
            "asha",
            {"keep": 0.5},
            "--keep applies only to --scheduler halving; asha takes --grace-period, --reduction-factor",
        ),
        (
            "none",
            {"grace_period": 1.0},
            "--grace-period applies only to --scheduler asha, asha-promote, halving; none takes",
        ),
        ("halving", {"reduction_factor": 3.0}, "--reduction-factor applies only to --scheduler asha, asha-promote; "),
        ("asha", {"grace_period": 8.5}, r"at most the epochs of a trial \(--epochs 8\); got 8.5"),
        ("halving", {"grace_period": 9.0}, r"at most the epochs of a trial \(--epochs 8\); got 9"),
    ],
)
def test_an_option_that_is_not_the_scheduler_s_or_lies_above_max_t_is_refused(name, options, line):
    with pytest.raises(SchedulerError, match=line):
        scheduler_of(request(name, **options), 10)
