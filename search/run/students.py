"""Students: winners that are trained once more, on what all winners say instead of on the labels."""

from collections.abc import Mapping, Sequence

from search.history.record import Key, Record
from search.run.driver import Driver
from search.run.problem import cost_of
from search.run.repeats import Way, ask
from trainables.config import Config
from trainables.data.images import Images


def teachers(record: Record, winners: Sequence[Key]) -> list[Key]:
    """The winners' runs that can teach: those that were trained to their end."""
    return [key for key in winners if record.runs[key].retrained]


def taught(teachers: Sequence[Key], number: int) -> list[int]:
    """The trials of the students: the first `number` of those that teach."""
    return list(dict.fromkeys(trial for trial, _ in teachers))[:number]


def ask_for(
    driver: Driver,
    seed: int,
    winners: Sequence[Key],
    number: int,
    configs: Mapping[int, Config],
    images: Images,
    *,
    repeats: int,
    with_validation: bool,
) -> list[Key]:
    """The runs of the students, `repeats` of each; none if no winner was trained to its end.

    seed: the search's. winners: all runs of theirs, in order. configs: the students', by trial. images: to train on.
    """
    who = teachers(driver.record, winners)
    keys: list[Key] = []
    for trial in taught(who, number):
        way = Way(config=configs[trial], with_validation=with_validation, teachers=tuple(who))
        keys += ask(driver, seed, trial, way, cost_of(way.config, images), number=repeats)
    return keys
