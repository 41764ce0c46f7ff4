"""ASHA by promotion: the rule of the paper, and an end for searches that are small."""

from hypothesis import given, settings
from hypothesis import strategies as st

from search.history.events import Granted, State
from search.schedulers.asha_promote import AshaPromote
from tests.search.events import asked, measured, started
from tests.search.schedulers.games import ENDS, Game


def pauses(made, trial, value, epoch=1):
    """A trial is measured at a rung, where it pauses."""
    if epoch == 1:
        made.hear(asked(trial))
    made.hear(started(trial, attempt=epoch, images=0 if epoch == 1 else 5 * epoch))
    made.hear(measured(10 * epoch, value, trial=trial, attempt=epoch, state=State.PAUSED))


def test_a_trial_goes_on_while_it_is_in_the_best_half_of_its_rung():
    made = AshaPromote(8, 99)
    assert made.rungs == (1, 2, 4)
    pauses(made, 0, 0.5)
    assert made.choose() is None, "half of one is none: a new trial begins"
    pauses(made, 1, 0.4)
    assert made.choose() == 0
    made.hear(Granted(trial=0, repeat=0))
    assert made.choose() is None, "the best half has gone on"
    pauses(made, 2, 0.3)
    pauses(made, 3, 0.2)
    assert made.choose() == 1, "the best two of four, of which one has gone on"


def test_the_deepest_rung_comes_first():
    made = AshaPromote(8, 99)
    for trial, value in enumerate((0.5, 0.4, 0.3, 0.2)):
        pauses(made, trial, value)
    for trial in (0, 1):
        assert made.choose() == trial
        made.hear(Granted(trial=trial, repeat=0))
        pauses(made, trial, 0.6, epoch=2)
    for trial, value in ((4, 0.45), (5, 0.1)):
        pauses(made, trial, value)
    assert made.choose() == 0, "at the second rung, although another may go on at the first"


def test_a_larger_factor_lets_fewer_go_on():
    made = AshaPromote(27, 99, reduction_factor=3)
    assert made.rungs == (1, 3, 9)
    for trial in range(6):
        pauses(made, trial, trial / 10)
    granted = []
    while (trial := made.choose()) is not None:
        granted.append(trial)
        made.hear(Granted(trial=trial, repeat=0))
    assert granted == [5, 4]


@settings(deadline=None, max_examples=40)
@given(number=st.integers(1, 12), slots=st.integers(1, 8), seed=st.integers(0, 99))
def test_somebody_is_trained_to_the_end_however_small_the_search(number, slots, seed):
    game = Game(values=[[((5 * trial + end) % 7) / 6 for end in range(len(ENDS))] for trial in range(number)])
    states = [run.state for run in game.play("asha-promote", slots=slots, seed=seed).record.trials]
    assert len(states) == number
    assert set(states) <= {State.DONE, State.PAUSED} and State.DONE in states


def test_the_best_is_trained_to_the_end_when_the_sampler_finds_no_more_trials():
    game = Game(values=[[0.3] * len(ENDS), [0.5] * len(ENDS), [0.4] * len(ENDS)])
    states = [run.state for run in game.play("asha-promote", more=2).record.trials]
    assert states == [State.PAUSED, State.DONE, State.PAUSED]
