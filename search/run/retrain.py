"""Retrain: the winners from scratch on all their images, and one test pass each."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from architectures.errors import one_line
from search import readable
from search.history.events import Ended, State, Tested, Testing, parse
from search.history.ledger import read
from search.history.record import Key, Record, Run, rank
from search.history.store import Search, retrain_folder
from search.machines.machine import Machine
from search.run import finalists, own_code
from search.run.asking import ask
from search.run.driver import Driver
from search.run.finalists import Finals
from search.run.images import found_again, part_images, unchanged_images, unchanged_validation
from search.run.problem import Problem, RequestError, cost_of
from search.run.progress import Progress
from search.run.session import Errand, Options, Outcome, find_machine, run
from search.run.widen import widened
from search.schedulers.scheduler import make_scheduler
from search.spaces import Space
from trainables.config import Config
from trainables.data.find import survey_of
from trainables.data.images import Images, fingerprint
from trainables.data.own import Own
from trainables.data.split import fold
from trainables.resident import Resident
from trainables.saved_network import NetworkError, load_network, test_pass


@dataclass(frozen=True, kw_only=True)
class Again:
    """How winners are trained again, and tested."""

    epochs: int
    """Epochs, also the horizon of a schedule."""
    repeats: int = 1
    """Seeds for each winner."""
    width: float = 1.0
    """A factor on each network's width."""
    patience: int | None = None
    """Epochs without a better value of the metric after which a training ends; its best epoch is tested. The training
    images are then trained on alone."""
    with_validation: bool = False
    """Whether the dataset's own validation images are trained on too."""
    flips: bool = False
    """Whether each test image is judged mirrored as well."""
    finals: Finals | None = None
    """How winners are chosen among more finalists; None for the best of the search."""


def retrain(
    search: Search, options: Options, how: Again, *, top: int, distinct: bool, changed_code: bool = False
) -> tuple[Outcome, list[Run]]:
    """Train the best trials from scratch, then test each once. Returns the runs asked for.

    What an earlier retrain of the same trials in the same way has done is not done again. Raises RequestError where
    there is nothing to retrain, or not in this way. changed_code: as in a resume.
    """
    options = options.settled(search.facts)
    own = found_again(search)
    train, validation, trained_on = _images(search, own, how)
    if own:
        survey_of(own)  # test labels are checked before hours of training, not after
    ranked, finals = rank(Record(parse(read(search.ledger))), distinct=distinct), how.finals
    best = ranked[: finals.number if finals else top]
    if not any(winner.state in (State.DONE, State.STOPPED) for winner in best):
        raise RequestError(f"{search.name} has no finished trial to retrain yet; hpsearch status shows how far it is")
    if finals:
        finalists.check(finals, top, ranked)
        fold(train.labels, 1, finals.folds, search.request.seed)  # more folds than there can be are said at once
    configs = {winner.key[0]: _config_of(winner, how) for winner in best}
    costs = {trial: cost_of(config, train) for trial, config in configs.items()}  # and a width that is impossible
    networks = {config.network.name for config in configs.values()}
    own_code.check(search, networks, accept=changed_code)
    here = find_machine(options, networks, search.facts)
    seed, more = search.request.seed, how.with_validation
    judges: list[list[Key]] = []
    wanted: list[Key] = []

    def source(driver: Driver) -> Iterator[Run | None]:
        # All are asked before the first is trained, so that a resumed retrain knows them.
        winners = [winner.key[0] for winner in best]
        if finals:
            for each in best:
                config = finals.config_of(each, how.patience)
                judges.append(finalists.ask_for(driver, seed, finals, each, config, cost_of(config, train), more))
            yield from driver.unfinished([driver.record.runs[key] for keys in judges for key in keys])
            while driver.num_handed_out:
                yield None
            chosen = finalists.choose(
                search.folder, driver.record, judges, top=top, images=len(train), metric=search.request.metric
            )
            if not any(chosen.same_as(last) for last in driver.record.choices[-1:]):
                driver.append(chosen)
            winners = chosen.trials
        for trial in winners:
            run = driver.record.runs[trial, 0]
            config, cost = configs[trial], costs[trial]
            wanted.extend(ask(driver, seed, run, config, cost, number=how.repeats, with_validation=more))
        yield from driver.unfinished([driver.record.runs[key] for key in wanted])

    def retrains(record: Record) -> list[Run]:
        return [record.runs[key] for key in wanted]

    errand = Errand(
        what="retrain",
        title=_title(how, len(best), top, trained_on),
        runs=lambda record: [record.runs[key] for keys in judges for key in keys] + retrains(record),
        total=(len(best) * finals.folds if finals else 0) + min(top, len(best)) * how.repeats,
        source=source,
        scheduler=make_scheduler("none", max_t=how.epochs, samples=len(best)),
        train=train,
        validation=validation,
        after=lambda driver, progress: _test(driver, search, retrains(driver.record), here, progress, how.flips),
    )
    outcome = run(search, here, options, errand)
    return outcome, retrains(outcome.record)


def _title(how: Again, num_best: int, top: int, trained_on: str) -> str:
    """What a retrain does, in one line."""
    winners = readable.count(min(top, num_best), "winner")
    final = f"{winners} × {how.repeats} for {readable.count(how.epochs, 'epoch')} on {trained_on}"
    if how.finals is None:
        return final
    return f"{readable.count(num_best, 'finalist')} × {how.finals.folds} folds of the images, then {final}"


def _images(search: Search, own: Own | None, how: Again) -> tuple[Images, Images | None, str]:
    """The images to train on, those to stop early by, and the former in words."""
    if how.patience is not None and how.with_validation:
        raise RequestError(
            "--patience compares epochs on the validation images and --with-validation trains on them; give one"
        )
    images = unchanged_images(search, own)
    if how.patience is not None:
        given = unchanged_validation(search, own)
        problem = Problem(search.request, Space(search.request.space), images, given)
        return problem.train, problem.validation, f"{len(problem.train):,} images, without those for validation"
    if how.with_validation:
        given = unchanged_validation(search, own)
        if given is None:
            raise RequestError(
                f"--with-validation adds a dataset's own validation images, and {search.name} has none: it held out "
                "a share of train, which a retrain uses anyway; leave --with-validation out"
            )
        both = images.and_also(given)
        return both, None, f"all {len(both):,} images, {len(given):,} of them its validation images"
    if "validation_fingerprint" in search.facts["data"]:
        number = search.facts["data"]["num_validation"]
        without = f"without the {number:,} validation images (see --with-validation)"
        return images, None, f"all {len(images):,} images of train, {without}"
    return images, None, f"all {len(images):,} images"


def _config_of(winner: Run, how: Again) -> Config:
    """A winner's configuration as it is trained again; its own patience is for the search."""
    config = widened(Config.from_json(winner.config), how.width)
    return config.with_training(epochs=how.epochs, patience=how.patience)


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
        correct, balanced = test_pass(network, folder, resident, here.precision, flips=flips)
        driver.append(
            Tested(
                trial=trial,
                repeat=repeat,
                correct=correct,
                balanced_accuracy=balanced,
                images=len(test),
                fingerprint=digest,
                flips=flips or None,
            )
        )
