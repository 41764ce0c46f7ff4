"""The rehearsal: simulates a search many times with random accuracies, to estimate its epochs and its wall clock.

With ASHA both depend on chance: which trials come first decides how many continue, so 60 trials may train 200 epochs or
600.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from architectures.cost import Cost
from search.forecast.forecast import Plan
from search.forecast.seconds import Times
from search.history.events import Asked, Event, Measured
from search.history.ledger import MemoryLedger
from search.history.record import Run
from search.history.request import Request
from search.history.rungs import num_reached
from search.readable import count
from search.run.driver import Driver
from search.run.engines.simulated import Clock, Step, simulate
from search.run.run_files import NoFiles
from search.samplers import EXPERIENCED, HEARS, LEARNING
from search.samplers.hearing import LEAST, WAVE, Deepest, Observed
from search.schedulers.scheduler import Scheduler, make_scheduler, scheduler_of
from trainables.worker.task import Task

GAMES = 100  # searches that are simulated for a forecast, at most
_PLAYED = 30_000  # trials in all games together, beyond which there are fewer games: a few seconds
_MOST_PLAYED = 3000  # trials of a game; a longer search is forecast in proportion
_MOST_RANKED = 300  # the same with several objectives, whose trials are ranked again and again
_SLOWER = 10  # about how many times slower that makes a game, for each further objective
_LONG = 20_000  # trials in all games together that may take more than a few seconds

# The random accuracies imitate the committed searches (see benchmarks/README.md): a share of the trials never learns
# and stays at chance; the others keep their rank from rung to rung except for some noise.
_NEVER_LEARN = 0.2
_NOISE = 0.25
_LEARNING_IMPROVES = 1.0  # standard deviations from the first to the last draw; so 40 trials train a fifth more epochs


def rehearse(plan: Plan, found: Times, slots: int, games: int = GAMES) -> list[tuple[float, float]]:
    """Epochs and seconds of `games` random searches of a plan. found: the times of its configurations.

    In each game, a sampler that learns prefers another random family, as the real one is unknown. There are fewer games
    of many trials, and with several objectives: each takes longer, as trials are ranked again and again. A game of a
    very long search has only its first trials, and the result is in proportion.
    """
    number, trials = games_of(plan, games)
    more = len(plan.order) / max(1, trials)
    plan = replace(plan, order=[trial for trial in plan.order if trial < trials])
    epochs = [config.training.epochs or plan.max_t for config in plan.configs]
    improves = _LEARNING_IMPROVES if plan.sampler in LEARNING else 0.0

    def game(seed: int) -> tuple[float, float]:
        made = make_scheduler(plan.scheduler, max_t=plan.max_t, samples=trials, also=plan.also, **plan.options)
        which = preferred_by(plan, seed)
        waves = plan.hears == "waves"
        trained, wall = play(
            found, epochs, plan.order, made, slots, seed, improves, which, costs=plan.costs, in_waves=waves
        )
        return trained * more, wall * more

    return [game(seed) for seed in range(number)]


def games_of(plan: Plan, games: int = GAMES) -> tuple[int, int]:
    """How many searches a forecast simulates, at most `games`, and of how many trials."""
    trials = min(len(plan.order), _MOST_RANKED if plan.also else _MOST_PLAYED)
    number = min(games, _PLAYED // max(1, trials))
    return max(1, number // _times_slower(plan)), trials


def _times_slower(plan: Plan) -> int:
    """About how many times longer a game takes than with one objective."""
    return _SLOWER * len(plan.also) or 1


def announced(plan: Plan) -> tuple[str, ...]:
    """What is said before a forecast that takes seconds; empty for a shorter one."""
    games, trials = games_of(plan)
    if games * trials * _times_slower(plan) < _LONG:
        return ()
    part = f", each of the first {trials:,} trials" if trials < len(plan.order) else ""
    return (f"forecasting from {count(games, 'simulation')}{part} …",)


def preferred_by(plan: Plan, seed: int) -> list[int]:
    """The configuration of each trial; in a game, all guided draws are of the family of one random configuration."""
    which = [trial % len(plan.configs) for trial in range(len(plan.order))]
    if plan.sampler not in LEARNING or plan.sampler in EXPERIENCED:  # whose first draws are like its later ones
        return which
    rng = np.random.default_rng(seed)
    names = [config.network.name for config in plan.configs]
    preferred = names[rng.integers(len(names))]
    family = [i for i, name in enumerate(names) if name == preferred]
    step = 1 if plan.hears is None else 2  # see search.samplers.guided
    for trial in range(LEAST + 1, len(which), step):
        which[trial] = family[rng.integers(len(family))]
    return which


def play(
    found: Times,
    epochs: Sequence[int],
    order: Sequence[int],
    scheduler: Scheduler,
    slots: int,
    seed: int,
    improves: float = 0.0,
    configurations: Sequence[int] = (),
    *,
    costs: Sequence[Cost] = (),
    in_waves: bool = False,
) -> tuple[float, float]:
    """Simulate a search with random accuracies: total epochs, and seconds until the last slot is free.

    found: times of each configuration. epochs: of each configuration, to its end. order: of the trials. scheduler: a
    new one. improves: by how many standard deviations the last draw is better than the first. configurations: the
    index of each trial's; by default trial n has configuration n modulo their number. costs: of each configuration, for
    schedulers that compare by them. in_waves: whether slots wait for whole waves.
    """
    configurations = configurations or [trial % len(epochs) for trial in range(max(order, default=0) + 1)]
    rng = np.random.default_rng(seed)
    learns = rng.random(len(order)) >= _NEVER_LEARN
    quality = np.where(learns, rng.normal(size=len(order)) + improves * np.linspace(0, 1, len(order)), -10.0)
    trained, clock = 0.0, Clock()

    def source(driver: Driver) -> Iterator[Run | None]:
        for trial in order:
            while in_waves and trial % WAVE == 0 and driver.num_handed_out:
                yield None
            which = configurations[trial]
            driver.append(_asked(trial, epochs[which], costs[which] if costs else None))
            yield driver.record.runs[trial, 0]

    def steps(task: Task) -> Iterator[Step]:
        nonlocal trained
        which = configurations[task.trial]
        last, before = epochs[which], _begins(task)
        start = found.starts[which]
        # From mark to mark: values in between change nothing.
        for epoch in (*(mark for mark in task.marks if before < mark < last), last):
            trained += epoch - before
            seconds, start = start + (epoch - before) * found.epochs[which], 0.0
            value = quality[task.trial] + _NOISE * rng.normal() * learns[task.trial]
            speed = {"images_per_second": 1 / found.epochs[which]}
            yield seconds, _answer(task, epoch, epoch == last, float(value), seconds) | speed
            before = epoch

    driver = Driver(MemoryLedger(clock=clock), source, scheduler, NoFiles(), clock=clock)
    simulate(driver, steps, slots=slots, clock=clock)
    return trained, clock.now


_IMAGES = 1_000_000  # of a simulated epoch: many, as checkpoints are named after whole numbers of images


def _asked(trial: int, epochs: int, cost: Cost | None = None) -> Asked:
    config = {"training": {"batch_size": 1, "epochs": epochs}}
    parameters, flops = (cost.parameters, cost.flops) if cost else (0, 0)
    return Asked(
        trial=trial,
        repeat=0,
        config=config,
        params={},
        distributions={},
        redrawn=0,
        parameters=parameters,
        flops=flops,
        seed=0,
    )


def _begins(task: Task) -> float:
    """The epochs that a task's checkpoint has seen, from the images at the end of its name."""
    return int(task.resume_from.rpartition("-")[2].removesuffix(".pt")) / _IMAGES if task.resume_from else 0.0


