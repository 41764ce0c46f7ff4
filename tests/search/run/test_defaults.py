"""What a request leaves open, settled as a launch records it."""

import pytest

from search.history.request import Request
from search.run.defaults import settled, with_scheduler
from search.samplers import SAMPLERS
from search.schedulers.scheduler import SchedulerError, options_of


def request(scheduler: str, **more: object) -> Request:
    return Request(**{"space": "cnn_all", "samples": 10, "epochs": 8, "data_dir": "", "scheduler": scheduler, **more})  # type: ignore[arg-type]


def test_options_of_the_scheduler_that_were_left_out_are_recorded():
    filled = settled(request("halving", keep=0.5))
    assert (filled.grace_period, filled.keep, filled.reduction_factor) == (0.5, 0.5, None)
    assert settled(filled) == filled
    with pytest.raises(SchedulerError, match="unknown scheduler 'ashes'"):
        settled(request("ashes"))


@pytest.mark.parametrize(
    ("more", "grace_period", "keep"),
    [
        ({}, 2, 0.5),
        ({"grace_period": 1}, 1, 0.5),
        ({"keep": 0.7}, 2, 0.7),
        ({"epochs": 3}, 2, 0.5),
        ({"epochs": 2}, 0.5, 0.6),  # no rung would be left
        ({"epochs": 2, "grace_period": 1}, 1, 0.5),
    ],
)
def test_halving_compares_draws_of_transfer_later_unless_told_when(more, grace_period, keep):
    filled = settled(request("halving", sampler="transfer", **more))
    assert (filled.grace_period, filled.keep, filled.hears) == (grace_period, keep, "everything")


def test_a_sampler_has_options_only_for_schedulers_that_take_them():
    for kind in SAMPLERS.values():
        assert all(set(options) <= set(options_of(scheduler)) for scheduler, options in kind.suits.items())


def test_another_scheduler_has_its_own_options():
    draws = request("halving", sampler="transfer", grace_period=4, keep=0.7)
    assert with_scheduler(draws, "asha") == settled(request("asha", sampler="transfer"))
    assert with_scheduler(draws, "halving").grace_period == 2
