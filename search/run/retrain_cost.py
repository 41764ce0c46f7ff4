"""The cost of a retrain before it begins: its epochs are known, and its times follow from a few measured steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from heapq import heapreplace
from pathlib import Path
from typing import Any

from architectures.cost import Cost
from search.forecast.calibration import Speeds
from search.forecast.forecast import Forecast, Spread, warnings_of
from search.forecast.memory import memory_of, state_bytes
from search.forecast.seconds import times
from search.history.events import State
from search.history.record import Record, Run, in_words
from search.machines.machine import Machine
from search.readable import count, duration
from search.run.repeats import Way, alike
from search.run.run_files import images_of
from trainables.config import Config


@dataclass(frozen=True, kw_only=True)
class Lot:
    """Runs of a trial that differ only in seed or fold: a winner's repeats or students, or a finalist on its folds."""

    trial: int
    """The trial."""
    what: str
    """What its runs are called: "seed", "fold" or "student"."""
    config: Config
    """The configuration that is trained."""
    cost: Cost
    """The cost of its network."""
    runs: Sequence[Run]
    """The runs that exist already."""
    left: Sequence[float]
    """The epochs that each of its runs has left, without runs that need no more training."""
    images: tuple[int, int]
    """How many images a run trains on, and how many it validates on."""


def lot_of(record: Record, trial: int, way: Way, cost: Cost, *, images: tuple[int, int], repeats: int = 1) -> Lot:
    """A trial's runs in a retrain, without the epochs that earlier commands have trained; with folds, one of each."""
    there: list[Run] = []
    left: list[float] = []
    for fold in range(1, way.folds + 1) if way.folds else (None,):
        found = alike(record, trial, replace(way, fold=fold))[:repeats]
        there += found
        left += [_left(run) for run in found] + [float(way.config.training.epochs or 0)] * (repeats - len(found))
    return Lot(
        trial=trial,
        what="fold" if way.folds else "seed",
        config=way.config,
        cost=cost,
        runs=there,
        left=[epochs for epochs in left if epochs],
        images=images,
    )


def _left(run: Run) -> float:
    if run.state in (State.DONE, State.DIVERGED, State.INFEASIBLE):
        return 0.0
    # It continues from its checkpoint, which a failed run no longer has.
    kept = images_of(run.checkpoint) if run.checkpoint and run.state is not State.FAILED else 0
    trained = max((each.epoch for each in run.measurements if each.images <= kept), default=0.0)
    return float(run.config["training"]["epochs"]) - trained


def forecast_of(
    finalists: Sequence[Lot],
    winners: Sequence[Lot],
    students: Sequence[Lot],
    top: int,
    taught: int,
    speeds: Speeds,
    here: Machine,
    folder: Path,
) -> Forecast:
    """The forecast of a retrain.

    finalists: on folds; all are trained before the first winner. winners: all possible ones, in the search's ranking;
    with finalists, `top` of them will be trained. students: of each winner, in the same order; `taught` of them are
    trained, last of all. speeds: of the configurations of `finalists`, `winners` and `students`, by their place in all
    three. Raises CalibrationError if none was measured.
    """
    lots = [*finalists, *winners, *students]
    taken = iter(_seconds(lots, speeds))
    first, then, last = ([next(taken) for _ in part] for part in (finalists, winners, students))
    cost = [sum(each.runs) for each in then]
    ranked = list(range(len(winners)))
    cheapest = sorted(ranked, key=lambda i: cost[i])
    picks = [sorted(each[:top]) for each in (ranked, cheapest, cheapest[::-1])]
    # A winner that diverged teaches nothing, so the students of others are those with something left.
    pupils = [[i for i in pick if students and students[i].left][:taught] for pick in picks]
    after = [
        _taught([then[i] for i in pick], [last[i] for i in chosen]) for pick, chosen in zip(picks, pupils, strict=True)
    ]
    trained = [
        [*(winners[i] for i in pick), *(students[i] for i in chosen)]
        for pick, chosen in zip(picks, pupils, strict=True)
    ]
    epochs = [_epochs(finalists) + _epochs(each) for each in trained]
    walls = [
        _wall(first, here.slots) + _wall([then[i] for i in pick], here.slots) + _wall(later, here.slots)
        for pick, later in zip(picks, after, strict=True)
    ]
    rows = [_row(lot, each) for lot, each in zip([*finalists, *winners], [*first, *then], strict=True) if lot.left]
    rows += [_row(students[i], each) for i, each in zip(pupils[0], after[0], strict=True)]
    memory, disk = (
        max(
            _held(finalists, len(finalists), here.slots, each),
            _held(winners, top, here.slots, each),
            _held(students, taught, here.slots, each),
        )
        for each in (memory_of, state_bytes)
    )
    return Forecast(
        trials=sum(len(lot.left) for lot in (*finalists, *trained[0])),
        families=rows,
        impossible={},
        epochs=Spread(min(epochs), epochs[0], max(epochs)),
        seconds=Spread(min(walls), walls[0], max(walls)),
        memory=memory,
        disk=disk,
        warnings=[*warnings_of(memory, disk, here, folder), *_sooner(lots)],
    )


