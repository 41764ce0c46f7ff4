"""A retrain before it begins: how winners are trained again, the checks, and the expected cost."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from search import readable
from search.forecast.calibration import Speeds, calibrate
from search.forecast.forecast import Forecast
from search.history.events import FINAL, Chosen
from search.history.ledger import is_open
from search.history.load import record_of
from search.history.pareto import KNEE, front, knee
from search.history.record import Key, Record, Run, rank, state_of
from search.history.store import Search
from search.machines.machine import Machine
from search.run import finalists, own_code, students
from search.run.finalists import Finals
from search.run.images import found_again, unchanged_images, unchanged_validation
from search.run.order import measured_speed
from search.run.problem import Problem, RequestError, cost_of
from search.run.repeats import Way
from search.run.retrain_cost import Lot, forecast_of, lot_of
from search.run.session import Options, find_machine
from search.run.widen import widened
from search.spaces import Space
from trainables.config import Config
from trainables.data.find import survey_of
from trainables.data.images import Images
from trainables.data.own import Own
from trainables.data.split import fold
from trainables.fits import check_training


@dataclass(frozen=True, kw_only=True)
class Again:
    """How winners are trained again, and tested."""

    epochs: int
    """Epochs, also the horizon of a schedule."""
    repeats: int = 1
    """Seeds for each winner."""
    width: float = 1.0
    """A factor on each network's width."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of each configuration's training, and their values."""
    patience: int | None = None
    """Epochs without a better value of the metric after which a training ends; its best epoch is tested. Only the
    search's training images are then trained on."""
    with_validation: bool = False
    """Whether the dataset's own validation images are trained on too."""
    flips: bool = False
    """Whether each test image is also classified mirrored."""
    trials: tuple[int | str, ...] = ()
    """The trials to train again, by number or `KNEE`; empty for the best of the search."""
    students: int = 0
    """How many winners are then trained once more, taught by all winners."""
    student_width: float | None = None
    """A factor on the width of the students' networks in the search; None for that of the winners."""
    finals: Finals | None = None
    """How winners are chosen among more finalists; None for the best of the search."""


