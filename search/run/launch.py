"""Launch and resume: a search from its request, or from its ledger."""

import os
import platform
import re
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from itertools import count
from pathlib import Path
from secrets import token_hex
from typing import Any

from search.forecast.calibration import Calibration, Speeds
from search.forecast.forecast import Plan
from search.history import store
from search.history.events import State
from search.history.load import record_of
from search.history.record import Record, Run
from search.history.store import NameTakenError, Request, Search
from search.machines import gpus
from search.machines.machine import Machine, StartError
from search.readable import command_line
from search.readable import count as count_of
from search.run import own_code
from search.run.driver import Driver
from search.run.experience import read_recordings_of, write_recordings
from search.run.foresee import foresee, heard_by, wanted
from search.run.images import found_again, unchanged_images, unchanged_validation
from search.run.notes import exhausted, objectives, of_plan
from search.run.order import Order, measured_speeds
from search.run.overlap import Met, compare_with_test
from search.run.prior import NO_PRIOR, read_prior, write_prior
from search.run.problem import Problem, RequestError, new_problem
from search.run.progress import Progress, headlines
from search.run.rehearsal import announced
from search.run.session import Errand, Options, Outcome, find_machine, finished_before, run
from search.run.testing import test_all
from search.run.trials import draw_trials
from search.schedulers.scheduler import scheduler_of
from search.spaces import Space, find_space
from search.spaces.lists import read_list, write_list
from search.storage import claims, note
from trainables import files, limits
from trainables.data.images import fingerprint


def launch(
    request: Request,
    options: Options,
    *,
    results: Path,
    name: str | None,
    storage: str | None = None,
    is_share_asked: bool = False,
    listed: Space | None = None,
    study: dict[str, Any] | None = None,
    kept: bool = False,
) -> Outcome:
    """Begin a search and run it. Raises one of the named errors before anything is left on disk.

    storage: a second place for its record and checkpoints, from which another machine can continue.
    is_share_asked: whether the user wants a share of train held out, which a dataset's own validation images forbid.
    study: what is recorded about a study, if it is one. listed: the study's arms and their repeats, if it has arms.
    kept: whether the network of each trial is kept, and tested in the end; those of a study always are.
    """
    problem, options = new_problem(request, is_share_asked=is_share_asked, listed=listed), options.settled({})
    problem, request = replace(problem, kept=kept), problem.request
    # Drawn before anything is on disk, so that a space that raises an error leaves no search behind.
    plan = problem.plan()
    own = set() if listed else {request.space}
    names = own | {config.network.name for config in plan.configs}
    facts: dict[str, Any] = {"code": own_code.digests(names), "engine": options.engine}
    if study is not None:
        facts["study"] = study
    if kept:
        facts["kept"] = True
    here = find_machine(options, names, wanted(request))
    met = compare_with_test(problem)
    facts = _facts(problem, here, met) | facts
    search = _create(results, name, request, facts, partial(_prepare, problem, storage), is_shared=storage is not None)
    try:
        notes = (*met.notes, *heard_by(problem))
        return run(search, here, options, _errand(search, problem, here, request.samples, plan=plan, notes=notes))
    except BaseException as error:
        never_began = isinstance(error, StartError) and storage is None  # the same command may be given again
        if never_began or not search.ledger.exists() or not search.ledger.stat().st_size:
            if storage is not None:
                claims.withdraw(storage, search)
            store.discard(search)
        raise


def _prepare(problem: Problem, storage: str | None, search: Search) -> None:
    """Write what a search needs beside its `search.json`, also into its storage."""
    if problem.space.configs:
        # A copy: the search does not change when the list does, and resumes from any folder.
        files.write(search.folder / store.LIST, write_list(problem.space))
    if problem.first:
        files.write(search.folder / store.FIRST, write_list(problem.first))
    if problem.request.warm_start is not None:
        write_prior(search.folder, problem.prior)
    write_recordings(search.folder, problem.recordings)
    if storage is not None:
        claims.begin(storage, search)


def resume(search: Search, options: Options, *, samples: int | None, changed_code: bool = False) -> Outcome:
    """Continue a search from its ledger, perhaps with more samples.

    changed_code: whether to continue although the user's own space or a network has been edited since the launch.
    """
    request, options = search.request, options.settled(search.facts)
    listed = search.folder / store.LIST
    space = find_space(str(listed) if listed.exists() else request.space)
    space = replace(space, arms=search.arms)
    record = record_of(search)
    before = record.samples or request.samples
    names = {request.space, *(run.config["network"]["name"] for run in record.trials)}
    own_code.check(search, names, accept=changed_code)
    own = found_again(search)
    problem = Problem(
        request,
        space,
        unchanged_images(search, own),
        unchanged_validation(search, own),
        first=read_list(search.folder / store.FIRST) if request.first is not None else None,
        prior=read_prior(search.folder) if request.warm_start is not None else NO_PRIOR,
        recordings=read_recordings_of(search.folder, request),
        kept=bool(search.facts.get("kept")),
    )
    if samples is not None and samples < before:
        raise RequestError(f"--samples can only grow: the search has {before}, got {samples}")
    notes = _growing(search, record, before, samples) if samples is not None and samples > before else ()
    here = find_machine(options, names, search.facts)
    errand = _errand(search, problem, here, samples or before, trials=record.trials, notes=notes)
    tries_again = not errand.scheduler.same_on_any_slots and any(run.state is State.FAILED for run in record.trials)
    if record.finished and not tries_again and samples in (None, before) and note.location_of(search.folder) is None:
        return finished_before(search, record)
    return run(search, here, options, errand)


