"""Retrain: the winners on all their images from scratch, and one test pass each."""

from collections.abc import Iterator
from itertools import count

import torch

from architectures.cost import Cost
from architectures.errors import one_line
from search.history.events import Asked, Ended, State, Tested, Testing, parse
from search.history.ledger import read
from search.history.record import Record, Run, rank
from search.history.store import Search, retrain_folder
from search.machines.machine import Machine
from search.run.driver import Driver
from search.run.problem import (
    Problem,
    RequestError,
    columns_of,
    cost_of,
    part_images,
    unchanged_images,
    unchanged_validation,
)
from search.run.progress import Progress
from search.run.session import Errand, Options, Outcome, find_machine, run
from search.run.widen import widened
from search.samplers.sampler import derive_seed
from search.schedulers.scheduler import make_scheduler
from search.spaces import Space
from trainables.config import Config
from trainables.data.find import survey
from trainables.data.images import Images, fingerprint
from trainables.resident import Resident
from trainables.saved_network import NetworkError, load_network, test_pass


def retrain(
    search: Search,
    options: Options,
    *,
    top: int,
    distinct: bool,
    epochs: int,
    repeats: int,
    width: float = 1.0,
    patience: int | None = None,
    flips: bool = False,
) -> tuple[Outcome, list[Run]]:
    """Train the best trials on all their images from scratch, then test each once. Returns the runs asked for.

    What an earlier retrain of the same trials in the same way has done is not done again. width: a factor on that of
    each network. patience: epochs without a better validation accuracy after which a training ends; it then trains on
    the training images alone, and its best epoch is tested. flips: whether each test image is judged mirrored as well.
    """
    images = unchanged_images(search)
    train, validation = images, None
    if patience is not None:
        problem = Problem(search.request, Space(search.request.space), images, unchanged_validation(search))
        train, validation = problem.train, problem.validation
    survey(
        search.request.dataset, columns_of(search.request)
    )  # test labels are checked before hours of training, not after
    best = rank(Record(parse(read(search.ledger))), distinct=distinct)[:top]
    if not any(winner.state in (State.DONE, State.STOPPED) for winner in best):
        raise RequestError(f"{search.name} has no finished trial to retrain yet; hpsearch status shows how far it is")
    configs = [_config_of(winner, epochs, width, patience) for winner in best]
    costs = [cost_of(config, images) for config in configs]  # a width that is impossible is said at once
    here = find_machine(options, [config.network.name for config in configs], search.facts)
    wanted: list[tuple[int, int]] = []

    def source(driver: Driver) -> Iterator[Run]:
        # All are asked before the first is trained, so that a resumed retrain knows them.
        for winner, config, cost in zip(best, configs, costs, strict=True):
            for repeat in _repeats(driver.record, winner, config, repeats):
                wanted.append((winner.key[0], repeat))
                if (winner.key[0], repeat) not in driver.record.runs:
                    driver.append(_asked(search, winner, repeat, config, cost))
        yield from driver.unfinished([driver.record.runs[key] for key in wanted])

    def runs(record: Record) -> list[Run]:
        # A full disk or a Ctrl-C may have refused the last one's line.
        return [record.runs[key] for key in wanted if key in record.runs]

    errand = Errand(
        what="retrain",
        title=f"{len(best)} winners × {repeats} for {epochs} epochs on {_described(images, train)} images",
        runs=runs,
        total=len(best) * repeats,
        source=source,
        scheduler=make_scheduler("none", epochs),
        train=train,
        validation=validation,
        after=lambda driver, progress: _test(driver, search, runs(driver.record), here, progress, flips),
    )
    outcome = run(search, here, options, errand)
    return outcome, runs(outcome.record)


def _config_of(winner: Run, epochs: int, width: float, patience: int | None) -> Config:
    """A winner's configuration as it is trained again; its own patience is for the search."""
    return widened(Config.from_json(winner.config), width).with_training(epochs=epochs, patience=patience)


def _described(images: Images, train: Images) -> str:
    return f"all {len(images):,}" if train is images else f"{len(train):,} of {len(images):,}"


def _asked(search: Search, winner: Run, repeat: int, config: Config, cost: Cost) -> Asked:
    """A retrain of a winner, as it is recorded before it is trained."""
    trial = winner.key[0]
    return Asked(
        trial=trial,
        repeat=repeat,
        config=config.to_json(),
        params={},
        distributions={},
        redrawn=0,
        parameters=cost.parameters,
        flops=cost.flops,
        seed=derive_seed(search.request.seed, trial, repeat),
    )


def _repeats(record: Record, winner: Run, config: Config, repeats: int) -> list[int]:
    """Repeat numbers for a winner: those that it has of this configuration, then the next free ones."""
    trial = winner.key[0]
    mine = [run for run in record.retrains if run.key[0] == trial]
    same = [run.key[1] for run in mine if Config.from_json(run.config) == config]
    free = count(max((run.key[1] for run in mine), default=0) + 1)
    return (same + [next(free) for _ in range(repeats - len(same))])[:repeats]


def _test(driver: Driver, search: Search, runs: list[Run], here: Machine, progress: Progress, flips: bool) -> None:
    """The test set is read here and nowhere else, once for each retrained network that has not been tested so.

    That it is read is recorded before it is, so a pass that a kill interrupts counts as well as the one after it.
    """
    waiting = [run for run in runs if run.retrained and (run.test is None or bool(run.test.flips) != flips)]
    if not waiting:
        return
    test = part_images(search.request, "test")
    torch.set_num_threads(here.threads * here.slots)
    device = here.device if torch.cuda.is_available() else "cpu"  # the GPUs of a cluster may be elsewhere
    resident, digest = Resident.of(test, device), fingerprint(test)
    for each in waiting:
        progress.say(f"testing {each.key[0]}-{each.key[1]} on {len(test):,} test images")
        folder, (trial, repeat) = retrain_folder(search.folder, each), each.key
        try:
            network = load_network(folder, device, run_own_code=True)
        except (NetworkError, FileNotFoundError) as error:  # damaged since it was written: to be trained again
            reason = one_line(error)
            driver.append(Ended(trial=trial, repeat=repeat, attempt=each.attempt, state=State.FAILED, reason=reason))
            continue
        driver.append(Testing(trial=trial, repeat=repeat))
        correct = test_pass(network, folder, resident, here.precision, flips=flips)
        driver.append(
            Tested(
                trial=trial,
                repeat=repeat,
                correct=correct,
                images=len(test),
                fingerprint=digest,
                flips=flips or None,
            )
        )
