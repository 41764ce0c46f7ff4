"""Launch and resume: a search from its request, or from its ledger."""

import os
import platform
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from architectures.spec import Shape
from search.forecast.calibration import Calibration, Speeds, calibrate
from search.forecast.forecast import MOST_DRAWS, Forecast, Plan, forecast
from search.history import store
from search.history.events import checked
from search.history.ledger import Ledger
from search.history.record import FINAL, Record, Run
from search.history.store import Request, Search
from search.machines import machine
from search.machines.machine import Machine, describe
from search.run.driver import Driver, fill_rungs
from search.run.progress import Progress, headlines
from search.run.session import (
    Options,
    Outcome,
    RequestError,
    checkpoints_of,
    cost_of,
    find_machine,
    mirrored,
    train,
    training_images,
    unchanged_images,
)
from search.samplers.sampler import Sampler, derive_seed, history_json, make_sampler
from search.schedulers.asha import make_scheduler
from search.spaces.space import Space, find_space, write_list
from search.storage import claims
from trainables import files
from trainables.config import Config
from trainables.data.datasets import Images, fingerprint, split

LIST = "space.jsonl"


def launch(
    request: Request, options: Options, *, results: Path, name: str | None, storage: str | None = None
) -> Outcome:
    """Begin a search and run it. Raises one of the named errors before anything is left on disk.

    storage: where its record and checkpoints are kept as well, for another machine to go on with.
    """
    space = find_space(request.space)
    images = training_images(request)
    learn, validate = split(images.labels, request.validation, request.seed)
    check_space(space, images.shape, len(images.classes))
    # Drawn once for the forecast: a space that fails shall fail before there is a search.
    plan = _plan(request, space, images, len(learn))
    here = find_machine(options, {request.space, *(config.network.name for config in plan.configs)})
    created = time.time()
    facts = {
        "data": {
            "fingerprint": fingerprint(images),
            "shape": list(images.shape),
            "classes": list(images.classes),
            "num_train": len(learn),
            "num_validation": len(validate),
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
    search = store.create(results, name or default_name(request), request, created, facts)
    try:
        if space.configs:
            # A copy: the search does not change when the list does, and resumes from any folder.
            files.write(search.folder / LIST, write_list(space))
        if storage is not None:
            claims.begin(storage, search.folder)
        return _search_session(search, space, images, here, request.samples, options, plan)
    except BaseException:
        if not search.ledger.exists() or not search.ledger.stat().st_size:
            store.discard(search)
        raise


def dry_run(request: Request, *, results: Path, parallel: int | None) -> Forecast:
    """What the search would be; nothing is left on disk but the dataset's cache. TPE's draws are its first ones."""
    space = find_space(request.space)
    images = training_images(request)
    learn, _ = split(images.labels, request.validation, request.seed)
    check_space(space, images.shape, len(images.classes))
    here = machine.find(parallel)
    plan = _plan(request, space, images, len(learn))
    return forecast(plan, calibrate(plan.configs, images, here), here, results)


def _plan(request: Request, space: Space, images: Images, num_train: int) -> Plan:
    """The search's first draws and what they cost. TPE, which has no history yet, draws as it begins."""
    sampler = make_sampler(space, request.sampler, request.seed, checker(images))
    drawn = (sampler.draw(trial) for trial in range(min(request.samples, MOST_DRAWS)))
    draws = [each for each in drawn if each is not None]
    configs = [each.config.with_defaults(epochs=request.epochs, augment=request.augment) for each in draws]
    return Plan(
        draws=draws,
        configs=configs,
        costs=[cost_of(config, images.shape, len(images.classes)) for config in configs],
        order=trial_order(space, request, images, min(request.samples, len(space.configs) or request.samples)),
        num_train=num_train,
        num_validation=len(images) - num_train,
        sampler=request.sampler,
        scheduler=request.scheduler,
        max_t=request.epochs,
    )


def resume(search: Search, options: Options, *, samples: int | None) -> Outcome:
    """Continue a search from its ledger, perhaps with more samples."""
    request = search.request
    listed = search.folder / LIST
    space = find_space(str(listed) if listed.exists() else request.space)
    images = unchanged_images(search)
    with Ledger(search.ledger) as book:
        record = Record(checked(book.events))
    before = record.samples or request.samples
    if samples is not None and samples < before:
        raise RequestError(f"--samples can only grow: the search has {before}, got {samples}")
    networks = [run.config["network"]["name"] for run in record.trials]
    here = find_machine(options, {request.space, *networks}, search.facts)
    return _search_session(search, space, images, here, samples or before, options)


def _search_session(
    search: Search,
    space: Space,
    images: Images,
    here: Machine,
    samples: int,
    options: Options,
    plan: Plan | None = None,
) -> Outcome:
    """One session of a search; with a plan its forecast is made first."""
    request = search.request
    learn, validate = split(images.labels, request.validation, request.seed)
    scheduler = make_scheduler(request.scheduler, request.epochs)
    sampler = make_sampler(space, request.sampler, request.seed, checker(images))
    if space.function is None:
        samples = min(samples, len(space.configs))

    with (
        Ledger(search.ledger) as book,
        Progress("trial", lambda d: d.record.trials, samples, here.slots) as progress,
        mirrored(search, book, progress) as copies,
    ):

        def listen(event: dict[str, Any]) -> None:
            if event.get("state") in FINAL:
                sampler.tell(driver.record.runs[event["trial"], 0])
            progress.hear(event)

        def foresee(speeds: Speeds) -> None:
            if plan is None or not speeds:
                return
            found = forecast(plan, speeds, here, search.folder)
            store.record(search, forecast=asdict(found))
            for line in headlines(found):
                progress.say(line)

        driver = Driver(
            book,
            search.folder,
            search_source(sampler, images, request, trial_order(space, request, images, samples)),
            scheduler,
            checkpoints=checkpoints_of(search),
            mirror=copies,
            retries=options.retries,
            deadline=options.deadline,
            listen=listen,
            calibration=Calibration(plan.configs, here.slots, foresee) if plan else None,
        )
        fill_rungs(scheduler, driver.record.trials)
        progress.say(
            f"{search.name}: {samples} trials of {space.name} on {len(learn):,} images, "
            f"{len(validate):,} for validation; {describe(here)}"
        )
        return train(
            driver,
            search,
            progress,
            here,
            options,
            train=images.take(learn),
            validation=images.take(validate),
            samples=samples,
        )


def search_source(
    sampler: Sampler, images: Images, request: Request, order: Sequence[int]
) -> Callable[[Driver], Iterator[Run]]:
    """First what was asked and has not ended, then new draws of the trials in `order`."""

    def source(driver: Driver) -> Iterator[Run]:
        for run in driver.record.trials:
            sampler.tell(run)
        yield from driver.unfinished(driver.record.trials)
        asked = {run.asked["trial"] for run in driver.record.trials}
        for trial in (trial for trial in order if trial not in asked):
            drawn = sampler.draw(trial)
            if drawn is None:
                return
            config = drawn.config.with_defaults(epochs=request.epochs, augment=request.augment)
            costs = cost_of(config, images.shape, len(images.classes))
            driver.append(
                "asked",
                trial=trial,
                repeat=0,
                **{**history_json(drawn), "config": config.to_json()},
                parameters=costs.parameters,
                flops=costs.flops,
                seed=derive_seed(request.seed, trial),
            )
            sampler.tell(driver.record.runs[trial, 0])
            yield driver.record.runs[trial, 0]

    return source


def trial_order(space: Space, request: Request, images: Images, samples: int) -> Sequence[int]:
    """Trial numbers as they begin: the longest first where all is known, a list of which nothing is stopped.

    Then no long trial is left alone with one slot at the end (Graham 1969). Otherwise in the order of drawing.
    """
    if not space.configs or request.scheduler != "none":
        return range(samples)

    def work(trial: int) -> int:
        config = space.configs[trial]
        flops = cost_of(config, images.shape, len(images.classes)).flops
        return flops * (config.training.epochs or request.epochs)

    return sorted(range(samples), key=work, reverse=True)


def checker(images: Images) -> Callable[[Config], None]:
    """What raises ValueError for a configuration that these images cannot be trained with."""

    def check(config: Config) -> None:
        cost_of(config, images.shape, len(images.classes))

    return check


def check_space(space: Space, shape: Shape, num_classes: int) -> None:
    """Raise RequestError for a line of a list that these images cannot be trained with."""
    for number, config in zip(space.lines, space.configs, strict=True):
        try:
            cost_of(config, shape, num_classes)
        except ValueError as error:
            raise RequestError(f"{space.name}, line {number} is impossible for these images: {error}") from error


def default_name(request: Request) -> str:
    """A search's name where none is given: space, dataset and time."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    parts = (
        Path(request.space).stem if request.space.endswith(".jsonl") else request.space,
        Path(request.dataset).name,
    )
    return "-".join((*(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-")[:40] or "search" for part in parts), stamp))