def _growing(search: Search, record: Record, before: int, samples: int) -> tuple[str, ...]:
    """Notes about a search that grows; raises RequestError if it cannot grow yet."""
    if not scheduler_of(search.request, before).same_on_any_slots:
        return ()
    if not record.finished:
        raise RequestError(
            f"--samples can grow from {before} to {samples} once the search is finished, as {search.request.scheduler} "
            "compares all trials with each other; finish it first: "
            f"{command_line('resume', search.name, search.folder.parent)}"
        )
    return (
        f"note: the search grows from {before} to {samples} trials. It will differ from a launch with --samples "
        f"{samples}, because what was decided among {before} stays decided",
    )


def _errand(
    search: Search,
    problem: Problem,
    here: Machine,
    asked: int,
    *,
    plan: Plan | None = None,
    trials: Sequence[Run] = (),
    notes: tuple[str, ...] = (),
) -> Errand:
    """One session of a search; with a plan, its forecast is made first.

    asked: how many trials it should have; the space may have fewer. trials: those that it already has.
    """
    samples = problem.at_most(asked, trials)
    order = Order(problem.order(samples, measured_speeds(trials, problem.num_train)))

    def calibration(progress: Progress) -> Calibration | None:
        if plan is None:
            known = search.facts.get("forecast")
            if known and known.get("trials") == samples:
                progress.expect(known["epochs"]["middle"])
            return None

        def hear(speeds: Speeds) -> None:
            if not speeds:
                return
            measured = problem.order(samples, speeds)
            order.change(measured)
            for line in announced(plan):
                progress.say(line)
            found = foresee(replace(plan, order=measured), speeds, here, search.folder)
            store.record(search, forecast=asdict(found))
            progress.expect(found.epochs.middle)
            for line in headlines(found):
                progress.say(line)

        return Calibration(plan.configs, here.slots, hear)

    def after(driver: Driver, progress: Progress) -> None:
        test_all(driver, search, driver.record.trials, here, progress)

    request = problem.request
    return Errand(
        what="trial",
        title=f"{count_of(samples, 'trial')} of {problem.space.name} on {problem.num_train:,} images, "
        f"{problem.num_validation:,} for validation",
        notes=(
            *problem.notes,
            *exhausted(samples, asked),
            *(of_plan(plan, request, problem.num_train) if plan else objectives(request)),
            *notes,
        ),
        runs=lambda record: record.trials,
        total=samples,
        source=draw_trials(problem, order),
        scheduler=scheduler_of(request, samples),
        train=problem.train,
        validation=problem.validation,
        samples=samples,
        calibration=calibration,
        after=after,
    )


def _facts(problem: Problem, here: Machine, met: Met) -> dict[str, Any]:
    """The content of `search.json` beside the request."""
    images = problem.images
    taken = problem.survey
    own: dict[str, Any] = {} if taken is None else {"taken": asdict(taken)}
    if problem.given is not None:
        own["validation_fingerprint"] = fingerprint(problem.given)
    if taken is not None:
        own["warnings"] = list(problem.warnings)
    if met.duplicates is not None:
        own |= {"duplicates": met.duplicates, "num_test_hashed": met.num_test}
    return {
        "data": {
            "fingerprint": fingerprint(images),
            "shape": list(images.shape),
            "classes": list(images.classes),
            "num_train": problem.num_train,
            "num_validation": problem.num_validation,
            "guessing": asdict(problem.guess),
            **own,
        },
        **_began_with(problem),
        "slots": here.slots,
        "room": here.room,
        "threads": here.threads,
        "precision": here.precision,
        "versions": {p: version(p) for p in ("hpsearch", "torch", "ray", "optuna")},
        "machine": {
            "host": socket.gethostname(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "usable_cores": limits.cores(),
            "gpus": gpus.names()[: here.num_gpus],
        },
    }


def _began_with(problem: Problem) -> dict[str, Any]:
    """The earlier search that the sampler starts from, if there is one."""
    earlier = problem.request.warm_start
    if earlier is None:
        return {}
    return {"prior": {"search": Path(earlier).name, "trials": len(problem.prior.observed)}}


def _create(
    results: Path,
    name: str | None,
    request: Request,
    facts: dict[str, Any],
    prepare: Callable[[Search], None],
    *,
    is_shared: bool,
) -> Search:
    """The new search; if no name was asked for, with the first free default name."""
    create = partial(store.create, results, request=request, created=time.time(), facts=facts, prepare=prepare)
    if name is not None:
        return create(name)
    stem = default_name(request, is_shared=is_shared)
    for number in count(1):
        with suppress(NameTakenError):
            return create(stem if number == 1 else f"{stem}-{number}")
    raise AssertionError("one of all numbers is free")


def default_name(request: Request, *, is_shared: bool) -> str:
    """The default name of a search: space, dataset and time.

    is_shared: whether other machines may create searches in the same place at the same moment; adds 4 random digits.
    """
    space = Path(request.space).stem if request.space.endswith(".jsonl") else request.space
    parts = [re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-")[:36] for part in (space, Path(request.dataset).name)]
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return "-".join([*(part or "search" for part in parts), stamp, *([token_hex(2)] if is_shared else [])])