def _answer(task: Task, epoch: float, is_last: bool, value: float, seconds: float) -> dict[str, object]:
    images = round(epoch * _IMAGES)
    return {
        "state": "done" if is_last else "running",
        "images": images,
        "epoch": epoch,
        "val_accuracy": value,
        "seconds": seconds,
        "checkpoint": f"{task.prefix}-{images}.pt" if task.pauses and not is_last else None,
    }


def heard(request: Request, samples: int, prior: Sequence[Observed] = ()) -> tuple[str, ...]:
    """What a launch says about the results that its sampler will use; empty if it does not learn.

    prior: trials of an earlier search that it starts from.
    """
    if request.sampler not in LEARNING or request.hears is None:
        return ()
    scheduler = scheduler_of(request, samples)
    told = f"{request.sampler} uses all results available when a trial is drawn, so its trials depend on the order in "
    told += "which others finish"
    if request.hears == "waves":
        is_same = scheduler.same_on_any_slots or not scheduler.rungs
        which = "are the same whatever" if is_same else "may depend on"
        told = f"with {request.sampler}, {HEARS[request.hears]}; they {which} the number of slots"
    lines = [told]
    first = _first_heard(request, scheduler, samples, prior) if scheduler.pauses else {}
    if scheduler.pauses and first.get(request.epochs) != 0:  # else it knows whole trainings from the beginning
        begins = [
            f"{f'{rung:g}' if place else count(rung, 'epoch')} from trial {draw} on"
            for place, (rung, draw) in enumerate(first.items())
        ]
        learns = f"first learns from short runs: {', '.join(begins)} (of {samples} trials)"
        if not begins:
            learns = f"does not learn within {count(samples, 'trial')}"
        lines.append(f"note: {request.scheduler} promotes trials late, so {request.sampler} {learns}")
    return tuple(lines)


def _first_heard(request: Request, scheduler: Scheduler, samples: int, prior: Sequence[Observed]) -> dict[float, int]:
    """For each rung, the first draw that uses its values, on one slot.

    As `LEAST` trials are enough for that, the history receives only so many that stand at a rung.
    """
    rungs = (*scheduler.rungs, request.epochs)
    history = Deepest(rungs, prior)
    found: dict[float, int] = {}
    news: set[int] = set()
    told = [0] * (len(rungs) + 1)

    def listen(event: Event) -> None:
        if isinstance(event, Measured):
            news.add(event.trial)

    def source(driver: Driver) -> Iterator[Run]:
        driver.listen(listen)
        for trial in range(samples):
            if request.hears != "waves" or trial % WAVE == 0:
                for run in (driver.record.runs[number, 0] for number in sorted(news)):
                    stands = num_reached(run.epochs, rungs)
                    if told[stands] < LEAST:
                        told[stands] += 1
                        history.tell(run)
                news.clear()
            if history.rung is not None:
                found.setdefault(history.rung, trial)
            if request.epochs in found:
                return
            driver.append(_asked(trial, request.epochs))
            yield driver.record.runs[trial, 0]

    rng = np.random.default_rng(0)

    def steps(task: Task) -> Iterator[Step]:
        before = _begins(task)
        for epoch in (*(mark for mark in task.marks if before < mark < request.epochs), request.epochs):
            yield 1.0, _answer(task, epoch, epoch == request.epochs, float(rng.random()), 1.0)

    clock = Clock()
    driver = Driver(MemoryLedger(clock=clock), source, scheduler, NoFiles(), clock=clock)
    simulate(driver, steps, slots=1, clock=clock)
    return found
