"""Retrain: trains the winners from scratch on all training images, with one test pass each."""

from collections.abc import Iterator, Sequence

from search.forecast.calibration import Calibration, Speeds
from search.history.card import write_card
from search.history.load import Loaded
from search.history.record import Key, Record, Run
from search.history.store import Search
from search.run import finalists, students
from search.run.driver import Driver
from search.run.order import longest_first
from search.run.problem import cost_of
from search.run.progress import Progress, headlines
from search.run.repeats import Way, ask
from search.run.retrain_plan import Again, Retraining, prepare
from search.run.session import Errand, Options, Outcome, finished_before, run
from search.run.testing import test_all, untested
from search.schedulers.scheduler import make_scheduler
from search.storage import note


def retrain(
    search: Search, options: Options, how: Again, *, top: int, distinct: bool, changed_code: bool = False
) -> tuple[Outcome, list[Run]]:
    """Train the best trials from scratch, then test each once. Returns the runs asked for.

    Runs that an earlier retrain has trained in the same way are not trained again. If nothing is left to do, nothing is
    recorded. Raises what `prepare` raises.
    """
    options = options.settled(search.facts)
    planned = prepare(search, options, how, top=top, distinct=distinct, changed_code=changed_code)
    train, here, finals, best = planned.train, planned.here, how.finals, planned.best
    seed, more = search.request.seed, how.with_validation
    done = planned.trained()
    if done is not None and not options.follow and _is_done(planned, [planned.record.runs[key] for key in done]):
        outcome = finished_before(search, planned.record, is_retrain=True)
        return outcome, _with_cards(search, outcome.record, done)
    judges: list[list[Key]] = []
    wanted: list[Key] = []

    def source(driver: Driver) -> Iterator[Run | None]:
        def left(keys: Sequence[Key]) -> list[Run]:
            return longest_first(driver.record, driver.unfinished([driver.record.runs[key] for key in keys]))

        # All runs are recorded as asked for before the first is trained, so that a resumed retrain knows them.
        winners = [winner.key[0] for winner in best]
        if finals:
            for each in best:
                way = Way(config=finals.config_of(each, how.patience), with_validation=more, folds=finals.folds)
                judges.append(finalists.ask_for(driver, seed, each.key[0], way, cost_of(way.config, train)))
            yield from left([key for keys in judges for key in keys])
            while driver.num_handed_out:
                yield None
            chosen = planned.choose(driver.record, judges)
            if not any(chosen.same_as(last) for last in driver.record.choices[-1:]):
                driver.append(chosen)
            winners = chosen.trials
        for trial in winners:
            way = Way(config=planned.configs[trial], with_validation=more)
            wanted.extend(ask(driver, seed, trial, way, cost_of(way.config, train), number=how.repeats))
        yield from left(wanted)
        if how.students:
            while driver.num_handed_out:
                yield None
            taught = students.ask_for(
                driver,
                seed,
                wanted,
                how.students,
                planned.student_configs,
                train,
                repeats=how.repeats,
                with_validation=more,
            )
            wanted.extend(taught)
            yield from left(taught)

    def retrains(record: Record) -> list[Run]:
        return [record.runs[key] for key in wanted]

    waiting, known = planned.waiting, planned.recorded()
    num_winners = min(top, len(best))
    num_students = min(how.students, num_winners)

    def calibration(progress: Progress) -> Calibration | None:
        def hear(speeds: Speeds) -> None:
            for line in headlines(planned.forecast(speeds)) if speeds else ():
                progress.say(line)

        return Calibration(waiting, here.slots, hear) if waiting and known is None else None

    def after(driver: Driver, progress: Progress) -> None:
        test_all(driver, search, retrains(driver.record), here, progress, flips=how.flips)
        _with_cards(search, driver.record, wanted)

    errand = Errand(
        what="retrain",
        title=planned.title,
        notes=(*planned.notes, *(headlines(planned.forecast(known)) if waiting and known is not None else ())),
        runs=lambda record: [record.runs[key] for keys in judges for key in keys] + retrains(record),
        total=(len(best) * finals.folds if finals else 0) + (num_winners + num_students) * how.repeats,
        source=source,
        scheduler=make_scheduler("none", max_t=how.epochs, samples=len(best)),
        train=train,
        validation=planned.validation,
        calibration=calibration,
        after=after,
    )
    outcome = run(search, here, options, errand)
    return outcome, retrains(outcome.record)


def _with_cards(search: Search, record: Record, keys: Sequence[Key]) -> list[Run]:
    """The runs, whose networks then have their model cards."""
    runs = [record.runs[key] for key in keys]
    for each in runs:
        if each.test is not None and each.retrained:  # no longer so if its network is damaged
            write_card(Loaded(search, record, running=True), each)
    return runs


def _is_done(planned: Retraining, runs: list[Run]) -> bool:
    """Whether a retrain has nothing left to test or to record either. runs: its winners and students, all trained."""
    search, record = planned.search, planned.record
    last = [session for session in record.sessions if session.is_retrain][-1:]
    if not last or last[0].reason != "finished" or note.location_of(search.folder) is not None:
        return False
    if planned.how.finals:
        chosen = planned.choose(record, planned.judges())
        if not any(chosen.same_as(each) for each in record.choices[-1:]):
            return False
    return not untested(search, runs, flips=planned.how.flips)
