"""A session at work as a terminal shows it: slots, rungs, the best so far, time left. 80 columns suffice."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.console import Group
from rich.table import Table
from rich.text import Text

from search.history.events import FINAL, Decision, Ended, Event, Measured, State
from search.history.metric import BALANCED
from search.history.record import UNRANKED, Key, Record, Run, rank
from search.history.rungs import has_reached
from search.readable import duration, epochs, percent
from search.show.terminal import Rows

_BARS = "▁▂▃▄▅▆▇█"
_MOST_BARS = 24


class Best:
    """The best value so far, after each measurement of a trial; a trial that diverged does not count any more."""

    def __init__(self) -> None:
        self._heard: list[tuple[int, float]] = []
        self.values: list[float] = []

    def hear(self, event: Event) -> None:
        """Add one more event."""
        if not isinstance(event, Measured | Ended) or event.repeat:
            return
        if event.state in UNRANKED:
            self._heard = [(trial, value) for trial, value in self._heard if trial != event.trial]
            self.values = list(accumulate((value for _, value in self._heard), max))
        elif isinstance(event, Measured) and event.value is not None:
            self._heard.append((event.trial, event.value))
            self.values.append(max([event.value, *self.values[-1:]]))

    @property
    def sparkline(self) -> str:
        """How the best value rose, from the first to the last one: a bar for every few measurements."""
        number = min(_MOST_BARS, len(self.values))
        last = len(self.values) - 1
        picked = [self.values[i * last // max(1, number - 1)] for i in range(number)]
        rise = picked[-1] - picked[0] if picked else 0.0
        return "".join(_BARS[round((value - picked[0]) / rise * (len(_BARS) - 1)) if rise else 0] for value in picked)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is shown of a session."""

    what: str
    """What one of its runs is called: "trial" or "retrain"."""
    record: Record
    """The present record."""
    runs: Sequence[Run]
    """The session's runs."""
    active: Sequence[Key]
    """The runs that are being trained."""
    total: int | None
    """How many runs there will be."""
    slots: int
    """How many runs are trained at a time."""
    rungs: Sequence[float]
    """The rungs of its scheduler, in epochs."""
    pauses: bool
    """Whether its scheduler pauses trials; most of these stay paused."""
    expected: float | None
    """The forecast epochs of all trials together; None if unknown."""
    best: Best
    """The best values so far."""
    elapsed: float
    """Seconds since the session began."""


def picture(scene: Scene) -> Group:
    """The scene, with a row for each slot at work."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("slot", scene.what, "configuration", "epoch", "val", "train", "images/s"):
        table.add_column(column, justify="left" if column == "configuration" else "right")
    for slot, key in enumerate(sorted(scene.active), 1):
        run = scene.record.runs[key]
        last = run.measurements[-1] if run.measurements else None
        table.add_row(
            str(slot),
            f"{key[0]}-{key[1]}" if key[1] else str(key[0]),
            Text(describe(run), no_wrap=True, overflow="ellipsis"),
            f"{epochs(last.epoch if last else 0)}/{run.config['training']['epochs']}",
            percent(last.value if last else None),
            percent(last.train_accuracy if last else None),
            f"{last.images_per_second or 0:,.0f}" if last else "",
        )
    states = Counter(run.state for run in scene.runs)
    counts = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    ended = sum(states[state] for state in FINAL)
    lines = [f"{ended}/{scene.total if scene.total is not None else '?'} ended: {counts}"]
    best = next(iter(rank(scene.record)), None) if scene.what == "trial" else None
    if best and best.best:
        lines.append(f"best {_value(best.best)} (trial {best.key[0]}, {describe(best)})")
        lines.append(f"     {scene.best.sparkline}")
    times = f"{duration(scene.elapsed)} so far"
    if (left := time_left(scene)) is not None:
        times += f", about {duration(left)} left"
    shown = [Text(line, no_wrap=True, overflow="ellipsis") for line in (*lines, times)]
    return Group(table, *_ladder(scene), *shown)


def _ladder(scene: Scene) -> list[Table]:
    """The rungs that trials have reached, one column for each."""
    rows = [row for row in rungs(scene.rungs, scene.record.trials) if row["reached"]]
    if not rows or scene.what != "trial":
        return []
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("epoch")
    for row in rows:
        table.add_column(epochs(row["epoch"]), justify="right")
    for count in ("reached", "stopped", "paused"):
        if any(row[count] for row in rows):
            table.add_row(count, *(str(row[count]) for row in rows))
    return [table]


def rungs(marks: Sequence[float], trials: Sequence[Run]) -> Rows:
    """The rungs, ascending: how many trials reached each, and were stopped or are paused there.

    A trial reaches a rung at the end of a batch, so perhaps a little after it.
    """
    rows: Rows = [{"epoch": mark, "reached": 0, "stopped": 0, "paused": 0} for mark in marks]
    for run in trials:
        reached = [row for row in rows if has_reached(run.epochs, row["epoch"])]
        for row in reached:
            row["reached"] += 1
        if reached and run.state in (State.STOPPED, State.PAUSED):
            reached[-1][run.state] += 1
    return rows


def retrained_since(record: Record, since: int) -> list[Run]:
    """The retrains, finalists' runs included, of the session that began with this line of the ledger."""
    return [
        run
        for run in record.runs.values()
        if run.key[1]
        and (run.state not in FINAL or run.asked.seq > since or any(each.seq > since for each in run.measurements[-1:]))
    ]


