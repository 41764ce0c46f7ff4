"""Learning rates over a training, held against torch's schedulers where torch has them."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, MultiStepLR, OneCycleLR

from trainables.schedules import SCHEDULES, rate_factor

STEPS, BATCH = 200, 10


def ours(schedule: str, *, warmup: float = 0.0, time_decay: float = 0.0) -> list[float]:
    """The factors of 200 steps of ten images."""
    return [
        rate_factor(
            schedule,
            step * BATCH,
            STEPS * BATCH,
            batch_size=BATCH,
            warmup=warmup,
            time_decay=time_decay,
            steps=step,
        )
        for step in range(STEPS)
    ]


def torchs(make: Callable[[Optimizer], LRScheduler]) -> list[float]:
    optimizer = SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("name", "make", "near"),
    [
        ("cosine", lambda o: CosineAnnealingLR(o, STEPS), 1e-9),
        ("linear", lambda o: LinearLR(o, 1.0, 0.0, STEPS), 1e-9),
        ("step", lambda o: MultiStepLR(o, [STEPS // 2, 3 * STEPS // 4], 0.1), 1e-9),
        # Torch reaches its ends a step early: its cycle is as long as the steps are, less one.
        ("one_cycle", lambda o: OneCycleLR(o, 1.0, total_steps=STEPS + 1, cycle_momentum=False), 0.02),
        ("constant", lambda o: LinearLR(o, 1.0, 1.0, STEPS), 0.0),
    ],
)
def test_a_schedule_is_torchs(name: str, make: Callable[[Optimizer], LRScheduler], near: float) -> None:
    assert ours(name) == pytest.approx(torchs(make), abs=near)


def test_the_cosine_is_the_one_of_the_first_version_to_the_bit() -> None:
    total = 49_999 * 30
    for images in range(0, total, 7_777):
        found = rate_factor("cosine", images, total, batch_size=128)
        assert found == (1 + math.cos(math.pi * images / total)) / 2


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_lie_between_zero_and_one_and_the_first_step_moves(name: str) -> None:
    for warmup in (0.0, 0.1, 0.99):
        found = ours(name, warmup=warmup)
        assert all(0 < factor <= 1 for factor in found)


def test_a_warm_up_rises_in_a_straight_line_and_the_schedule_follows_over_the_rest() -> None:
    found = ours("cosine", warmup=0.25)
    assert found[:50] == pytest.approx([(step + 1) / 50 for step in range(50)])
    rest = [rate_factor("cosine", step * BATCH, 150 * BATCH, batch_size=BATCH) for step in range(150)]
    assert found[50:] == pytest.approx(rest)


def test_the_reports_time_decay_divides_by_the_steps() -> None:
    """Report 5's RMSprop with decay 1e-6, as Keras computes it: lr / (1 + decay · steps)."""
    assert ours("constant", time_decay=1e-6) == [1 / (1 + 1e-6 * step) for step in range(STEPS)]


def test_the_time_decay_divides_in_a_warm_up_too_so_that_the_rate_does_not_fall_at_its_end() -> None:
    plain, found = ours("cosine", warmup=0.25), ours("cosine", warmup=0.25, time_decay=0.1)
    assert found == [factor / (1 + 0.1 * step) for step, factor in enumerate(plain)]
