"""Launch, resume and retrain: each is a session of a driver over the ledger."""

import os
import platform
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import torch

from architectures.cost import Cost, cost
from architectures.families import make_network
from architectures.spec import CNN, Shape, SizeError
from search import store, tables, winners
from search.driver import Driver, fill_rungs, retrain_folder
from search.ledger import Ledger
from search.progress import Progress, duration
from search.record import FINAL, Record, Run
from search.sampler import Sampler, derive_seed, history_json, make_sampler
from search.scheduler import NoScheduler, make_scheduler
from search.spaces import Space, find_space, write_list
from search.store import Request, Search
from trainables import checkpoint
from trainables.config import Config
from trainables.datasets import DatasetError, Images, fingerprint, load, split, subset
from trainables.loop import Resident, default_precision
from trainables.retrain import test_pass

SLOTS_PER_GPU = 16
LIST = "space.jsonl"


class RequestError(ValueError):
    """A wrong request: one line with the rule, the value and what would be right."""


@dataclass(frozen=True)
class Machine:
    """What a session computes on. threads: of each slot on the CPU."""

    slots: int
    threads: int
    num_gpus: int
    device: str
    precision: str


@dataclass(frozen=True)
class Outcome:
    """How a session ended: "finished", "interrupted" or "out of time"."""

    search: Search
    reason: str


# ---- what a session needs


def machine(parallel: int | None, facts: dict[str, Any] | None = None) -> Machine:
    """The machine at hand with this many slots; threads and precision of an earlier session are kept."""
    facts = facts or {}
    gpus = torch.cuda.device_count()
    device = "cuda" if gpus else "cpu"
    cores = len(os.sched_getaffinity(0))
    slots = parallel or facts.get("slots") or (gpus * SLOTS_PER_GPU if gpus else cores)
    return Machine(
        slots=slots,
        threads=facts.get("threads") or max(1, cores // slots),
        num_gpus=gpus,
        device=device,
        precision=facts.get("precision") or default_precision(device),
    )


def training_images(request: Request) -> Images:
    """Every image the search may train or validate on, in the dataset's order; the test set is not read."""
    images = load(request.dataset, "train", data_dir=Path(request.data_dir), image_size=request.image_size)
    if request.limit_train is not None:
        images = images.take(subset(images.labels, request.limit_train, request.seed))
    return images


def cost_of(config: Config, shape: Shape, num_classes: int) -> Cost:
    """A configuration's cost; raises ValueError when its network cannot take such images."""

    def make() -> Any:
        with torch.device("meta"):
            return make_network(config.network.name, config.network.hyperparameters, shape, num_classes)

    network = make()
    try:
        return cost(network if isinstance(network, CNN) else make, shape, num_classes)
    except SizeError as error:
        raise SizeError(f"network '{config.network.name}': {error}") from error


def check_space(space: Space, shape: Shape, num_classes: int) -> None:
    """Raise RequestError for a line of a list that these images cannot be trained with."""
    for number, config in zip(space.lines, space.configs, strict=True):
        try:
            cost_of(config, shape, num_classes)
        except ValueError as error:
            raise RequestError(f"{space.name}, line {number} is impossible for these images: {error}") from error


# ---- launch and resume


def launch(
    request: Request, *, results: Path, name: str | None, parallel: int | None, max_time: float | None
) -> Outcome:
    """Begin a search and run it. Raises one of the named errors before anything is left on disk."""
    space = find_space(request.space)
    images = training_images(request)
    learn, validate = split(images.labels, request.validation, request.seed)
    check_space(space, images.shape, len(images.classes))
    # One draw, thrown away: a space that fails shall fail before there is a search.
    make_sampler(space, request.sampler, request.seed, _checker(images)).draw(0)
    here = machine(parallel)
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
            "gpus": [torch.cuda.get_device_name(i) for i in range(here.num_gpus)],
        },
    }
    search = store.create(results, name or _default_name(request, created), request, created, facts)
    try:
        if space.configs:
            # A copy: the search does not change when the list does, and resumes from any folder.
            checkpoint.write(search.folder / LIST, write_list(space))
        return _search_session(search, space, images, here, request.samples, max_time)
    except BaseException:
        if not search.ledger.exists() or not search.ledger.stat().st_size:
            store.discard(search)
        raise


