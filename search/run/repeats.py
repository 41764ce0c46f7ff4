"""Runs of a trial after the search's own: existing ones that are trained in the same way, and new ones."""

from dataclasses import dataclass
from itertools import count

from architectures.cost import Cost
from search.history.events import Asked
from search.history.record import Key, Record, Run
from search.run.driver import Driver
from search.samplers.sampler import derive_seed
from trainables.config import Config


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a trial is trained again; runs of a trial that are trained in the same way differ only in their seeds."""

    config: Config
    """The configuration that is trained."""
    with_validation: bool = False
    """Whether a dataset's own validation images are trained on too."""
    fold: int | None = None
    """The part of the images that is left out, from 1; None for all images."""
    folds: int | None = None
    """How many such parts there are."""
    teachers: tuple[Key, ...] = ()
    """The runs whose answers are learnt instead of the labels."""


def way_of(run: Run) -> Way:
    """How a run is trained."""
    asked = run.asked
    return Way(
        config=Config.from_json(asked.config),
        with_validation=bool(asked.with_validation),
        fold=asked.fold,
        folds=asked.folds,
        teachers=run.teachers,
    )


def ask(driver: Driver, seed: int, trial: int, way: Way, cost: Cost, *, number: int = 1) -> list[Key]:
    """The keys of `number` runs of a trial; those that no earlier command has asked for are recorded now.

    seed: the search's. cost: of the network.
    """
    same = [run.key for run in alike(driver.record, trial, way)][:number]
    free = count(max((repeat for other, repeat in driver.record.runs if other == trial), default=0) + 1)
    for repeat, _ in zip(free, range(number - len(same)), strict=False):
        driver.append(
            Asked(
                trial=trial,
                repeat=repeat,
                config=way.config.to_json(),
                params={},
                distributions={},
                redrawn=0,
                parameters=cost.parameters,
                flops=cost.flops,
                seed=derive_seed(seed, trial, repeat),
                with_validation=way.with_validation or None,
                fold=way.fold,
                folds=way.folds,
                teachers=list(map(list, way.teachers)) or None,
            )
        )
        same.append((trial, repeat))
    return same


def alike(record: Record, trial: int, way: Way) -> list[Run]:
    """The trial's runs after the search's own that earlier commands have asked for in this way, oldest first."""
    mine = (run for run in record.runs.values() if run.key[0] == trial and run.key[1])
    return sorted((run for run in mine if way_of(run) == way), key=lambda run: run.key)
