"""What a disturbance may cost and what not, from ledgers, tables and files; every function counts, and 0 is right."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from search.history import tables
from search.history.events import FINAL, Asked, Decision, Event, Measured, Started, State
from search.history.record import Key, Record, Run
from search.history.store import Request
from search.schedulers.scheduler import scheduler_of
from trainables.predictions import read_predictions

#: Times, speeds, hosts and attempts may differ; everything else is the same to the bit.
MAY_DIFFER = ["seconds", "images_per_second", "attempt", "host", "pid", "time"]
_CURVE = ("epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "val_balanced_accuracy", "learning_rate")
_ASKED = ("config", "params", "distributions", "redrawn", "parameters", "flops", "seed")

Events = Sequence[Event]


def lost_lines(before: Events, after: Events) -> int:
    """Recorded events that are no longer there, or are others."""
    return sum(ours != theirs for ours, theirs in zip_longest(before, after[: len(before)]))


def finished(events: Events) -> list[Run]:
    """The runs that have ended for good; a failed one gets another attempt."""
    return [run for run in Record(events).runs.values() if run.state in FINAL and run.state is not State.FAILED]


def unfinished(events: Events) -> set[Key]:
    """The runs that had begun and had not ended."""
    return {run.key for run in Record(events).runs.values() if run.attempt and run.state not in FINAL}


def finished_lost(before: Events, after: Events) -> int:
    """Runs that had ended before and that were begun again, or look otherwise now."""
    again = {(e.trial, e.repeat) for e in after[len(before) :] if isinstance(e, Started)}
    now = Record(after).runs
    return sum(
        run.key in again
        or run.key not in now
        or (run.state, run.attempt, run.measurements)
        != (now[run.key].state, now[run.key].attempt, now[run.key].measurements)
        for run in finished(before)
    )


def allowed(before: Events, disturbed: Collection[Key], anew: Collection[Key] = ()) -> int:
    """Measurements that may be made again: a disturbed run's since its last checkpoint, or all where it begins anew."""
    runs = (Record(before).runs[key] for key in disturbed)
    return sum(m.images > (0 if run.key in anew else _kept(run)) for run in runs for m in run.measurements)


def repeated(before: Events, after: Events, key: Key) -> int:
    """A disturbed run's measurements that were made again; after: up to the run's next disturbance."""
    reached = max((m.images for m in Record(before).runs[key].measurements), default=0)
    return sum(
        isinstance(e, Measured) and (e.trial, e.repeat) == key and e.images <= reached for e in after[len(before) :]
    )


def _kept(run: Run) -> int:
    """The images that a run's last recorded checkpoint has seen."""
    return max((m.images for m in run.measurements if m.checkpoint), default=0)


def other_lines(events: Events, undisturbed: Events) -> int:
    """Draws and measurements, of every attempt, that are not those of the undisturbed search; also draws made twice."""
    draws, curves = dict(_asked(undisturbed)), dict(_measured(undisturbed))
    ours = list(_asked(events))
    twice = sum(count - 1 for count in Counter(key for key, _ in ours).values())
    return (
        twice
        + sum(draws.get(key, each) != each for key, each in ours)
        + sum(curves.get(key, each) != each for key, each in _measured(events))
    )


def _asked(events: Events) -> Iterator[tuple[Key, list[object]]]:
    for e in events:
        if isinstance(e, Asked):
            yield (e.trial, e.repeat), [getattr(e, name) for name in _ASKED]


def _measured(events: Events) -> Iterator[tuple[tuple[int, int, int], list[object]]]:
    for e in events:
        if isinstance(e, Measured):
            yield (e.trial, e.repeat, e.images), [getattr(e, name) for name in _CURVE]


def other_cells(events: Events, undisturbed: Events) -> int:
    """Cells of the two tables that differ and must not."""
    ours, theirs = Record(events), Record(undisturbed)
    return _differ(tables.trials(ours, False), tables.trials(theirs, False)) + _differ(
        tables.epochs(ours), tables.epochs(theirs)
    )


def _differ(ours: pd.DataFrame, theirs: pd.DataFrame) -> int:
    ours, theirs = (frame.drop(columns=MAY_DIFFER, errors="ignore") for frame in (ours, theirs))
    if ours.shape != theirs.shape:
        return max(ours.size, theirs.size)
    return int((~((ours == theirs) | (ours.isna() & theirs.isna()))).to_numpy().sum())


def other_decisions(events: Events, request: Request) -> int:
    """Decisions that one scheduler, which had seen all of the ledger without a break, would have made otherwise."""
    scheduler, record, others = scheduler_of(request, request.samples), Record(), 0
    for event in events:
        if not record.apply(event):
            continue
        if isinstance(event, Measured) and not event.repeat and event.decision is not Decision.END:
            decision = scheduler.decide(event)
            others += (decision is Decision.STOP) != (event.decision is Decision.STOP)
        scheduler.hear(event)
    return others


def unended(events: Events, request: Request) -> int:
    """Trials that are not as a finished search leaves them: done at the end or left at a rung, no epoch twice."""
    scheduler = scheduler_of(request, request.samples)
    left = State.PAUSED if scheduler.pauses else State.STOPPED
    record = Record(events)
    wrong = abs(len(record.trials) - (record.samples or 0)) + (record.sessions[-1].reason != "finished")
    for run in record.trials:
        epochs = [m.epoch for m in run.measurements]
        whole = [epoch for epoch in epochs if epoch == int(epoch)]
        ends = {State.DONE: [request.epochs], left: scheduler.rungs}.get(run.state, [])
        wrong += whole != list(range(1, len(whole) + 1)) or not any(_due(end, epochs) for end in ends)
    return wrong


def _due(rung: float, epochs: Sequence[float]) -> bool:
    """Whether the last measurement is the one for this rung: after an epoch, or within one after the batch over it."""
    return epochs[-1:] == [rung] if rung == int(rung) else int(rung) < rung <= max(epochs, default=0) < int(rung) + 1


def stale_tables(folder: Path, events: Events) -> int:
    """Tables on disk that are not those of the ledger."""
    record = Record(events)
    found = {"trials": tables.trials(record, False), "epochs": tables.epochs(record)}
    return sum(not pd.read_parquet(folder / f"{name}.parquet").equals(frame) for name, frame in found.items())


def stray_files(folder: Path) -> list[str]:
    """Files that a finished search must not leave: checkpoints, and what is half written."""
    found = [*(folder / "checkpoints").rglob("*"), *folder.rglob("*.tmp"), *folder.rglob("*.reason")]
    return sorted({str(path.relative_to(folder)) for path in found})


def other_networks(folder: Path, undisturbed: Path) -> int:
    """Retrained networks or their predictions that are not those of the undisturbed retrain."""
    others = 0
    for theirs in sorted((undisturbed / "retrain").iterdir()):
        ours = folder / "retrain" / theirs.name
        for name in ("model.safetensors", "config.json"):
            others += (ours / name).read_bytes() != (theirs / name).read_bytes()
        found = [read_predictions(each) for each in (ours, theirs)]
        others += any((a != b).any() for a, b in zip(found[0][:2], found[1][:2], strict=True))
    return others