def resume(search: Search, *, samples: int | None, parallel: int | None, max_time: float | None) -> Outcome:
    """Continue a search from its ledger, perhaps with more samples."""
    request = search.request
    listed = search.folder / LIST
    space = find_space(str(listed) if listed.exists() else request.space)
    images = unchanged_images(search)
    with Ledger(search.ledger) as ledger:
        asked = [e["samples"] for e in ledger.events if e["event"] == "opened" and e.get("samples")]
    before = asked[-1] if asked else request.samples
    if samples is not None and samples < before:
        raise RequestError(f"--samples can only grow: the search has {before}, got {samples}")
    return _search_session(search, space, images, machine(parallel, search.facts), samples or before, max_time)


def unchanged_images(search: Search) -> Images:
    """The search's images; raises DatasetError when they are not those it began with."""
    images = training_images(search.request)
    if fingerprint(images) != search.facts["data"]["fingerprint"]:
        raise DatasetError(
            f"the dataset {search.request.dataset} has changed since {search.name} began (its fingerprint differs); "
            "restore it, or launch a new search"
        )
    return images


def _search_session(
    search: Search, space: Space, images: Images, here: Machine, samples: int, max_time: float | None
) -> Outcome:
    request = search.request
    learn, validate = split(images.labels, request.validation, request.seed)
    scheduler = make_scheduler(request.scheduler, request.epochs)
    sampler = make_sampler(space, request.sampler, request.seed, _checker(images))
    if space.function is None:
        samples = min(samples, len(space.configs))

    with Ledger(search.ledger) as ledger:
        fill_rungs(scheduler, Record(ledger.events).trials)
        with Progress("trial", lambda d: d.record.trials, samples, here.slots) as progress:

            def listen(event: dict[str, Any]) -> None:
                if event.get("state") in FINAL:
                    sampler.tell(driver.record.runs[event["trial"], 0])
                progress.hear(event)

            driver = Driver(
                ledger,
                search.folder,
                _search_source(sampler, images, request, samples),
                scheduler,
                deadline=time.time() + max_time if max_time else None,
                listen=listen,
            )
            progress.say(
                f"{search.name}: {samples} trials of {space.name} on {len(learn):,} images, "
                f"{len(validate):,} for validation; {_describe(here)}"
            )
            _train(driver, search, progress, here, images.take(learn), images.take(validate), samples=samples)
            return Outcome(search, driver.record.sessions[-1].reason)


def _search_source(
    sampler: Sampler, images: Images, request: Request, samples: int
) -> Callable[[Driver], Iterator[Run]]:
    """First what was asked and has not ended, then new draws up to `samples`."""

    def source(driver: Driver) -> Iterator[Run]:
        for run in driver.record.trials:
            sampler.tell(run)
        yield from driver.unfinished(driver.record.trials)
        for trial in range(len(driver.record.trials), samples):
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


def _checker(images: Images) -> Callable[[Config], None]:
    def check(config: Config) -> None:
        cost_of(config, images.shape, len(images.classes))

    return check


# ---- retrain


def retrain(
    search: Search, *, top: int, distinct: bool, epochs: int, repeats: int, parallel: int | None
) -> tuple[Outcome, list[Run]]:
    """Train the best trials on all their images from scratch, then test each once. Returns the runs asked for.

    What an earlier retrain of the same trials and epochs has done is not done again.
    """
    images = unchanged_images(search)
    here = machine(parallel, search.facts)
    with Ledger(search.ledger) as ledger:
        record = Record(ledger.events)
        best = winners.rank(record, distinct=distinct)[:top]
        if not any(run.state in ("done", "stopped") for run in best):
            raise RequestError(
                f"{search.name} has no finished trial to retrain yet; hpsearch status shows how far it is"
            )
        wanted: list[tuple[int, int]] = []

        def source(driver: Driver) -> Iterator[Run]:
            # All are asked before the first is trained, so that a resumed retrain knows them.
            for winner in best:
                for repeat in _repeats(driver.record, winner, epochs, repeats):
                    wanted.append((winner.key[0], repeat))
                    if (winner.key[0], repeat) not in driver.record.runs:
                        config = Config.from_json(winner.config).with_training(epochs=epochs)
                        driver.append(
                            "asked",
                            trial=winner.key[0],
                            repeat=repeat,
                            config=config.to_json(),
                            params={},
                            distributions={},
                            redrawn=0,
                            parameters=winner.asked["parameters"],
                            flops=winner.asked["flops"],
                            seed=derive_seed(search.request.seed, winner.key[0], repeat),
                        )
            yield from driver.unfinished([driver.record.runs[key] for key in wanted])

        def runs(driver: Driver) -> list[Run]:
            return [driver.record.runs[key] for key in wanted]

        with Progress("retrain", runs, len(best) * repeats, here.slots) as progress:
            driver = Driver(ledger, search.folder, source, NoScheduler(epochs), listen=progress.hear)
            progress.say(
                f"{search.name}: {len(best)} winners × {repeats} for {epochs} epochs on all {len(images):,} images; "
                f"{_describe(here)}"
            )
            _train(
                driver,
                search,
                progress,
                here,
                images,
                None,
                after=lambda: _test(driver, search, runs(driver), here, progress),
            )
        return Outcome(search, driver.record.sessions[-1].reason), runs(driver)