def time_left(scene: Scene) -> float | None:
    """Seconds until all runs are trained, at the speed so far; None while that is unknown.

    If trials pause, most stay paused, so the forecast's epochs are used. If none is stopped, each trial trains all its
    own epochs; while finalists are cross-validated, those of the winners are unknown. Otherwise, the mean epochs of the
    trials that have ended are used.
    """
    runs, seconds = scene.runs, sum(run.seconds for run in scene.runs)
    trained = sum(run.epochs for run in runs)
    at_a_time = scene.slots or len(scene.active)  # a cluster whose machines joined later began with no slots
    if not trained or not at_a_time or scene.total is None:
        return None
    if scene.pauses:
        left = scene.expected - trained if scene.expected is not None else None
    elif not scene.rungs:
        horizons = [run.config["training"]["epochs"] for run in runs if run.asked.fold is None]
        if not horizons:
            return None
        unasked = (scene.total - len(runs)) * sum(horizons) / len(horizons)
        left = unasked + sum(run.config["training"]["epochs"] - run.epochs for run in runs if run.state not in FINAL)
    else:
        ended = [run.epochs for run in runs if run.state in FINAL]
        if len(ended) < max(3, at_a_time):
            return None
        begun = sum(run.epochs for run in runs if run.state not in FINAL)
        left = (scene.total - len(ended)) * sum(ended) / len(ended) - begun
    return None if left is None else max(0.0, left) * seconds / trained / at_a_time


# ---- in a log


def mishap(event: Measured | Ended, run: Run, what: str) -> str | None:
    """A line on what went wrong with a run; None if nothing did."""
    if run.state in (State.FAILED, State.DIVERGED, State.INFEASIBLE):
        return f"{_name(run, what)}, {run.state}: {run.reason}"
    if isinstance(event, Ended):
        return f"{_name(run, what)}, to be tried again: {run.reason}"
    return f"{_name(run, what)}, {event.trouble}" if event.trouble else None


def measurement(event: Measured, run: Run, what: str) -> str:
    """A line on a measurement."""
    measured = f"train {percent(event.train_accuracy)}" if event.value is None else _value(event)
    stop = {Decision.STOP: ", stopped", Decision.PAUSE: ", paused"}.get(event.decision, "")
    reached = f"{epochs(event.epoch)}/{run.config['training']['epochs']}"
    return f"{_name(run, what)}, epoch {reached}, {measured}{stop}"


def _name(run: Run, what: str) -> str:
    return f"{what} {'-'.join(map(str, run.key)) if run.key[1] else run.key[0]}: {describe(run)}"


def _value(event: Measured) -> str:
    return f"{'val balanced' if event.metric == BALANCED else 'val'} {percent(event.value)}"


def describe(run: Run) -> str:
    """A configuration in a few words."""
    optimizer = run.config["optimizer"]
    fold = f", fold {run.asked.fold} of {run.asked.folds}" if run.asked.fold else ""
    return f"{run.network}, {optimizer['name']} {optimizer['lr']:.2g}{fold}"
