"""Draws of searches that are played: what depends on slots, on their speeds and on kills, and what does not."""

import random
from collections.abc import Iterator, Sequence

import pytest

from search.history.events import Asked, Event, Opened, State
from search.history.record import Record
from search.run.driver import Driver
from search.run.engines.simulated import Clock, Step, simulate
from search.run.order import Order
from search.run.run_files import NoFiles
from search.run.trials import source_of
from search.samplers import LEARNING, SAMPLERS
from search.samplers.hearing import WAVE, Deepest
from search.samplers.make import make_sampler
from search.samplers.sampler import Draw, history_json
from search.schedulers.scheduler import make_scheduler
from search.spaces import find_space
from tests.search.schedulers.games import Doomed, KilledError
from trainables.worker.task import Task

MAX_T = 4
SAMPLES = 2 * WAVE + 4
ENDS = (0.5, 1.0, 2.0, 3.0, 4.0)


def play(
    sampler: str,
    *,
    slots: int,
    seed: int = 0,
    hears: str | None = "waves",
    scheduler: str = "halving",
    before: Sequence[Event] = (),
    kill_after: int | None = None,
) -> Record:
    """A search whose accuracies depend on the draw alone; kill_after: lines after which it is killed, and resumed."""
    rng, clock = random.Random(seed), Clock()
    made = make_scheduler(scheduler, max_t=MAX_T, samples=SAMPLES)
    drawing = make_sampler(find_space("cnn_all"), sampler, 0, lambda config: None, Deepest((*made.rungs, MAX_T)))

    def ask(trial: int, drawn: Draw) -> Asked:
        return Asked(trial=trial, repeat=0, seed=0, parameters=0, flops=0, **history_json(drawn))

    def steps(task: Task) -> Iterator[Step]:
        begins = int(task.resume_from.rpartition("-")[2].removesuffix(".pt")) / 1000 if task.resume_from else 0.0
        width = next(value for name, value in task.config["network"].items() if name == "width")
        good = width / 2 + (task.config["training"]["batch_size"] == 32) / 4
        for end in ENDS:
            if end > begins:
                yield (
                    rng.expovariate(1.0),
                    {
                        "state": State.DONE if end == MAX_T else State.RUNNING,
                        "images": round(1000 * end),
                        "epoch": end,
                        "val_accuracy": good * end / MAX_T + 0.001 * task.trial,
                        "seconds": 1.0,
                        "checkpoint": f"{task.prefix}-{round(1000 * end)}.pt" if end < MAX_T else None,
                    },
                )

    book = Doomed(before, kill_after, clock)
    source = source_of(drawing, Order(range(SAMPLES)), ask, in_waves=hears == "waves")
    driver = Driver(book, source, made, NoFiles(), clock=clock)
    try:
        driver.append(Opened(samples=SAMPLES, slots=slots))
        simulate(driver, steps, slots=slots, clock=clock)
    except KilledError:
        return play(sampler, slots=slots, seed=seed + 1, hears=hears, scheduler=scheduler, before=book.events)
    assert driver.finished
    return driver.record


def outcome(record: Record) -> list[tuple[object, ...]]:
    """What each trial drew, how it stands and its curve."""
    return [
        (run.asked.params, run.state, [(each.epoch, each.val_accuracy) for each in run.measurements])
        for run in record.trials
    ]


@pytest.mark.parametrize("sampler", LEARNING)
def test_whole_waves_are_the_same_search_on_any_slots_and_through_kills(sampler: str) -> None:
    once = outcome(play(sampler, slots=1))
    assert len(once) == SAMPLES
    for slots in (2, 16):
        assert outcome(play(sampler, slots=slots, seed=slots)) == once
    for kill_after in (30, 61, 94):
        assert outcome(play(sampler, slots=3, seed=kill_after, kill_after=kill_after)) == once


def test_draws_that_hear_everything_depend_on_what_has_ended() -> None:
    one, many = (play("tpe", slots=slots, hears="everything").trials for slots in (1, 16))
    drawn = [(a.asked.params, b.asked.params) for a, b in zip(one, many, strict=True)]
    assert all(a == b for a, b in drawn[::2]), "every second draw is random"
    assert any(a != b for a, b in drawn[1::2])


@pytest.mark.parametrize("sampler", LEARNING)
def test_on_one_slot_a_resumed_search_draws_by_what_ended_before_its_first_draw(sampler: str) -> None:
    once = outcome(play(sampler, slots=1, hears="everything", scheduler="asha"))
    for kill_after in (30, 61, 94):
        again = play(sampler, slots=1, hears="everything", scheduler="asha", seed=kill_after, kill_after=kill_after)
        assert outcome(again) == once


@pytest.mark.parametrize("sampler", [name for name, kind in SAMPLERS.items() if not kind.learns])
@pytest.mark.parametrize("scheduler", ["asha", "halving"])
def test_draws_that_do_not_learn_depend_on_nothing(sampler: str, scheduler: str) -> None:
    drawn = [
        [run.asked.params for run in play(sampler, slots=slots, seed=slots, hears=None, scheduler=scheduler).trials]
        for slots in (1, 5)
    ]
    assert drawn[0] == drawn[1]
    killed = play(sampler, slots=5, hears=None, scheduler=scheduler, kill_after=40)
    assert [run.asked.params for run in killed.trials] == drawn[0]
