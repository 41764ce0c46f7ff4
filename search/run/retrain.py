"""Retrain: the winners on all their images from scratch, and one test pass each."""

from collections.abc import Iterator
from itertools import count

import torch

from architectures.errors import one_line
from search.history.events import Asked, Ended, State, Tested, Testing, parse
from search.history.ledger import read
from search.history.record import Record, Run, rank
from search.history.store import Search, retrain_folder
from search.machines.machine import Machine
from search.run import own_code
from search.run.driver import Driver
from search.run.problem import RequestError, columns_of, part_images, unchanged_images
from search.run.progress import Progress
from search.run.session import Errand, Options, Outcome, find_machine, run
from search.samplers.sampler import derive_seed
from search.schedulers.scheduler import make_scheduler
from trainables.config import Config
from trainables.data.find import survey
from trainables.data.images import fingerprint
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
    changed_code: bool = False,
) -> tuple[Outcome, list[Run]]:
    """Train the best trials on all their images from scratch, then test each once. Returns the runs asked for.

    What an earlier retrain of the same trials and epochs has done is not done again. changed_code: as in a resume.
    """
    images = unchanged_images(search)
    survey(
        search.request.dataset, columns_of(search.request)
    )  # test labels are checked before hours of training, not after
    best = rank(Record(parse(read(search.ledger))), distinct=distinct)[:top]
    if not any(winner.state in (State.DONE, State.STOPPED) for winner in best):
        raise RequestError(f"{search.name} has no finished trial to retrain yet; hpsearch status shows how far it is")
    networks = {winner.config["network"]["name"] for winner in best}
    own_code.check(search, networks, accept=changed_code)
    here = find_machine(options, networks, search.facts)
    wanted: list[tuple[int, int]] = []

    def source(driver: Driver) -> Iterator[Run]:
        # All are asked before the first is trained, so that a resumed retrain knows them.
        for winner in best:
            for repeat in _repeats(driver.record, winner, epochs, repeats):
                wanted.append((winner.key[0], repeat))
                if (winner.key[0], repeat) not in driver.record.runs:
                    driver.append(_asked(search, winner, repeat, epochs))
        yield from driver.unfinished([driver.record.runs[key] for key in wanted])

    def runs(record: Record) -> list[Run]:
        # A full disk or a Ctrl-C may have refused the last one's line.
        return [record.runs[key] for key in wanted if key in record.runs]

    errand = Errand(
        what="retrain",
        title=f"{len(best)} winners × {repeats} for {epochs} epochs on all {len(images):,} images",
        runs=runs,
        total=len(best) * repeats,
        source=source,
        scheduler=make_scheduler("none", epochs),
        train=images,
        validation=None,
        after=lambda driver, progress: _test(driver, search, runs(driver.record), here, progress),
    )
    outcome = run(search, here, options, errand)
    return outcome, runs(outcome.record)


def _asked(search: Search, winner: Run, repeat: int, epochs: int) -> Asked:
    """A retrain of a winner, as it is recorded before it is trained."""
    trial = winner.key[0]
    return Asked(
        trial=trial,
        repeat=repeat,
        config=Config.from_json(winner.config).with_training(epochs=epochs).to_json(),
        params={},
        distributions={},
        redrawn=0,
        parameters=winner.asked.parameters,
        flops=winner.asked.flops,
        seed=derive_seed(search.request.seed, trial, repeat),
    )


def _repeats(record: Record, winner: Run, epochs: int, repeats: int) -> list[int]:
    """Repeat numbers for a winner: those it has with as many epochs, then the next free ones."""
    trial = winner.key[0]
    mine = [run for run in record.retrains if run.key[0] == trial]
    same = [run.key[1] for run in mine if run.config["training"]["epochs"] == epochs]
    free = count(max((run.key[1] for run in mine), default=0) + 1)
    return (same + [next(free) for _ in range(repeats - len(same))])[:repeats]


def _test(driver: Driver, search: Search, runs: list[Run], here: Machine, progress: Progress) -> None:
    """The test set is read here and nowhere else, once for each retrained network that has not been tested.

    That it is read is recorded before it is, so a pass that a kill interrupts counts as well as the one after it.
    """
    waiting = [run for run in runs if run.retrained and run.test is None]
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
        correct = test_pass(network, folder, resident, here.precision)
        driver.append(Tested(trial=trial, repeat=repeat, correct=correct, images=len(test), fingerprint=digest))
