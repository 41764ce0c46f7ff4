"""Searches that are played on the simulated engine, with made-up accuracies."""

from dataclasses import replace

import numpy as np
import pytest

from search.forecast.forecast import Plan
from search.forecast.seconds import Times
from search.history.events import Decision, Granted, Measured, State
from search.history.request import Request
from search.run.rehearsal import announced, games_of, heard, play, preferred_by, rehearse
from search.samplers.hearing import LEAST, Observed
from search.samplers.make import make_sampler
from search.schedulers import SCHEDULERS
from search.schedulers.scheduler import make_scheduler, scheduler
from search.spaces import find_space


def game(seconds, epochs, scheduler="none", max_t=30, slots=2, seed=0, order=None):
    found = Times(list(seconds), [-0.05] * len(seconds))  # nothing between two trials
    order = order or range(len(seconds))
    return play(found, epochs, order, make_scheduler(scheduler, max_t=max_t, samples=len(order)), slots, seed)


def test_without_a_scheduler_the_game_is_plain_arithmetic():
    assert game([2.0] * 6, [5] * 6, slots=3) == (30, pytest.approx(20.0))


def test_a_slower_last_trial_is_a_tail_that_beginning_with_it_avoids():
    seconds, epochs = [1.0, 1.0, 1.0, 10.0], [3] * 4
    assert game(seconds, epochs) == (12, pytest.approx(33.0))
    assert game(seconds, epochs, order=[3, 0, 1, 2]) == (12, pytest.approx(30.0))


def test_a_start_is_paid_once_a_trial():
    assert play(Times([2.0], [0.95]), [4], [0], make_scheduler("none", max_t=4, samples=1), 1, 0) == (
        4,
        pytest.approx(9.0),
    )


def test_more_samples_than_configurations_repeat_them():
    assert game([1.0, 3.0], [2, 2], order=range(4), slots=1) == (8, pytest.approx(16.0))


def test_asha_trains_fewer_epochs_and_more_slots_take_less_time():
    seconds, epochs = [1.0] * 60, [30] * 60
    plain, _ = game(seconds, epochs)
    played = [game(seconds, epochs, "asha", seed=seed) for seed in range(20)]
    faster = [game(seconds, epochs, "asha", slots=8, seed=seed) for seed in range(20)]
    assert np.mean([e for e, _ in played]) < plain / 3
    assert np.mean([w for _, w in faster]) < np.mean([w for _, w in played]) / 2
    assert all(wall >= e / 2 - 1e-6 for e, wall in played)


def test_the_epochs_of_halving_are_a_number_and_those_of_asha_a_range():
    played = {
        name: {game([1.0] * 20, [8] * 20, name, max_t=8, seed=seed)[0] for seed in range(20)} for name in SCHEDULERS
    }
    assert len(played["halving"]) == len(played["none"]) == 1 < len(played["asha"])
    assert min(played["halving"]) < min(played["none"])


def test_whole_waves_leave_slots_idle_at_their_ends():
    found, trials = Times([1.0] * 20, [-0.05] * 20), range(20)

    def takes(in_waves):
        made = make_scheduler("none", max_t=1, samples=20)
        return play(found, [1] * 20, trials, made, 7, 0, in_waves=in_waves)

    assert takes(False) == (20, pytest.approx(3.0))
    assert takes(True) == (20, pytest.approx(4.0)), "two waves of ten on seven slots"