def _repeats(record: Record, winner: Run, epochs: int, repeats: int) -> list[int]:
    """Repeat numbers for a winner: those it has with as many epochs, then the next free ones."""
    trial = winner.key[0]
    mine = [run for run in record.retrains if run.key[0] == trial]
    same = [run.key[1] for run in mine if run.config["training"]["epochs"] == epochs and run.state != "failed"]
    free = count(max((run.key[1] for run in mine), default=0) + 1)
    return (same + [next(free) for _ in range(repeats - len(same))])[:repeats]


def _test(driver: Driver, search: Search, runs: list[Run], here: Machine, progress: Progress) -> None:
    """The test set is read here and nowhere else, once for each retrained network that has not been tested."""
    waiting = [run for run in runs if run.retrained and run.test is None]
    if not waiting:
        return
    request = search.request
    test = load(request.dataset, "test", data_dir=Path(request.data_dir), image_size=request.image_size)
    torch.set_num_threads(here.threads * here.slots)
    resident = Resident.of(test, here.device)
    for run in waiting:
        progress.say(f"testing {run.key[0]}-{run.key[1]} on {len(test):,} test images")
        correct = test_pass(retrain_folder(search.folder, run), resident, here.precision)
        driver.append("tested", trial=run.key[0], repeat=run.key[1], correct=correct, images=len(test))


# ---- a session


def _train(
    driver: Driver,
    search: Search,
    progress: Progress,
    here: Machine,
    train: Images,
    validation: Images | None,
    *,
    samples: int | None = None,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Open a session, train under Ray, and close it in whatever way it ends."""
    from search import engine  # imported late: Ray takes seconds, and a wrong request shall not wait for it

    progress.attach(driver)
    driver.append(
        "opened",
        samples=samples,
        slots=here.slots,
        threads=here.threads,
        device=here.device,
        host=socket.gethostname(),
        pid=os.getpid(),
    )
    with _closing(driver, search):
        began = time.time()
        address = engine.start(here.slots, here.num_gpus)
        progress.say(f"Ray's dashboard: {address} (its token: ray get-auth-token); started in {_since(began)}")
        try:
            engine.train(
                driver,
                train=train,
                validation=validation,
                slots=here.slots,
                num_gpus=here.num_gpus,
                threads=here.threads,
                device=here.device,
                precision=here.precision,
                on_step=progress.refresh,
            )
        finally:
            engine.stop()
        if driver.exhausted and not driver.active:
            after()


@contextmanager
def _closing(driver: Driver, search: Search) -> Iterator[None]:
    reason = "failed"
    try:
        yield
        if driver.exhausted and not driver.active:
            reason = "finished"
        else:
            reason = "out of time" if driver.late else "interrupted"
    except KeyboardInterrupt:
        reason = "interrupted"
    finally:
        driver.append("closed", reason=reason)
        tables.write(search.folder, driver.record)


def _since(began: float) -> str:
    return duration(time.time() - began)


def _describe(here: Machine) -> str:
    device = f"{here.num_gpus} GPU" if here.num_gpus else f"{here.threads} thread{'s' * (here.threads > 1)} each"
    return f"{here.slots} slots, {device}, {here.precision}"


def _default_name(request: Request, created: float) -> str:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(created))
    parts = (
        Path(request.space).stem if request.space.endswith(".jsonl") else request.space,
        Path(request.dataset).name,
    )
    return "-".join((*(re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-")[:40] or "search" for part in parts), stamp))
