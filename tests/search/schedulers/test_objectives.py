"""Several objectives: what beats what, and that every scheduler takes them."""

from itertools import pairwise, product
from math import log

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.study import StudyDirection

from search.history.events import Decision
from search.history.request import Request, check_request
from search.schedulers.asha import Asha
from search.schedulers.none import NoScheduler
from search.schedulers.objectives import Objectives, in_order, volume, worths
from search.schedulers.scheduler import SchedulerError, make_scheduler, scheduler
from tests.search.events import asked, measured

grid = st.integers(0, 4).map(lambda step: step / 4)
points = st.integers(2, 3).flatmap(lambda size: st.lists(st.tuples(*[grid] * size), min_size=1, max_size=10))


def test_of_one_aim_a_trial_is_worth_its_value():
    assert worths({3: (0.5,), 1: (0.75,)}) == {3: 0.5, 1: 0.75}


def test_what_nothing_beats_comes_first_and_of_those_what_lies_alone():
    good = {0: (0.9, 5.0), 1: (0.89, 4.9), 2: (0.88, 4.8), 3: (0.2, 0.0)}
    order = in_order({**good, 4: (0.8, 5.0), 5: (0.1, 1.0)})
    assert order[0] == 0, "the best by value"
    assert order.index(3) < order.index(1), "one of many that are alike is worth less"
    assert worths({0: (0.9, 5.0), 1: (0.8, 5.0), 2: (0.5, 1.0), 3: (0.9, 5.0)}) == {0: 0.0, 1: -1.0, 2: 0.0, 3: 0.0}


def test_a_tiny_network_that_guesses_is_worth_less_than_small_ones_that_learn():
    order = in_order({0: (0.9, log(1000)), 1: (0.85, log(400)), 2: (0.8, log(200)), 3: (0.1, log(150))})
    assert order == [0, 2, 1, 3]


def test_equal_points_stand_by_their_numbers():
    assert in_order({7: (0.5, 1.0), 2: (0.5, 1.0), 5: (0.5, 1.0)}) == [2, 5, 7]


@given(drawn=points)
def test_no_point_comes_before_one_that_beats_it(drawn: list[tuple[float, ...]]) -> None:
    order = in_order(dict(enumerate(drawn)))
    assert sorted(order) == list(range(len(drawn)))
    for place, trial in enumerate(order):
        for other in order[place + 1 :]:
            losses = [(-value, *costs) for value, *costs in (drawn[other], drawn[trial])]
            assert losses[0] == losses[1] or not all(a <= b for a, b in zip(*losses, strict=True))


@given(drawn=points)
def test_the_volume_is_that_of_the_cells_that_some_point_covers(drawn: list[tuple[float, ...]]) -> None:
    edges = [0.0, 0.25, 0.5, 0.75, 1.0, 1.1]
    cells = product(*[list(pairwise(edges))] * len(drawn[0]))
    covered = 0.0
    for cell in cells:
        if any(all(each <= low for each, (low, _) in zip(point, cell, strict=True)) for point in drawn):
            size = 1.0
            for low, high in cell:
                size *= high - low
            covered += size
    assert volume(drawn) == pytest.approx(covered)


@given(drawn=points)
def test_the_first_front_is_optuna_s(drawn: list[tuple[float, ...]]) -> None:
    directions = [StudyDirection.MAXIMIZE, *[StudyDirection.MINIMIZE] * (len(drawn[0]) - 1)]
    study = optuna.create_study(directions=directions)
    study.add_trials([optuna.trial.create_trial(values=list(point)) for point in drawn])
    best = {trial.number for trial in study.best_trials}
    assert set(in_order(dict(enumerate(drawn)))[: len(best)]) == best


def test_a_point_is_the_value_and_logarithms_of_what_was_asked_for():
    objectives = Objectives(("flops", "seconds"))
    objectives.hear(asked(3, flops=1000))
    point = objectives.point(measured(10, 0.5, trial=3, images_per_second=100.0), 0.5)
    assert point == (0.5, pytest.approx(log(1000)), pytest.approx(log(0.01)))
    unknown = objectives.point(measured(10, 0.5, trial=3), 0.5)
    assert unknown[2] > log(1e6), "a speed that is not known is slow"
    assert Objectives(()).point(measured(10, 0.5), 0.25) == (0.25,)


def test_a_small_network_goes_on_where_its_value_alone_would_end_it():
    decided = []
    for also in ((), ("parameters",)):
        asha = Asha(8, also)
        for trial, (value, parameters) in enumerate([(0.9, 1000), (0.8, 900), (0.85, 1000), (0.4, 10)]):
            asha.hear(asked(trial, parameters=parameters))
            line = measured(10, value, trial=trial)
            decision = asha.decide(line)
            asha.hear(line)
        decided.append(decision)
    assert decided == [Decision.STOP, Decision.CONTINUE]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_asha_stops_nothing_that_nothing_beats_whoever_comes_first(order):
    asha = Asha(8, ("parameters",))
    for trial, parameters in enumerate((1000, 10)):
        asha.hear(asked(trial, parameters=parameters))
    for trial in order:
        line = measured(10, (0.9, 0.5)[trial], trial=trial)
        assert asha.decide(line) is Decision.CONTINUE
        asha.hear(line)


def test_a_front_of_many_trials_and_aims_is_put_in_order_too():
    """Only the first of them by volumes, which for all of them would take many seconds."""
    rng = np.random.default_rng(0)
    points = {n: tuple(float(each) for each in rng.random(4)) for n in range(300)}
    assert sorted(in_order(points)) == list(range(300))


def test_halving_by_the_clock_is_not_promised_to_be_the_same_on_any_slots():
    made = [make_scheduler("halving", max_t=8, samples=4, also=also) for also in ((), ("flops",), ("flops", "seconds"))]
    assert [each.same_on_any_slots for each in made] == [True, True, False]


def test_a_scheduler_that_knows_one_aim_refuses_more():
    @scheduler("one-value")
    class OneAim(NoScheduler):
        def __init__(self) -> None:
            pass

    with pytest.raises(
        SchedulerError, match="--also needs a scheduler that .* several objectives; --scheduler one-value"
    ):
        make_scheduler("one-value", max_t=8, samples=4, also=("flops",))


@pytest.mark.parametrize("also", ["size", "", "flops,flops", "flops,"])
def test_a_request_with_costs_that_are_none_is_refused(also):
    request = Request(space="cnn_all", samples=1, data_dir="", also=also)
    with pytest.raises(ValueError, match="some of parameters, flops, seconds, each once, with commas between them"):
        check_request(request)
