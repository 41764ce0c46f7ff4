"""Launch and resume: a search from its request, or from its ledger."""

import os
import platform
import re
import socket
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

import torch

from search.forecast.calibration import Calibration, Speeds, calibrate
from search.forecast.forecast import Expected, Forecast, Plan, expected, forecast
from search.forecast.seconds import times
from search.history import store
from search.history.events import FINAL, Asked, Ended, Measured, parse
from search.history.ledger import read
from search.history.record import Record, Run
from search.history.store import NameTakenError, Request, Search
from search.machines import machine
from search.machines.machine import Machine, StartError
from search.readable import duration
from search.run.driver import Driver
from search.run.problem import (
    Problem,
    RequestError,
    columns_of,
    part_images,
    training_images,
    unchanged_images,
    unchanged_validation,
)
from search.run.progress import Progress, headlines
from search.run.rehearsal import rehearse
from search.run.session import Errand, Options, Outcome, find_machine, run
from search.samplers.sampler import derive_seed, history_json
from search.schedulers import SCHEDULERS
from search.schedulers.scheduler import scheduler_of, with_defaults
from search.spaces import find_space
from search.spaces.lists import write_list
from search.storage import claims
from trainables import files
from trainables.data.find import survey
from trainables.data.images import fingerprint
from trainables.data.load import check_test

LIST = "space.jsonl"
MOST_AFFORDED = 1000  # samples that a budget buys at most
PLAYED_TRIALS = 300  # for each number of samples that is tried, in as many searches as that makes


def launch(
    request: Request, options: Options, *, results: Path, name: str | None, storage: str | None = None
) -> Outcome:
    """Begin a search and run it. Raises one of the named errors before anything is left on disk.

    storage: where its record and checkpoints are kept as well, for another machine to go on with.
    """
    request = with_defaults(request)
    problem = _problem(request)
    # Drawn before anything is on disk, so that a space that fails leaves no search behind.
    plan = problem.plan()
    networks = {request.space, *(config.network.name for config in plan.configs)}
    here = find_machine(options, networks, _own_threads(request))
    search = _create(results, name, request, _facts(problem, here), is_shared=storage is not None)
    try:
        if problem.space.configs:
            # A copy: the search does not change when the list does, and resumes from any folder.
            files.write(search.folder / LIST, write_list(problem.space))
        if storage is not None:
            claims.begin(storage, search.folder)
        return run(search, here, options, _errand(search, problem, here, problem.samples, plan))
    except BaseException as error:
        never_began = isinstance(error, StartError) and storage is None  # the same command may be given again
        if never_began or not search.ledger.exists() or not search.ledger.stat().st_size:
            store.discard(search)
        raise


@dataclass(frozen=True)
class Foreseen:
    """What a dry run finds out."""

    search: Forecast
    """What the search would be."""
    schedulers: dict[str, Expected]
    """What it would cost with each scheduler and that one's defaults; with its own as it was asked for."""


def dry_run(request: Request, *, results: Path, parallel: int | None) -> Foreseen:
    """What the search would be; nothing is left on disk but the dataset's cache. TPE's draws are its first ones."""
    problem = _problem(request)
    here = machine.find(parallel, _own_threads(request))
    plan = problem.plan()
    speeds = calibrate(plan.configs, problem.images, here)
    found = _foresee(plan, speeds, here, results)
    seconds = times(plan.configs, plan.costs, speeds, plan.num_train, plan.num_validation)
    schedulers = {}
    for name in SCHEDULERS:
        if name == request.scheduler:
            schedulers[name] = Expected(found.epochs, found.seconds)
            continue
        order = replace(problem, request=replace(request, scheduler=name)).order(problem.samples)
        other = replace(plan, scheduler=name, options={}, order=order)
        schedulers[name] = expected(rehearse(other, seconds, here.slots))
    return Foreseen(found, schedulers)


