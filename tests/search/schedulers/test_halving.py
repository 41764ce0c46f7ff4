"""Halving: who goes on does not depend on timing, and everything that may go on does."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search.history.events import Granted, Opened, State
from search.schedulers.halving import Halving
from search.schedulers.objectives import in_order
from tests.search.events import asked, measured, started
from tests.search.schedulers.games import COARSE, ENDS, MAX_T, Game, outcome, reached

RUNGS = (0.5, 1.0, 2.0, 4.0, MAX_T)


@st.composite
def games(draw: st.DrawFn, *, deadly: bool = True) -> Game:
    """Few different values, so that many are equal; some trials die, some have fewer epochs than the others."""
    number = draw(st.integers(1, 24))
    levels = draw(st.sampled_from([2, 4, 100]))
    curve = st.lists(st.integers(0, levels), min_size=len(ENDS), max_size=len(ENDS))
    values = [[value / levels for value in draw(curve)] for _ in range(number)]
    sizes = st.lists(st.integers(1, 9), min_size=number, max_size=number)
    parameters = draw(sizes) if draw(st.booleans()) else ()
    if not deadly:
        return Game(values=values, parameters=parameters)
    trials = st.integers(0, number - 1)
    deaths = draw(
        st.dictionaries(trials, st.tuples(st.sampled_from(ENDS), st.sampled_from(["diverged", "failed", "infeasible"])))
    )
    epochs = draw(st.dictionaries(trials, st.integers(1, MAX_T - 1), max_size=3))
    ends = draw(st.sampled_from([ENDS, COARSE]))
    return Game(values=values, deaths=deaths, ends=ends, epochs=epochs, parameters=parameters)


@settings(deadline=None, max_examples=150)
@given(game=games(), slots=st.integers(1, 16), seed=st.integers(0, 99), kill_after=st.integers(1, 300))
def test_the_same_is_trained_on_any_slots_at_any_speed_and_whatever_is_killed_when(game, slots, seed, kill_after):
    alone = outcome(game.play().record)
    assert outcome(game.play(slots=slots, seed=seed).record) == alone
    assert outcome(game.play(slots=slots, seed=seed, kill_after=kill_after).record) == alone


@pytest.mark.parametrize("kill_after", range(1, 41))
def test_a_trial_that_passed_two_rungs_within_a_batch_is_resumed_at_its_level(kill_after):
    """When a sampler has no more trials, they are promoted without a line of the ledger if a batch holds two rungs."""
    game = Game(values=[[0.5] * len(ENDS), [0.0] * len(ENDS)], ends=COARSE)
    alone = game.play(slots=2, more=4).record
    found = game.play(slots=2, more=4, kill_after=kill_after).record
    assert [len(reached(found, rung)) for rung in RUNGS] == [len(reached(alone, rung)) for rung in RUNGS]


@settings(deadline=None, max_examples=60)
@given(
    game=games(deadly=False),
    ends=st.sampled_from([ENDS, COARSE]),
    slots=st.integers(1, 16),
    more=st.integers(1, 9),
    kill_after=st.integers(1, 300),
)
def test_trials_that_cannot_be_drawn_keep_nobody_from_going_on(game, ends, slots, more, kill_after):
    game = replace(game, ends=ends)
    fewer = game.play(slots=slots).record
    found = game.play(slots=slots, more=more, kill_after=kill_after).record
    for rung in RUNGS:
        assert len(reached(found, rung)) >= len(reached(fewer, rung))


@settings(deadline=None, max_examples=60)
@given(game=games(), slots=st.sampled_from([1, 3, 16]), seed=st.integers(0, 99))
def test_somebody_is_trained_to_the_end_wherever_anybody_lives(game, slots, seed):
    states = [run.state for run in game.play(slots=slots, seed=seed).record.trials]
    assert len(states) == len(game.values)
    lives = set(range(len(states))) - {trial for trial in game.deaths if game.deaths[trial][0] <= game.last(trial)}
    assert State.DONE in states or not lives


@settings(deadline=None, max_examples=60)
@given(game=games(deadly=False), slots=st.integers(1, 16), keep=st.sampled_from([0.3, 0.5, 0.6, 0.9]))
def test_those_go_on_that_halving_rung_by_rung_lets_go_on(game, slots, keep):
    record = game.play(slots=slots, keep=keep).record
    number = len(game.values)
    left, spent = list(range(number)), 0.5 * number
    for level, (rung, following) in enumerate(pairwise(RUNGS), 1):
        quota = min(len(left), max(2, math.ceil(number * keep**level - 1e-9)))
        until = sum(end <= rung for end in ENDS)
        best = {trial: max(game.values[trial][:until]) for trial in left}
        if game.parameters:
            left = in_order({trial: (best[trial], math.log(game.parameters[trial])) for trial in left})[:quota]
        else:
            left = sorted(left, key=lambda trial: (-best[trial], trial))[:quota]
        assert reached(record, following) == set(left)
        spent += (following - rung) * quota
    assert sum(run.epochs for run in record.trials) == spent


def test_sixty_samples_of_sixteen_epochs_cost_what_was_known_before():
    halving = Halving(16, 60)
    assert halving.rungs == (0.5, 1, 2, 4, 8)
    assert halving.room() == [60, 36, 22, 13, 8, 5]


def scheduler(values, samples=None, grace_period=1.0):
    """A scheduler of four epochs that has heard of trials with these values at its first rung."""
    made = Halving(4, samples or len(values), grace_period=grace_period, keep=0.5)
    for trial, value in enumerate(values):
        made.hear(asked(trial))
        made.hear(started(trial))
        made.hear(measured(10, value, trial=trial, state=State.PAUSED))
    return made


def test_a_trial_goes_on_as_soon_as_nothing_that_comes_can_change_it():
    assert scheduler([0.9, 0.1, 0.2], samples=4).choose() == 0, "two of four go on, and one is still to come"
    assert scheduler([0.9, 0.1], samples=4).choose() is None
    assert scheduler([0.5, 0.5, 0.5, 0.5]).choose() == 0, "the lowest number among equals"


def test_a_trial_counts_its_best_up_to_the_rung_and_pauses_only_at_the_rung_of_its_level():
    made = Halving(4, 3, keep=0.5)
    for trial in range(3):
        made.hear(asked(trial))
        made.hear(started(trial))
    for trial, value in enumerate((0.2, 0.3, 0.4)):
        made.hear(measured(5, value, trial=trial, state=State.PAUSED))
    made.hear(Granted(trial=2, repeat=0))
    made.hear(started(2, attempt=2, images=5))
    assert made.decide(measured(5, 0.4, trial=2)) == "continue"
    assert made.decide(measured(10, 0.9, trial=2)) == "pause"
    made.hear(measured(10, 0.1, trial=2, attempt=2, state=State.PAUSED))
    assert made.levels[1].waiting == {2}


@pytest.mark.parametrize("ends", [ENDS, COARSE])
def test_a_finished_search_grows_to_the_same_on_any_slots(ends):
    game = Game(
        values=[[((7 * trial + 3 * end) % 11) / 10 for end in range(len(ENDS))] for trial in range(20)], ends=ends
    )
    grown = []
    for slots in (1, 2, 7):
        first = game.play(slots=slots, samples=9).ledger.events
        grown.append(game.play(slots=slots, seed=slots, samples=20, before=first))
    assert all(outcome(each.record) == outcome(grown[0].record) for each in grown)
    assert len(grown[0].record.trials) == 20
    assert len(reached(grown[0].record, 1.0)) >= 12


def test_what_has_failed_stays_so_when_the_search_is_resumed():
    game = Game(values=[[trial / 4] * len(ENDS) for trial in range(4)], deaths={3: (0.5, "failed")})
    events = game.play().ledger.events
    again = Game(values=game.values).play(before=events)
    assert [event for event in again.ledger.events[len(events) :] if not isinstance(event, Opened)] == []
    assert again.record.runs[3, 0].state is State.FAILED


def test_with_asha_by_promotion_a_failed_trial_gets_another_attempt():
    game = Game(values=[[trial / 4] * len(ENDS) for trial in range(4)], deaths={3: (0.5, "failed")})
    events = game.play("asha-promote").ledger.events
    again = Game(values=game.values).play("asha-promote", before=events)
    assert again.record.runs[3, 0].state is not State.FAILED


def test_a_resume_hands_out_once_what_it_lets_go_on():
    game = Game(values=[[trial / 4] * len(ENDS) for trial in range(4)])
    events = game.play().ledger.events
    first = next(at for at, event in enumerate(events) if isinstance(event, Granted))
    again = game.play(slots=4, before=events[:first]).ledger.events[first:]
    kinds = [event.kind for event in again if getattr(event, "trial", None) == events[first].trial]
    assert kinds[:3] == ["granted", "started", "measured"]