def test_a_launch_says_from_which_draw_on_a_sampler_hears_of_how_many_epochs():
    asked = Request(
        space="cnn_all", samples=60, epochs=16, data_dir="", sampler="gp", hears="waves", scheduler="halving"
    )
    hears, note = heard(asked, 60)
    assert hears.startswith("with gp, trials are drawn ten at a time, once all")
    assert hears.endswith("; they are the same whatever the number of slots")
    assert note == (
        "note: halving promotes trials late, so gp first learns from short runs: "
        "0.5 epochs from trial 10 on, 1 from trial 40 on, 2 from trial 50 on (of 60 trials)"
    )
    assert heard(asked, 10)[1].endswith("so gp does not learn within 10 trials")
    assert heard(replace(asked, hears="everything"), 60)[1].endswith(
        "0.5 epochs from trial 8 on, 1 from trial 32 on, 2 from trial 46 on, 4 from trial 55 on (of 60 trials)"
    )
    whole = [Observed({}, {}, State.DONE, ((16.0, 0.5),))] * LEAST
    assert len(heard(asked, 60, whole)) == 1, "an earlier search's whole trainings are known from the first draw on"
    assert len(heard(asked, 60, whole[1:])) == 2
    assert len(heard(replace(asked, scheduler="asha", hears="everything"), 60)) == 1
    (line,) = heard(replace(asked, scheduler="asha"), 60)
    assert line.endswith("; they may depend on the number of slots")
    assert heard(replace(asked, sampler="random", hears=None), 60) == ()
    many = heard(replace(asked, hears="everything"), 5000)[1]
    last = "4 from trial 3928 on, 8 from trial 4360 on, 16 from trial 4619 on (of 5000 trials)"
    assert many.endswith(last), "in a moment"


def plan_of(configs, samples, **changes):
    plan = Plan(
        draws=(),
        configs=configs,
        costs=(),
        order=range(samples),
        num_train=1,
        num_validation=1,
        sampler="tpe",
        hears="everything",
        scheduler="none",
        options={},
        also=(),
        pauses=False,
        max_t=1,
    )
    return replace(plan, **changes)


@pytest.mark.parametrize("samples", [1, 60, 300, 2000, 10_000, 1_000_000])
@pytest.mark.parametrize("also", [(), ("parameters",), ("parameters", "flops")], ids=len)
def test_a_forecast_of_any_length_simulates_a_limited_number_of_trials(samples, also):
    plan = plan_of([], samples, also=also)
    games, trials = games_of(plan)
    assert 1 <= games <= (10 if also else 100) and games * trials <= (3000 if also else 30_000)
    assert trials == samples or games * trials >= 1500
    assert bool(announced(plan)) == (samples > 60)


def test_a_very_long_search_is_forecast_in_proportion():
    configs = [make_sampler(find_space("cnn5"), "random", 0, lambda config: None).draw(0).config]
    plan = plan_of(configs, 300_000, sampler="random", hears=None, scheduler="halving", max_t=8)
    played = rehearse(plan, Times([2.0], [0.0]), 4, games=1)
    part = rehearse(replace(plan, order=range(3000)), Times([2.0], [0.0]), 4, games=1)
    assert played == [(pytest.approx(100 * epochs), pytest.approx(100 * wall)) for epochs, wall in part]
    assert announced(plan) == ("forecasting from 10 simulations, each of the first 3,000 trials …",)
    assert announced(replace(plan, order=range(300))) == ("forecasting from 100 simulations …",)


@pytest.mark.parametrize("number", [1, 2, 16])
def test_in_a_game_guided_draws_are_of_one_family_and_in_many_games_of_every(number):
    drawing = make_sampler(find_space("cnn_all"), "random", 0, lambda config: None)
    configs = [drawing.draw(trial).config for trial in range(number)]
    plan = plan_of(configs, 24)
    games = [{configs[which].network.name for which in preferred_by(plan, seed)[LEAST + 1 :: 2]} for seed in range(99)]
    assert all(len(families) == 1 for families in games)
    assert set.union(*games) == {config.network.name for config in configs}


@scheduler("halfway")
class HalfWay:
    """Pauses every trial at its half, and lets the first of two go on."""

    pauses = True
    same_on_any_slots = False

    def __init__(self, max_t):
        self.rungs = (max_t / 2,)
        self.paused = []

    def decide(self, measured):
        return Decision.PAUSE if measured.epoch == self.rungs[0] else Decision.CONTINUE

    def choose(self):
        return self.paused[0] if len(self.paused) > 1 else None

    def hear(self, event):
        match event:
            case Measured(decision=Decision.PAUSE):
                self.paused.append(event.trial)
            case Granted():
                self.paused.remove(event.trial)


def test_a_scheduler_that_pauses_is_played_and_only_what_it_lets_go_on_is_trained_to_its_end():
    assert game([1.0] * 4, [5] * 4, "halfway", max_t=5, slots=1) == (3 * 5 + 2.5, pytest.approx(17.5))