def affordable(request: Request, budget: float, *, parallel: int | None) -> int:
    """How many samples a search can have whose forecast is at most so many seconds.

    Raises RequestError where one sample alone takes longer.
    """
    problem = _problem(replace(request, samples=MOST_AFFORDED))
    here = machine.find(parallel, _own_threads(request))
    plan = problem.plan()
    speeds = calibrate(plan.configs, problem.images, here)
    seconds = times(plan.configs, plan.costs, speeds, plan.num_train, plan.num_validation)

    def takes(samples: int) -> float:
        part = replace(plan, order=problem.order(samples))
        games = max(1, PLAYED_TRIALS // samples)
        return expected(rehearse(part, seconds, here.slots, games)).seconds.middle

    if (least := takes(1)) > budget:
        raise RequestError(f"one sample takes about {duration(least)}, longer than --budget {duration(budget)}")
    return bisect_right(range(1, problem.samples + 1), budget, key=takes)


def resume(search: Search, options: Options, *, samples: int | None) -> Outcome:
    """Continue a search from its ledger, perhaps with more samples."""
    request = search.request
    listed = search.folder / LIST
    space = find_space(str(listed) if listed.exists() else request.space)
    problem = Problem(request, space, unchanged_images(search), unchanged_validation(search))
    record = Record(parse(read(search.ledger)) if search.ledger.exists() else ())
    before = record.samples or request.samples
    if samples is not None and samples < before:
        raise RequestError(f"--samples can only grow: the search has {before}, got {samples}")
    notes = _growing(search, record, before, samples) if samples is not None and samples > before else ()
    networks = [run.config["network"]["name"] for run in record.trials]
    here = find_machine(options, {request.space, *networks}, search.facts)
    return run(search, here, options, _errand(search, problem, here, problem.at_most(samples or before), notes=notes))


def _growing(search: Search, record: Record, before: int, samples: int) -> tuple[str, ...]:
    """What is to be said of a search that grows; raises RequestError where it cannot grow yet."""
    if not scheduler_of(search.request, before).same_on_any_slots:
        return ()
    if not record.finished:
        raise RequestError(
            f"--samples can grow from {before} to {samples} once the search is finished, as {search.request.scheduler} "
            f"compares all trials with each other; finish it first: hpsearch resume {search.name}"
        )
    return (
        f"note: the search grows from {before} to {samples} samples. It will not be the search that a launch with "
        f"--samples {samples} is, because what was decided among {before} stays decided",
    )


def draw_trials(problem: Problem, order: Sequence[int]) -> Callable[[Driver], Iterator[Run]]:
    """A source for the driver: first what was asked for and has not ended, then new draws of the trials in `order`."""

    def source(driver: Driver) -> Iterator[Run]:
        sampler = problem.sampler()
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


def _problem(request: Request) -> Problem:
    scheduler_of(request, request.samples)  # a wrong option is said before the images are read
    space = find_space(request.space)
    found = survey(request.dataset, columns_of(request))
    given = part_images(request, "validation") if found and found.validation else None
    problem = Problem(request, space, training_images(request), given, found)
    _ = problem.num_train  # a split that cannot be is the first to be said
    _, height, width = problem.images.shape
    check_test(
        request.dataset,
        data_dir=Path(request.data_dir),
        image_size=request.image_size,
        columns=columns_of(request),
        size=(width, height),
    )
    problem.check_list()
    return problem


def _own_threads(request: Request) -> dict[str, Any]:
    """The threads of a slot as a fact, where they do not follow from the machine."""
    if request.threads is None and not scheduler_of(request, request.samples).same_on_any_slots:
        return {}
    return {"threads": request.threads or 1}


def _errand(
    search: Search,
    problem: Problem,
    here: Machine,
    samples: int,
    plan: Plan | None = None,
    notes: tuple[str, ...] = (),
) -> Errand:
    """One session of a search; with a plan its forecast is made first."""

    def calibration(progress: Progress) -> Calibration | None:
        if plan is None:
            return None

        def foresee(speeds: Speeds) -> None:
            if not speeds:
                return
            found = _foresee(plan, speeds, here, search.folder)
            store.record(search, forecast=asdict(found))
            for line in headlines(found):
                progress.say(line)

        return Calibration(plan.configs, here.slots, foresee)

    request = problem.request
    return Errand(
        what="trial",
        title=f"{samples} trials of {problem.space.name} on {problem.num_train:,} images, "
        f"{problem.num_validation:,} for validation",
        notes=(*problem.notes, *notes),
        runs=lambda record: record.trials,
        total=samples,
        source=draw_trials(problem, problem.order(samples)),
        scheduler=scheduler_of(request, samples),
        train=problem.train,
        validation=problem.validation,
        samples=samples,
        calibration=calibration,
    )


def _foresee(plan: Plan, speeds: Speeds, here: Machine, folder: Path) -> Forecast:
    """The forecast of a plan, given the speeds of some of its configurations."""
    found = times(plan.configs, plan.costs, speeds, plan.num_train, plan.num_validation)
    return forecast(plan, found, rehearse(plan, found, here.slots), here, folder)


def _facts(problem: Problem, here: Machine) -> dict[str, Any]:
    """What `search.json` says beside the request."""
    images = problem.images
    taken = problem.survey
    own: dict[str, Any] = {} if taken is None else {"taken": asdict(taken)}
    if problem.given is not None:
        own["validation_fingerprint"] = fingerprint(problem.given)
    if taken is not None:
        own["warnings"] = list(problem.warnings)
    return {
        "data": {
            "fingerprint": fingerprint(images),
            "shape": list(images.shape),
            "classes": list(images.classes),
            "num_train": problem.num_train,
            "num_validation": problem.num_validation,
            **own,
        },
        "slots": here.slots,
        "threads": here.threads,
        "precision": here.precision,
        "versions": {p: version(p) for p in ("hpsearch", "torch", "ray", "optuna")},
        "machine": {
            "host": socket.gethostname(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "gpus": [torch.cuda.get_device_name(i) for i in range(min(here.num_gpus, torch.cuda.device_count()))],
        },
    }


def _create(results: Path, name: str | None, request: Request, facts: dict[str, Any], *, is_shared: bool) -> Search:
    """The new search; where no name was asked for, under the first one that is free."""
    if name is not None:
        return store.create(results, name, request, time.time(), facts)
    stem = default_name(request, is_shared=is_shared)
    for number in count(1):
        with suppress(NameTakenError):
            return store.create(results, stem if number == 1 else f"{stem}-{number}", request, time.time(), facts)
    raise AssertionError("one of all numbers is free")


def default_name(request: Request, *, is_shared: bool) -> str:
    """A search's name where none is given: space, dataset and time.

    is_shared: whether other machines keep searches in the same place at the same moment; four random digits follow.
    """
    space = Path(request.space).stem if request.space.endswith(".jsonl") else request.space
    parts = [re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-")[:36] for part in (space, Path(request.dataset).name)]
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return "-".join([*(part or "search" for part in parts), stamp, *([token_hex(2)] if is_shared else [])])
