import numpy as np
import pytest
from ray.tune.schedulers.async_hyperband import _Bracket

from architectures.errors import HpsearchError
from search.schedulers.asha import Asha, make_scheduler


def test_rungs_double_from_the_grace_period_and_end_below_max_t():
    assert Asha(30).levels == [1, 2, 4, 8, 16]
    assert Asha(8).levels == [1, 2, 4]
    assert Asha(27, grace_period=1, reduction_factor=3).levels == [1, 3, 9]
    assert Asha(1).levels == []


def test_the_first_at_a_rung_passes_and_later_ones_need_the_median():
    asha = Asha(8)
    assert asha.judge(0, 1, 0.5)
    assert not asha.judge(1, 1, 0.4)
    assert asha.judge(2, 1, 0.45)  # the median of .5 and .4
    assert not asha.judge(3, 1, 0.44)


def test_between_rungs_everything_goes_on():
    asha = Asha(8)
    assert asha.judge(0, 1, 0.9)
    assert asha.judge(1, 3, 0.0)
    assert asha.judge(1, 0.5, 0.0)


def test_a_trial_that_is_trained_again_replaces_its_own_value():
    asha = Asha(8)
    asha.judge(0, 1, 0.9)
    asha.judge(0, 1, 0.1)
    assert asha.judge(1, 1, 0.2)


@pytest.mark.parametrize("seed", range(5))
def test_decisions_are_those_of_tunes_asha(seed):
    rng = np.random.default_rng(seed)
    ours = Asha(30)
    theirs = _Bracket(min_t=1, max_t=30, reduction_factor=2, s=0)

    class Stub:
        def __init__(self, number):
            self.trial_id = str(number)

    for trial in range(60):
        for epoch in range(1, 30):
            value = float(rng.random())
            goes_on = ours.judge(trial, epoch, value)
            assert goes_on == (theirs.on_result(Stub(trial), epoch, value) == "CONTINUE"), (trial, epoch)
            if not goes_on:
                break


def test_without_a_scheduler_nothing_is_stopped():
    none = make_scheduler("none", 5)
    assert all(none.judge(trial, 1, -trial) for trial in range(10))


def test_an_unknown_scheduler_names_the_known_ones():
    with pytest.raises(HpsearchError, match="unknown scheduler 'best'; known: asha, none"):
        make_scheduler("best", 8)
