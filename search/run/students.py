"""Students: winners that are trained once more, on what all winners say instead of on the labels."""

from collections.abc import Mapping, Sequence

from architectures.cost import Cost
from search.history.record import Key, Record
from search.run.asking import ask
from search.run.driver import Driver
from trainables.config import Config


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
    costs: Mapping[int, Cost],
    *,
    repeats: int,
    with_validation: bool,
) -> list[Key]:
    """The runs of the students, `repeats` of each; none if no winner was trained to its end.

    seed: the search's. winners: all runs of theirs, in order. configs, costs: with which they were trained, by trial.
    """
    who, keys = teachers(driver.record, winners), []
    for trial in taught(who, number):
        run, config, cost = driver.record.runs[trial, 0], configs[trial], costs[trial]
        keys += ask(driver, seed, run, config, cost, number=repeats, with_validation=with_validation, teachers=who)
    return keys
