"""Playing a search on a pool: the real driver, ledger, scheduler and sampler, with the recorded trainings as engine."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pools import NUMBER, Curve, Point, Pool

from search.experience.recordings import Experience, Recording, recordings_of
from search.history.events import Asked, Event, Measured, State
from search.history.ledger import MemoryLedger
from search.history.pareto import front, log_cost
from search.history.record import Run, rank
from search.run.driver import Driver
from search.run.engines.simulated import Clock, Step, simulate
from search.run.experience import places
from search.run.order import Order
from search.run.run_files import NoFiles
from search.run.trials import source_of
from search.samplers import EXPERIENCED
from search.samplers.hearing import Deepest
from search.samplers.make import make_sampler
from search.samplers.sampler import Draw, Sampler, history_json
from search.schedulers.objectives import volume
from search.schedulers.scheduler import make_scheduler
from search.spaces import Space, config_of
from search.spaces.flat_names import flat_names_of
from trainables.worker.task import Task

EARLIER = 60  # random draws of the search that experience is of
IMAGES = 1_000_000  # of an epoch: the names of checkpoints hold whole numbers of them
STAND_IN = config_of({"network": "cnn5", "optimizer": "sgd", "sgd/lr": 0.1})


@dataclass(frozen=True)
class Played:
    """What a search came to."""

    epochs: float
    """Epochs of all trials together."""
    work: float
    """The same, each epoch counted by the FLOPs of an image's forward pass; 0 if the pool does not say them."""
    regret: float
    """By how much the winner's quality falls short of the best one's that was drawn, a fraction of one."""
    short: float
    """By how much it falls short of the best one's of the pool."""
    tested: float | None
    """The winner's test accuracy; None if the pool does not say it."""
    wall: float
    """Seconds on the slots until the last one is free."""
    front: float | None
    """What the search's front covers, as a share of what the pool's does; None with one objective."""
    anytime: np.ndarray
    """The best accuracy so far after each whole number of epochs, from 0."""


@dataclass(frozen=True)
class Way:
    """A way to search."""

    label: str
    """Scheduler and options as they were given."""
    scheduler: str
    """Its name."""
    options: Mapping[str, float]
    """Its options."""
    sampler: str
    """Who draws."""
    hears: str | None
    """What a sampler that learns is told."""
    samples: int
    """Trials of a search."""
    also: tuple[str, ...] = ()
    """Costs that the search compares trials by as well."""
    weighed: tuple[str, ...] = ()
    """Costs that its front is judged by."""
    experience: tuple[str, ...] = ()
    """The datasets that a sampler with experience begins with."""
    size: int | None = None
    """Pixels a side of the pool's images, for a sampler with experience."""
    earlier: Pool | None = None
    """A pool on which it plays a search of its own beforehand, by the same scheduler, and begins with that instead."""


class Nearest:
    """Draws from a pool: the unused configuration that is nearest to what a sampler draws."""

    def __init__(self, pool: Pool, sampler: Sampler) -> None:
        self._pool, self._sampler = pool, sampler
        self.drawn: list[int] = []

    def draw(self, trial: int) -> Draw | None:
        """The configuration of trial number `trial`."""
        found = self._sampler.draw(trial)
        if found is None:
            return None
        used = set(self.drawn)
        number = self._pool.nearest(found.params, [n for n in range(len(self._pool)) if n not in used])
        self.drawn.append(number)
        return Draw(found.config, *self._pool.drawn(number))

    def tell(self, run: Run) -> None:
        """The sampler hears what was trained, which is not quite what it has drawn."""
        self._sampler.tell(run)


class Listed:
    """Draws a pool's configurations by a sampler to which they are the whole space."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self.drawn: list[int] = []

    def draw(self, trial: int) -> Draw | None:
        """The configuration of trial number `trial`."""
        found = self._sampler.draw(trial)
        if found is not None:
            self.drawn.append(found.params[NUMBER])
        return found

    def tell(self, run: Run) -> None:
        """The sampler learns from its own draws."""
        self._sampler.tell(run)


class Shuffled:
    """Draws a pool's configurations in an order that is given."""

    def __init__(self, order: Sequence[int]) -> None:
        self.drawn = list(order)

    def draw(self, trial: int) -> Draw | None:
        """The configuration of trial number `trial`."""
        return Draw(STAND_IN, {}, {}) if trial < len(self.drawn) else None

    def tell(self, run: Run) -> None:
        """Chance learns nothing."""


def play(pool: Pool, way: Way, slots: int, replay: int, max_t: int) -> Played:
    """One search: order and seeds of the draws are the same for the same replay, whatever the way."""
    driver, numbers, wall = _search(pool, way, slots, replay, max_t)
    ranked = rank(driver.record)
    winner = numbers[ranked[0].key[0]]
    quality = pool.qualities[winner]
    drawn = [numbers[run.key[0]] for run in driver.record.trials]
    return Played(
        sum(run.epochs for run in driver.record.trials),
        sum(run.epochs * run.asked.flops for run in driver.record.trials),
        max(pool.qualities[drawn]) - quality,
        max(pool.qualities) - quality,
        pool.configurations[winner].tested,
        wall,
        _covered(pool, ranked, numbers, way.weighed) if way.weighed else None,
        _anytime(driver.ledger.events),
    )


