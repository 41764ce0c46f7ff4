"""The cost of a search before it begins: its forecast, a comparison of schedulers, and the samples for a budget."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.forecast.calibration import Speeds, calibrate
from search.forecast.forecast import Expected, Forecast, Plan, expected, forecast
from search.forecast.seconds import times
from search.history.store import Request
from search.machines.machine import Machine
from search.readable import count, duration
from search.run.defaults import with_scheduler
from search.run.engines import DEFAULT_ENGINE
from search.run.notes import of_plan
from search.run.problem import Problem, RequestError, new_problem
from search.run.rehearsal import announced, heard, rehearse
from search.run.session import Options, find_machine
from search.schedulers import SCHEDULERS
from search.spaces import Space

MOST_AFFORDED = 1000  # samples for a budget, at most
PLAYED_TRIALS = 300  # simulated trials for each number of samples that is tried, in as many searches as they fill


@dataclass(frozen=True)
class Foreseen:
    """What a dry run finds out."""

    notes: tuple[str, ...]
    """What a launch says about its request, in lines."""

    search: Forecast
    """The forecast of the search."""
    schedulers: dict[str, Expected]
    """Its cost with each scheduler's defaults; for the request's own scheduler, with the request's options."""


def dry_run(
    request: Request,
    *,
    results: Path,
    parallel: int | None,
    engine: str | None = None,
    is_share_asked: bool = False,
    listed: Space | None = None,
    announce: Callable[[str], object] = lambda _: None,
) -> Foreseen:
    """The forecast of a search; only the dataset's cache is left on disk. TPE draws as at a search's beginning.

    engine: the one that would train; None for the default. listed: the arms of a study, if it is one. announce:
    gets a line before what takes seconds.
    """
    problem = new_problem(request, is_share_asked=is_share_asked, listed=listed)
    here = _here(request, parallel, engine)
    plan = problem.plan()
    speeds = calibrate(plan.configs, problem.images, here, announce)
    for line in announced(plan):
        announce(line)
    plan = replace(plan, order=problem.order(problem.samples, speeds))
    found = foresee(plan, speeds, here, results)
    seconds = times(plan.configs, plan.costs, speeds, plan.num_train, plan.num_validation)
    schedulers = {}
    for name in SCHEDULERS:
        if name == request.scheduler:
            schedulers[name] = Expected(found.epochs, found.seconds)
            continue
        other = with_scheduler(request, name)
        order = replace(problem, request=other).order(problem.samples, speeds)
        played = replace(plan, scheduler=name, options=other.scheduler_options, order=order)
        schedulers[name] = expected(rehearse(played, seconds, here.slots))
    notes = (*problem.notes, *of_plan(plan, problem.request, problem.num_train), *heard_by(problem))
    return Foreseen(notes, found, schedulers)


def heard_by(problem: Problem) -> tuple[str, ...]:
    """What a launch says about the measurements that its sampler will use; empty for a list of configurations."""
    if problem.space.function is None:
        return ()
    return heard(problem.request, problem.samples, problem.prior.observed)


def affordable(
    request: Request,
    budget: float,
    *,
    parallel: int | None,
    engine: str | None = None,
    is_share_asked: bool = False,
    announce: Callable[[str], object] = lambda _: None,
) -> int:
    """How many samples a search can have if its forecast is at most `budget` seconds.

    engine, announce: as for `dry_run`. Raises RequestError if one sample takes longer, or if the configurations of
    --first do.
    """
    problem = new_problem(replace(request, samples=MOST_AFFORDED), is_share_asked=is_share_asked)
    here = _here(request, parallel, engine)
    plan = problem.plan()
    speeds = calibrate(plan.configs, problem.images, here, announce)
    seconds = times(plan.configs, plan.costs, speeds, plan.num_train, plan.num_validation)

    order = problem.order(problem.samples, speeds)

    def takes(samples: int) -> float:
        part = replace(plan, order=[trial for trial in order if trial < samples])
        games = max(1, PLAYED_TRIALS // samples)
        return expected(rehearse(part, seconds, here.slots, games)).seconds.middle

    if (least := takes(1)) > budget:
        raise RequestError(f"one sample takes about {duration(least)}, longer than --budget {duration(budget)}")
    samples = bisect_right(range(1, problem.samples + 1), budget, key=takes)
    if problem.first is not None and samples < (least := len(problem.first.configs)):
        raise RequestError(
            f"--budget {duration(budget)} is enough for {count(samples, 'sample')}, fewer than the "
            f"{least} configurations of --first {request.first}"
        )
    return samples


def _here(request: Request, parallel: int | None, engine: str | None) -> Machine:
    """This machine, as the engine would use it."""
    return find_machine(Options(parallel=parallel, engine=engine or DEFAULT_ENGINE), (), wanted(request))


def foresee(plan: Plan, speeds: Speeds, here: Machine, folder: Path) -> Forecast:
    """The forecast of a plan, given the speeds of some of its configurations."""
    found = times(plan.configs, plan.costs, speeds, plan.num_train, plan.num_validation)
    return forecast(plan, found, rehearse(plan, found, here.slots), here, folder)


def wanted(request: Request) -> dict[str, Any]:
    """The threads of a slot and the precision as facts, if the request sets them."""
    facts: dict[str, Any] = {}
    if request.threads is not None:
        facts["threads"] = request.threads
    if request.precision is not None:
        facts["precision"] = request.precision
    return facts
