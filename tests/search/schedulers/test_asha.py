import numpy as np
import pytest
from ray.tune.schedulers.async_hyperband import _Bracket

from search.history.events import Decision, State
from search.schedulers.asha import Asha
from tests.search.events import measured, started


def judge(asha, trial, epoch, value):
    """What the driver does with a measurement: it asks, and the line it writes is heard. Whether the trial goes on."""
    decision = asha.decide(measured(round(10 * epoch), value, trial=trial))
    state = State.RUNNING if decision is Decision.CONTINUE else State.STOPPED
    asha.hear(measured(round(10 * epoch), value, trial=trial, state=state, decision=decision))
    return decision is Decision.CONTINUE


def test_rungs_double_from_the_grace_period_and_end_below_max_t():
    assert Asha(30).rungs == (1, 2, 4, 8, 16)
    assert Asha(8).rungs == (1, 2, 4)
    assert Asha(27, grace_period=1, reduction_factor=3).rungs == (1, 3, 9)
    assert Asha(1).rungs == ()


def test_the_first_at_a_rung_passes_and_later_ones_need_the_median():
    asha = Asha(8)
    assert judge(asha, 0, 1, 0.5)
    assert not judge(asha, 1, 1, 0.4)
    assert judge(asha, 2, 1, 0.45)  # the median of .5 and .4
    assert not judge(asha, 3, 1, 0.44)


def test_between_rungs_everything_goes_on():
    asha = Asha(8)
    assert judge(asha, 0, 1, 0.9)
    assert judge(asha, 1, 3, 0.0)
    assert judge(asha, 1, 0.5, 0.0)


def test_asking_changes_nothing_until_the_line_is_heard():
    asha = Asha(8)
    judge(asha, 0, 1, 0.5)
    assert [asha.decide(measured(10, 0.4, trial=1)) for _ in range(3)] == [Decision.STOP] * 3
    assert asha.points(0) == {0: (0.5,)}


def test_a_trial_that_is_trained_again_replaces_its_own_value():
    asha = Asha(8)
    judge(asha, 0, 1, 0.9)
    asha.hear(started(0, attempt=2))
    judge(asha, 0, 1, 0.1)
    assert judge(asha, 1, 1, 0.2)


def test_a_trial_that_goes_on_from_a_checkpoint_keeps_what_it_had_up_to_it():
    asha = Asha(8)
    for epoch in (1, 2):
        judge(asha, 0, epoch, 0.5)
    asha.hear(started(0, attempt=2, images=10))
    assert (asha.points(0), asha.points(1)) == ({0: (0.5,)}, {})


def test_a_measurement_that_ends_a_run_by_itself_and_a_retrain_are_at_no_rung():
    asha = Asha(8)
    asha.hear(measured(10, 0.9, trial=0, state=State.DIVERGED))
    asha.hear(measured(10, None, trial=1, repeat=1))
    assert asha.points(0) == {}


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
            goes_on = judge(ours, trial, epoch, value)
            assert goes_on == (theirs.on_result(Stub(trial), epoch, value) == "CONTINUE"), (trial, epoch)
            if not goes_on:
                break