@dataclass(frozen=True, kw_only=True)
class Retraining:
    """A retrain that can begin: everything is checked, and nothing is recorded yet."""

    search: Search
    """The search."""
    how: Again
    """How its winners are trained again."""
    top: int
    """How many winners, at most."""
    record: Record
    """The record before the retrain."""
    best: list[Run]
    """The winners, or the finalists that they are chosen from, in the search's ranking."""
    configs: dict[int, Config]
    """The configurations that they are retrained with, by trial."""
    student_configs: dict[int, Config]
    """The configurations of their students, by trial."""
    train: Images
    """The images to train on."""
    validation: Images | None
    """The images for early stopping."""
    title: str
    """What it does, in one line."""
    here: Machine
    """Where it runs."""

    @cached_property
    def lots(self) -> tuple[list[Lot], list[Lot], list[Lot]]:
        """What is left to train, for the forecast: finalists on folds, all possible winners, and their students."""
        how, finals, number = self.how, self.how.finals, len(self.train)
        judged: list[Lot] = []
        for each in self.best if finals else ():
            assert finals is not None
            config, part = finals.config_of(each, how.patience), number // finals.folds
            judged.append(
                lot_of(
                    self.record,
                    each.key[0],
                    Way(config=config, with_validation=how.with_validation, folds=finals.folds),
                    cost_of(config, self.train),
                    images=(number - part, part),
                )
            )
        trials = list(self.configs)
        if judged and not any(lot.left for lot in judged):  # then the winners are known
            trials = finalists.best_of({lot.trial: lot.runs for lot in judged}, self.top)
        winners = [self._lot(trial, self.configs[trial]) for trial in trials]
        return judged, winners, self._students(winners) if how.students else []

    def _students(self, winners: Sequence[Lot]) -> list[Lot]:
        """What could be left of each winner's students, in their order; only the first ones are trained."""
        if any(lot.left for lot in winners):  # then the teachers are not known, and no student of theirs has begun
            lots = [self._lot(lot.trial, self.student_configs[lot.trial]) for lot in winners]
            whole = [[float(lot.config.training.epochs or 0)] * self.how.repeats for lot in lots]
            return [replace(lot, what="student", runs=(), left=left) for lot, left in zip(lots, whole, strict=True)]
        teachers = students.teachers(self.record, [run.key for lot in winners for run in lot.runs])
        trials = set(students.taught(teachers, self.how.students))
        lots = [self._lot(lot.trial, self.student_configs[lot.trial], teachers) for lot in winners]
        return [replace(lot, what="student", left=lot.left if lot.trial in trials else ()) for lot in lots]

    def _lot(self, trial: int, config: Config, teachers: Sequence[Key] = ()) -> Lot:
        return lot_of(
            self.record,
            trial,
            Way(config=config, with_validation=self.how.with_validation, teachers=tuple(teachers)),
            cost_of(config, self.train),
            images=(len(self.train), len(self.validation) if self.validation else 0),
            repeats=self.how.repeats,
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """A note if the search is unfinished."""
        name, trials = self.search.name, self.record.trials
        samples, ended = self.record.samples or self.search.request.samples, sum(run.state in FINAL for run in trials)
        if self.record.finished or ended >= samples:
            return ()
        again = readable.command_line("resume", name, self.search.folder.parent)
        return (
            f"note: the search is unfinished: {ended} of {readable.count(samples, 'trial')} have ended, and the others "
            f"may be better ({again} continues it)",
        )

    def trained(self) -> list[Key] | None:
        """The runs of the winners and their students, in their order; None if something is left to train."""
        judged, winners, taught = self.lots
        runs = [run for lot in (*judged, *winners) for run in lot.runs]
        if any(lot.left for lot in (*judged, *winners, *taught)) or any(run.state not in FINAL for run in runs):
            return None
        keys = [run.key for lot in winners for run in lot.runs]
        teachers = students.teachers(self.record, keys)
        pupils = {lot.trial: lot.runs for lot in taught}
        keys += [run.key for trial in students.taught(teachers, self.how.students) for run in pupils[trial]]
        return keys if all(self.record.runs[key].state in FINAL for key in keys) else None

    def judges(self) -> list[list[Key]]:
        """Each finalist's runs on folds so far, in the search's ranking."""
        return [[run.key for run in lot.runs] for lot in self.lots[0]]

    def choose(self, record: Record, judges: Sequence[Sequence[Key]]) -> Chosen:
        """The winners among the finalists. judges: each finalist's runs by fold, all of which have ended."""
        return finalists.choose(
            self.search.folder,
            record,
            judges,
            top=self.top,
            images=len(self.train),
            metric=self.search.request.metric,
        )

    @property
    def waiting(self) -> list[Config]:
        """The configurations of `lots`, in their order; empty when nothing is left to train."""
        lots = [lot for part in self.lots for lot in part]
        return [lot.config for lot in lots] if any(lot.left for lot in lots) else []

    def recorded(self) -> Speeds | None:
        """The speeds of `waiting` that the search has measured; None if it trained elsewhere or differently."""
        facts, here = self.search.facts, self.here
        ours = (here.slots, here.threads, here.precision, here.address, socket.gethostname())
        theirs = (*map(facts.get, ("slots", "threads", "precision")), None, facts.get("machine", {}).get("host"))
        how = self.how
        widths = {how.width, how.student_width or 1.0, how.finals.width if how.finals else 1.0}
        if ours != theirs or widths != {1.0}:
            return None
        # A session that continued the search may have run on another machine or device than its launch.
        searched = [session.opened for session in self.record.sessions if session.opened.samples is not None]
        if any(opened.device != here.device for opened in searched):
            return None
        found: Speeds = {}
        for place, lot in enumerate(lot for part in self.lots for lot in part):
            run = self.record.runs[lot.trial, 0]
            speed = measured_speed(run, facts["data"]["num_train"])
            if speed is None or any(each.host != socket.gethostname() for each in run.measurements):
                return None
            found[place] = speed
        return found

    def forecast(self, speeds: Speeds) -> Forecast:
        """The forecast of what is left. speeds: of `waiting`."""
        return forecast_of(*self.lots, self.top, self.how.students, speeds, self.here, self.search.folder)


def prepare(
    search: Search, options: Options, how: Again, *, top: int, distinct: bool, changed_code: bool = False
) -> Retraining:
    """Check a retrain of the best trials. Raises RequestError if nothing can be retrained, or not in this way.

    changed_code: as in a resume.
    """
    own = found_again(search)
    train, validation, trained_on = _images(search, own, how)
    if own:
        survey_of(own)  # test labels are checked before hours of training, not after
    record, finals = record_of(search), how.finals
    ranked = rank(record, distinct=distinct)
    best = _named(search, record, how.trials) if how.trials else ranked[: finals.number if finals else top]
    if not how.trials:
        _check_ended(search, record)
    if finals:
        finalists.check(finals, top, ranked)
        fold(train.labels, 1, finals.folds, search.request.seed)  # too many folds raise an error now
    configs = {winner.key[0]: _config_of(winner, how) for winner in best}
    taught = configs
    if how.students and how.student_width is not None:
        of_students = replace(how, width=how.student_width)
        taught = {winner.key[0]: _config_of(winner, of_students, "--student-width") for winner in best}
    judged = [finals.config_of(each, how.patience) for each in best] if finals else []
    for config in (*configs.values(), *taught.values(), *judged):
        cost_of(config, train)  # so does an impossible width
        check_training(config, train.shape, len(train.classes))
    networks = {config.network.name for config in configs.values()}
    own_code.check(search, networks, accept=changed_code)
    return Retraining(
        search=search,
        how=how,
        top=top,
        record=record,
        best=best,
        configs=configs,
        student_configs=taught,
        train=train,
        validation=validation,
        title=_title(how, best, top, trained_on),
        here=find_machine(options, networks, search.facts),
    )


def _check_ended(search: Search, record: Record) -> None:
    """Raise RequestError if there is no trial to retrain, or none of an unfinished search has ended."""
    measured = rank(record)
    if measured and (record.finished or any(run.state in FINAL for run in measured)):
        return
    if is_open(search.ledger):
        raise RequestError(
            f"{search.name} is running in another process: retrain its winners once it has ended; hpsearch status "
            "shows how far it is"
        )
    if record.finished:
        raise RequestError(f"{search.name} has no trial to retrain: none of them has a value; see hpsearch status")
    again = readable.command_line("resume", search.name, search.folder.parent)
    raise RequestError(
        f"{search.name} has no finished trial to retrain yet (see hpsearch status): {again} first, or name a trial "
        "with --trial"
    )


def _named(search: Search, record: Record, trials: Sequence[int | str]) -> list[Run]:
    """The trials with these numbers, in their order."""
    measured = {run.key[0]: run for run in rank(record)}
    numbers = [knee_of(search, list(measured.values())) if each == KNEE else int(each) for each in trials]
    for number in numbers:
        if number not in measured:
            found = record.runs.get((number, 0))
            known = f"it has 0 to {len(record.trials) - 1}"
            if found is not None:
                known = f"it is {state_of(found, is_open(search.ledger)).value}"
            raise RequestError(f"{search.name} has no measured trial {number} ({known}); see hpsearch top --all")
    return [measured[number] for number in dict.fromkeys(numbers)]


def dry_run(
    search: Search,
    options: Options,
    how: Again,
    *,
    top: int,
    distinct: bool,
    changed_code: bool = False,
    say: Callable[[str], object] = lambda _: None,
    announce: Callable[[str], object] = lambda _: None,
) -> tuple[str, Forecast | None]:
    """What a retrain would do, in one line, and its forecast; nothing is recorded. It may measure a few steps now.

    The forecast is None when nothing is left to train. say: gets the notes that the retrain would print. announce: see
    `calibrate`. Raises what `prepare` raises.
    """
    options = options.settled(search.facts)
    planned = prepare(search, options, how, top=top, distinct=distinct, changed_code=changed_code)
    for note in planned.notes if planned.waiting else ():
        say(note)
    if not planned.waiting:
        return planned.title, None
    speeds = planned.recorded() or calibrate(planned.waiting, planned.train, planned.here, announce)
    return planned.title, planned.forecast(speeds)


def knee_of(search: Search, measured: Sequence[Run]) -> int:
    """The trial that is the knee by the search's own costs, else by parameters; raises RequestError without a knee."""
    costs = search.request.costs or ("parameters",)
    best = knee(front(measured, costs), costs)
    if best is None:
        raise RequestError(f"{search.name} has no knee, as its Pareto front has fewer than three trials; name a trial")
    return best.key[0]


def _title(how: Again, best: Sequence[Run], top: int, trained_on: str) -> str:
    """What a retrain does, in one line."""
    winners = readable.count(min(top, len(best)), "winner")
    if how.trials:
        winners += f" (trial {' and '.join(str(run.key[0]) for run in best)})"
    runs = readable.count(how.repeats, "run") + (" each" if min(top, len(best)) > 1 else "")
    final = f"{winners}, {runs}, {readable.count(how.epochs, 'epoch')}, on {trained_on}"
    if how.students:
        final += f", then {readable.count(min(how.students, top, len(best)) * how.repeats, 'student')}"
    if how.finals is None:
        return final
    finalists = readable.count(len(best), "finalist") + (", each" if len(best) > 1 else "")
    return f"{finalists} on {how.finals.folds} folds of the images, then {final}"


def _images(search: Search, own: Own | None, how: Again) -> tuple[Images, Images | None, str]:
    """The images to train on, those for early stopping, and a description of the former."""
    if how.patience is not None and how.with_validation:
        raise RequestError(
            "--patience compares epochs on the validation images and --with-validation trains on them; give one"
        )
    images = unchanged_images(search, own)
    if how.patience is not None:
        given = unchanged_validation(search, own)
        problem = Problem(search.request, Space(search.request.space), images, given)
        trained_on = f"{len(problem.train):,} training images, without those for validation"
        return problem.train, problem.validation, trained_on
    if how.with_validation:
        given = unchanged_validation(search, own)
        if given is None:
            raise RequestError(
                f"--with-validation adds a dataset's own validation images, and {search.name} has none: it held out "
                "a share of train, which a retrain uses anyway; leave --with-validation out"
            )
        both = images.and_also(given)
        return both, None, f"all {len(both):,} images, {len(given):,} of them the dataset's own validation images"
    if "validation_fingerprint" in search.facts["data"]:
        number = search.facts["data"]["num_validation"]
        without = f"without the {number:,} validation images (see --with-validation)"
        return images, None, f"all {len(images):,} training images, {without}"
    return images, None, f"all {len(images):,} training images"


def _config_of(winner: Run, how: Again, option: str = "--width") -> Config:
    """A winner's configuration for its retrain; its own patience applies only in the search."""
    config = widened(Config.from_json(winner.config), how.width, option)
    return config.with_training(**how.training, epochs=how.epochs, patience=how.patience)
