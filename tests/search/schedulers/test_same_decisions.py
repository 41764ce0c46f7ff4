"""Decisions are kept up to date trial by trial; here each is computed anew from all trials, by the plain definition."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.history.events import Decision, Granted, State
from search.schedulers.asha import Asha, quantile
from search.schedulers.objectives import _spread
from search.schedulers.promoting import Level
from search.schedulers.scheduler import make_scheduler
from tests.search.events import asked, ended, measured, started

MAX_T = 8
IMAGES = 10  # an epoch
SCHEDULERS = ("asha", "asha-promote", "halving")


def fronts(points):
    """The fronts of several objectives, from comparisons of all with all."""
    trials = sorted(points)
    losses = np.array([points[trial] for trial in trials], float)
    losses[:, 0] *= -1
    lows, spans = losses.min(axis=0), np.ptp(losses, axis=0)
    losses = (losses - lows) / np.where(spans, spans, 1.0)
    no_worse = (losses[:, None] <= losses).all(axis=2)
    beats = no_worse & ~no_worse.T
    left = np.arange(len(trials))
    while left.size:
        is_front = ~beats[np.ix_(left, left)].any(axis=0)
        yield {trials[i]: tuple(losses[i].tolist()) for i in left[is_front]}
        left = left[~is_front]


def plain_worths(points):
    if all(len(point) == 1 for point in points.values()):
        return {trial: value for trial, (value,) in points.items()}
    return {trial: -float(number) for number, front in enumerate(fronts(points)) for trial in front}


def plain_order(points):
    if all(len(point) == 1 for point in points.values()):
        return sorted(points, key=lambda trial: (-points[trial][0], trial))
    return [trial for front in fronts(points) for trial in _spread(front)]


class PlainAsha(Asha):
    def decide(self, measured):
        rung = self._rung_due(measured)
        if rung is None or not self._points[rung]:
            return Decision.CONTINUE
        worth = plain_worths({**self.points(rung), measured.trial: self._point(measured)})
        own = worth.pop(measured.trial)
        with np.errstate(invalid="ignore"):
            passes = own >= np.quantile(list(worth.values()), self._share)
        return Decision.CONTINUE if passes else Decision.STOP


class PlainLevel(Level):
    def pause(self, trial, point):
        self.points[trial] = point
        self.waiting.add(trial)

    def leave(self, trial):
        self.waiting.discard(trial)

    def best(self):
        order = plain_order(self.points)
        trial = next(trial for trial in order if trial in self.waiting)
        return trial, order.index(trial)


def pair(name, also, samples, factor):
    """A scheduler, and the same by the plain definition."""
    option = {"keep": 1 / factor} if name == "halving" else {"reduction_factor": factor}
    made = make_scheduler(name, max_t=MAX_T, samples=samples, also=also, **option)
    if name == "asha":
        return made, PlainAsha(MAX_T, also, **option)
    plain = make_scheduler(name, max_t=MAX_T, samples=samples, also=also, **option)
    plain.levels = [PlainLevel() for _ in plain.levels]
    return made, plain


VALUES = {
    "ties": lambda rng: rng.randrange(4) / 4,
    "many": lambda rng: rng.random(),
    "odd": lambda rng: rng.choice([math.nan, 0.0, -0.0, 1.0, rng.random()]),
}


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize("also", [(), ("parameters",), ("parameters", "flops")], ids=len)
@pytest.mark.parametrize("values", VALUES)
def test_decisions_are_those_of_the_plain_definition(name, also, values):
    """Random searches; their trials also begin again before what they had measured, or fail and are tried again."""
    asked_for, samples = 0, 20 if also else 40
    for seed in range(3 if also else 8):
        rng = random.Random(seed)
        both = pair(name, also, samples=samples, factor=rng.choice([1.5, 2.0, 3.0]))
        images: dict[int, int] = {}
        attempts: dict[int, int] = {}
        running: list[int] = []
        drawn = 0

        def hear(event, both=both):
            for each in both:
                each.hear(event)

        def begin(trial, at, hear=hear, images=images, attempts=attempts):
            images[trial], attempts[trial] = at, attempts.get(trial, 0) + 1
            hear(started(trial, attempt=attempts[trial], images=at))

        for _ in range(10 * samples):
            chosen = [each.choose() for each in both]
            assert chosen[0] == chosen[1]
            asked_for += chosen[0] is not None
            if len(running) < 5 and chosen[0] is not None:
                hear(Granted(trial=chosen[0], repeat=0))
                begin(chosen[0], images[chosen[0]])
                running.append(chosen[0])
            elif len(running) < 5 and drawn < samples:
                hear(asked(drawn, parameters=rng.randrange(1, 9), flops=rng.randrange(1, 9)))
                begin(drawn, 0)
                running.append(drawn)
                drawn += 1
            elif not running:
                break
            trial = rng.choice(running)
            if rng.random() < 0.1:
                if rng.random() < 0.5:
                    hear(ended(State.FAILED, trial=trial, attempt=attempts[trial]))
                begin(trial, rng.randrange(0, images[trial] + 1, 5))
                continue
            images[trial] += 5
            line = measured(images[trial], VALUES[values](rng), trial=trial, attempt=attempts[trial])
            decisions = [each.decide(line) for each in both]
            assert decisions[0] is decisions[1]
            state = {Decision.PAUSE: State.PAUSED, Decision.STOP: State.STOPPED}.get(decisions[0], State.RUNNING)
            decision = decisions[0]
            if images[trial] >= MAX_T * IMAGES:
                state, decision = State.DONE, Decision.END
            hear(replace(line, state=state, decision=decision))
            asked_for += decision in (Decision.STOP, Decision.CONTINUE)
            if state is not State.RUNNING:
                running.remove(trial)
    assert asked_for > 100, "the game is one"


@given(
    values=st.lists(st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 0.5])), min_size=1, max_size=12),
    factor=st.floats(1.0, 10.0, exclude_min=True),
)
def test_the_quantile_is_numpy_s_to_the_last_bit(values: list[float], factor: float) -> None:
    with np.errstate(all="ignore"):
        expected = np.quantile(values, 1 - 1 / factor)
    found = quantile(sorted(values, key=lambda value: (math.isnan(value), value)), 1 - 1 / factor)
    assert found == expected or (math.isnan(found) and math.isnan(expected))
