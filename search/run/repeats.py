"""Runs of a trial after the search's own: existing ones that are trained in the same way, and new ones."""

from collections.abc import Sequence
from itertools import count

from architectures.cost import Cost
from search.history.events import Asked
from search.history.record import Key, Record, Run
from search.run.driver import Driver
from search.samplers.sampler import derive_seed
from trainables.config import Config


def ask(
    driver: Driver,
    seed: int,
    winner: Run,
    config: Config,
    cost: Cost,
    *,
    number: int = 1,
    with_validation: bool = False,
    fold: int | None = None,
    folds: int | None = None,
    teachers: Sequence[Key] = (),
) -> list[Key]:
    """The keys of `number` runs of a trial; those that no earlier command has asked for are recorded now.

    seed: the search's. The other arguments are fields of `Asked`; runs with the same values are alike.
    """
    trial = winner.key[0]
    found = alike(
        driver.record, trial, config, with_validation=with_validation, fold=fold, folds=folds, teachers=teachers
    )
    same = [run.key for run in found][:number]
    free = count(max((repeat for other, repeat in driver.record.runs if other == trial), default=0) + 1)
    for repeat, _ in zip(free, range(number - len(same)), strict=False):
        driver.append(
            Asked(
                trial=trial,
                repeat=repeat,
                config=config.to_json(),
                params={},
                distributions={},
                redrawn=0,
                parameters=cost.parameters,
                flops=cost.flops,
                seed=derive_seed(seed, trial, repeat),
                with_validation=with_validation or None,
                fold=fold,
                folds=folds,
                teachers=list(map(list, teachers)) or None,
            )
        )
        same.append((trial, repeat))
    return same


def alike(
    record: Record,
    trial: int,
    config: Config,
    *,
    with_validation: bool,
    fold: int | None = None,
    folds: int | None = None,
    teachers: Sequence[Key] = (),
) -> list[Run]:
    """The trial's runs after the search's own that earlier commands have asked for in this way, oldest first."""
    wanted = config, with_validation, fold, folds, tuple(teachers)
    mine = (run for run in record.runs.values() if run.key[0] == trial and run.key[1])
    return sorted((run for run in mine if _way_of(run) == wanted), key=lambda run: run.key)


def _way_of(run: Run) -> tuple[object, ...]:
    asked = run.asked
    return Config.from_json(asked.config), bool(asked.with_validation), asked.fold, asked.folds, run.teachers
