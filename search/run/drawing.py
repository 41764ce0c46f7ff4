"""The trials of a search, drawn when a slot is free."""

from collections.abc import Callable, Iterator, Sequence

from search.history.events import FINAL, Asked, Ended, Measured
from search.history.record import Run
from search.run.driver import Driver
from search.run.problem import Problem
from search.samplers.sampler import derive_seed, history_json


def draw_trials(problem: Problem, order: Sequence[int]) -> Callable[[Driver], Iterator[Run]]:
    """A source for the driver: first what was asked for and has not ended, then new draws of the trials in `order`."""

    sampler = problem.sampler()

    def source(driver: Driver) -> Iterator[Run]:
        for trial in driver.record.trials:
            sampler.tell(trial)
        yield from driver.unfinished(driver.record.trials)
        asked = {each.asked.trial for each in driver.record.trials}
        heard = len(driver.ledger.events)
        for number in (trial for trial in order if trial not in asked):
            for event in driver.ledger.events[heard:]:
                if isinstance(event, Measured | Ended) and event.state in FINAL:
                    sampler.tell(driver.record.runs[event.trial, 0])
            drawn = sampler.draw(number)
            if drawn is None:
                return
            config = problem.complete(drawn.config)
            costs = problem.cost(config)
            driver.append(
                Asked(
                    trial=number,
                    repeat=0,
                    **{**history_json(drawn), "config": config.to_json()},
                    parameters=costs.parameters,
                    flops=costs.flops,
                    seed=derive_seed(problem.request.seed, number),
                )
            )
            heard = len(driver.ledger.events)
            sampler.tell(driver.record.runs[number, 0])
            yield driver.record.runs[number, 0]

    return source