def _known(way: Way, slots: int, replay: int, max_t: int) -> tuple[Recording, ...]:
    """The recordings that a sampler with experience begins with."""
    if way.earlier is None:
        return recordings_of(way.experience)
    random = replace(way, sampler="random", samples=EARLIER, earlier=None)
    driver, numbers, _ = _search(way.earlier, random, slots, replay, max_t)
    runs = [run for run in driver.record.trials if run.best]  # those that are still paused when nothing is left, too
    configs = [way.earlier.configurations[numbers[run.key[0]]].config for run in runs]
    return (
        Recording(
            "earlier",
            "a search",
            [flat_names_of(each) for each in configs if each],
            places(runs, driver.scheduler.rungs),
        ),
    )


def _search(pool: Pool, way: Way, slots: int, replay: int, max_t: int) -> tuple[Driver, Sequence[int], float]:
    """A search that has ended, the numbers of the configurations that its trials drew, and its wall clock."""
    rng = np.random.default_rng(replay)
    order = [int(number) for number in rng.permutation(len(pool))]
    which = {number: int(rng.integers(len(pool.configurations[number].curves))) for number in order}
    clock, made = Clock(), make_scheduler(way.scheduler, max_t=max_t, samples=way.samples, also=way.also, **way.options)
    drawing: Nearest | Listed | Shuffled = Shuffled(order[: way.samples])
    history = Deepest((*made.rungs, max_t), also=way.also)
    if way.sampler in EXPERIENCED:
        space, known = Space("pool", pool.listed), _known(way, slots, replay, max_t)
        drawing = Listed(
            make_sampler(space, way.sampler, replay, lambda _: None, history, experience=Experience(known, way.size))
        )
    elif way.sampler != "random":
        drawing = Nearest(pool, make_sampler(Space("pool", pool.space), way.sampler, replay, lambda _: None, history))

    def curve_of(trial: int) -> Curve:
        number = drawing.drawn[trial]
        return pool.configurations[number].curves[which[number]]

    def ask(trial: int, drawn: Draw) -> Asked:
        config = {"training": {"batch_size": 1, "epochs": max_t}}
        fields = {**history_json(drawn), "config": config}
        costs = pool.configurations[drawing.drawn[trial]].costs
        parameters, flops = costs.get("parameters", 0), costs.get("flops", 0)
        return Asked(trial=trial, repeat=0, seed=0, parameters=parameters, flops=flops, **fields)

    def steps(task: Task) -> Iterator[Step]:
        begins = int(task.resume_from.rpartition("-")[2].removesuffix(".pt")) / IMAGES if task.resume_from else 0.0
        measured, marks = curve_of(task.trial), list(task.marks)
        spent = max((point.seconds for point in measured if point.epoch <= begins), default=0.0)
        for point in measured:
            at_mark = any(mark <= point.epoch for mark in marks)
            marks = [mark for mark in marks if mark > point.epoch]
            if point.epoch > begins and (at_mark or point.epoch.is_integer()):
                yield point.seconds - spent, _answer(task, point, max_t, point.seconds - spent)
                spent = point.seconds

    source = source_of(drawing, Order(range(way.samples)), ask, in_waves=way.hears == "waves")
    driver = Driver(MemoryLedger(clock=clock), source, made, NoFiles(), clock=clock)
    simulate(driver, steps, slots=slots, clock=clock)
    return driver, drawing.drawn, clock.now


def _covered(pool: Pool, runs: Sequence[Run], drawn: Sequence[int], costs: Sequence[str]) -> float:
    """The hypervolume of a search's front over that of the whole pool's, by what its trials are really worth.

    The search chooses its front by the accuracies that it has seen. Error and logarithms of costs go from 0, the least
    of the pool, to 1.
    """
    axes = [-pool.qualities]
    axes += [np.array([log_cost(each.costs[cost]) for each in pool.configurations]) for cost in costs]
    scaled = [(axis - axis.min()) / (np.ptp(axis) or 1.0) for axis in axes]
    points = list(zip(*scaled, strict=True))
    return volume([points[drawn[run.key[0]]] for run in front(runs, costs)]) / volume(points)


def _anytime(events: Sequence[Event]) -> np.ndarray:
    """The best accuracy so far after each whole number of epochs, from 0."""
    trained: dict[int, float] = defaultdict(float)
    spent, best, found = 0.0, 0.0, [0.0]
    for event in events:
        if isinstance(event, Measured) and event.value is not None:
            spent += event.epoch - trained[event.trial]
            trained[event.trial] = event.epoch
            found += [best] * (math.floor(spent + 1e-9) + 1 - len(found))
            best = max(best, event.value)
            found[-1] = best if math.isclose(spent, len(found) - 1) else found[-1]
    return np.array([*found, best])


def _answer(task: Task, point: Point, max_t: int, seconds: float) -> dict[str, object]:
    images, is_last = round(point.epoch * IMAGES), point.epoch == max_t
    return {
        "state": State.DONE if is_last else State.RUNNING,
        "images": images,
        "epoch": point.epoch,
        "val_accuracy": point.accuracy,
        "seconds": seconds,
        "checkpoint": f"{task.prefix}-{images}.pt" if task.pauses and not is_last else None,
    }
