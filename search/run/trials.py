"""The trials of a search, drawn when a slot is free."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from search.history.events import Asked, Event, OfRun
from search.history.record import Record, Run
from search.run.driver import Driver
from search.run.order import Order
from search.run.problem import Problem
from search.samplers.hearing import WAVE
from search.samplers.sampler import Draw, Sampler, history_json

Source = Callable[[Driver], Iterator[Run | None]]
"""Yields the runs to train, and None when the next one must wait until a running one ends."""


def draw_trials(problem: Problem, order: Order) -> Source:
    """A source for the driver: first runs that were asked for and have not ended, then new draws, in `order`."""

    def ask(trial: int, drawn: Draw) -> Asked:
        config = problem.complete(drawn.config)
        costs = problem.cost(config)
        return Asked(
            trial=trial,
            repeat=0,
            **{**history_json(drawn), "config": config.to_json()},
            parameters=costs.parameters,
            flops=costs.flops,
            seed=problem.seed_of(trial),
            kept=problem.kept or bool(problem.space.arms) or None,
        )

    return source_of(problem.sampler(), order, ask, in_waves=problem.request.hears == "waves")


def source_of(sampler: Sampler, order: Order, ask: Callable[[int, Draw], Asked], *, in_waves: bool = False) -> Source:
    """A source for the driver: runs that have not ended yet, then a sampler's draws.

    ask: the event of a trial's draw. in_waves: whether the first draw of each wave waits until no trial is running, and
    the wave's other draws use the same history.
    """

    def source(driver: Driver) -> Iterator[Run | None]:
        order.drop({run.asked.trial for run in driver.record.trials})
        if in_waves and order.first is not None:
            _tell_wave(sampler, driver.ledger.events, order.first - order.first % WAVE)
        else:
            _tell(sampler, driver.record.trials)
        heard = len(driver.ledger.events)
        yield from driver.unfinished(driver.record.trials)
        for number in order:
            if not in_waves:
                _tell(sampler, _touched(driver, heard))
            elif number % WAVE == 0:
                while driver.num_handed_out:
                    yield None
                _tell(sampler, driver.record.trials)
            drawn = sampler.draw(number)
            if drawn is None:
                return
            driver.append(ask(number, drawn))
            heard = len(driver.ledger.events)
            sampler.tell(driver.record.runs[number, 0])
            yield driver.record.runs[number, 0]

    return source


def _tell(sampler: Sampler, runs: Iterable[Run]) -> None:
    for run in runs:
        sampler.tell(run)


def _touched(driver: Driver, heard: int) -> list[Run]:
    """The trials with events after the first `heard` ones."""
    news = {event.trial for event in driver.ledger.events[heard:] if isinstance(event, OfRun) and not event.repeat}
    return [driver.record.runs[trial, 0] for trial in sorted(news)]


def _tell_wave(sampler: Sampler, events: Sequence[Event], first: int) -> None:
    """Pass on the history that a wave's first trial was drawn from, and the wave's existing trials without results."""
    is_first = (isinstance(event, Asked) and (event.trial, event.repeat) == (first, 0) for event in events)
    begins = next((place for place, found in enumerate(is_first) if found), len(events))
    _tell(sampler, Record(events[:begins]).trials)
    _tell(sampler, (Run(event) for event in events[begins:] if isinstance(event, Asked) and not event.repeat))