@dataclass(frozen=True)
class _Taken:
    """The times of a lot."""

    epoch: float
    """Seconds of an epoch."""
    runs: Sequence[float]
    """Seconds that each run has left."""


def _seconds(lots: Sequence[Lot], speeds: Speeds) -> list[_Taken]:
    configs, costs = [lot.config for lot in lots], [lot.cost for lot in lots]
    on = {images: times(configs, costs, speeds, *images) for images in {lot.images for lot in lots}}
    found = []
    for i, lot in enumerate(lots):
        epoch, start = on[lot.images].epochs[i], on[lot.images].starts[i]
        found.append(_Taken(epoch, [start + epochs * epoch for epochs in lot.left]))
    return found


def _taught(teachers: Sequence[_Taken], students: Sequence[_Taken]) -> list[_Taken]:
    """The times of students with those of their teachers' answers: a third of a training, as they have no way back."""
    answers = sum(each.epoch for each in teachers) / 3
    return [
        _Taken(each.epoch + answers, [seconds * (1 + answers / each.epoch) for seconds in each.runs])
        for each in students
    ]


def _wall(taken: Sequence[_Taken], slots: int) -> float:
    """Seconds until all slots are free, if each run begins on the first free one, the longest first."""
    free = [0.0] * slots
    for seconds in sorted((each for one in taken for each in one.runs), reverse=True):
        heapreplace(free, free[0] + seconds)
    return max(free)


def _epochs(lots: Sequence[Lot]) -> float:
    return sum(sum(lot.left) for lot in lots)


def _held(lots: Sequence[Lot], most: int, slots: int, size: Callable[[Config, Cost], int]) -> int:
    """Bytes of the largest runs together, as many as there are slots, of the `most` largest lots."""
    largest = sorted(((size(lot.config, lot.cost), len(lot.left)) for lot in lots), reverse=True)[:most]
    return sum([each for each, runs in largest for _ in range(runs)][:slots])


def _sooner(lots: Sequence[Lot]) -> list[str]:
    if any(lot.config.training.patience is not None for lot in lots):
        return ["runs may end sooner because of --patience"]
    return []


def _row(lot: Lot, taken: _Taken) -> dict[str, Any]:
    def exactly(value: float) -> Spread:
        return Spread(value, value, value)

    return {
        "trial": lot.trial,
        "network": in_words(lot.config.to_json()["network"]),
        "runs": count(len(lot.left), lot.what),
        "parameters": lot.cost.parameters,
        "memory_mib": exactly(memory_of(lot.config, lot.cost) / 2**20),
        "seconds_an_epoch": exactly(taken.epoch),
        "epochs": exactly(sum(lot.left)),
        "time": duration(sum(taken.runs)),
    }
