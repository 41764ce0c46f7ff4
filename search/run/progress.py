"""What is going on: a live view on a terminal, and in a log one line an epoch at most."""

import time
from collections import Counter
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from search.forecast.forecast import Forecast
from search.history.events import FINAL, Decision, Ended, Event, Measured, State
from search.history.metric import BALANCED
from search.history.record import Record, Run, rank
from search.readable import between, brief, duration, epochs, percent
from search.run.driver import Driver


class Progress:
    """Shows a session; use as a context manager. `total` runs are to be trained, those already ended included."""

    def __init__(self, what: str, runs: Callable[[Record], list[Run]], total: int | None, slots: int) -> None:
        self._what, self._runs, self._total, self._slots = what, runs, total, slots
        self._began = time.time()
        self._driver: Driver | None = None
        self._epochs_ended = 0
        self._console = Console(stderr=True, markup=False)
        self._live = (
            Live(console=self._console, auto_refresh=False, transient=True) if self._console.is_terminal else None
        )
        self._shown = 0.0

    def attach(self, driver: Driver) -> None:
        """Show this driver's record."""
        self._driver = driver

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        """Print a line above the view."""
        self._console.print(line, highlight=False, soft_wrap=True)

    def hear(self, event: Event) -> None:
        """A new event: a line for whatever goes wrong with a trial, and in a log one for each measurement."""
        if not self._driver or not isinstance(event, Measured | Ended):
            return
        run = self._driver.record.runs[event.trial, event.repeat]
        name = f"{self._what} {'-'.join(map(str, run.key)) if run.key[1] else run.key[0]}: {describe(run)}"
        if run.state in (State.FAILED, State.DIVERGED, State.INFEASIBLE):
            self.say(f"{name}, {run.state}: {run.reason}")
            return
        if isinstance(event, Ended):
            self.say(f"{name}, to be tried again: {run.reason}")
            return
        if event.trouble:
            self.say(f"{name}, {event.trouble}")
        if self._live:
            return
        measured = f"train {percent(event.train_accuracy)}" if event.value is None else _value(event)
        stop = {Decision.STOP: ", stopped", Decision.PAUSE: ", paused"}.get(event.decision, "")
        reached = f"{epochs(event.epoch)}/{run.config['training']['epochs']}"
        self.say(f"{name}, epoch {reached}, {measured}{stop}")

    def refresh(self) -> None:
        """Redraw, at most four times a second."""
        if self._live and self._driver and time.time() - self._shown > 0.25:
            self._live.update(self._view(self._driver), refresh=True)
            self._shown = time.time()

    def _view(self, driver: Driver) -> Group:
        runs = self._runs(driver.record)
        states = Counter(run.state for run in runs)
        ended = sum(states[state] for state in FINAL)
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("slot", self._what, "configuration", "epoch", "val", "train", "images/s"):
            table.add_column(column, justify="left" if column == "configuration" else "right")
        for slot, key in enumerate(sorted(driver.active), 1):
            run = driver.record.runs[key]
            last = run.measurements[-1] if run.measurements else None
            table.add_row(
                str(slot),
                f"{key[0]}-{key[1]}" if key[1] else str(key[0]),
                describe(run),
                f"{epochs(last.epoch if last else 0)}/{run.config['training']['epochs']}",
                percent(last.value if last else None),
                percent(last.train_accuracy if last else None),
                f"{last.images_per_second or 0:,.0f}" if last else "",
            )
        counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        summary = f"{ended}/{self._total if self._total is not None else '?'} ended: {counts}"
        best = next(iter(rank(driver.record)), None)
        if best and best.best and self._what == "trial":
            summary += f"; best {_value(best.best)} (trial {best.key[0]}, {describe(best)})"
        elapsed = time.time() - self._began
        times = f"{duration(elapsed)} so far"
        if left := self._time_left(runs, elapsed):
            times += f", about {duration(left)} left"
        return Group(table, Text(summary), Text(times))

    def _time_left(self, runs: list[Run], elapsed: float) -> float | None:
        """Seconds, from the mean training time of the trials that ended; None before there are enough.

        None too where trials pause, as most of them then stay so.
        """
        if self._driver and self._driver.scheduler.pauses:
            return None
        ended = [run.seconds for run in runs if run.state in FINAL]
        if self._total is None or len(ended) < max(3, self._slots) or elapsed <= 0:
            return None
        spent = sum(run.seconds for run in runs if run.state not in FINAL)
        remaining = (self._total - len(ended)) * sum(ended) / len(ended)
        return max(0.0, remaining - spent) / self._slots


def headlines(found: Forecast) -> tuple[str, str]:
    """A forecast in two lines, with its 10 to 90 % range."""
    in_all, wall = found.epochs, found.seconds
    slowest = max(found.families, key=lambda row: row["seconds_an_epoch"].middle)
    return (
        f"forecast: {between(in_all.low, in_all.middle, in_all.high, 'epoch')} "
        f"in {duration(wall.middle)} ({duration(wall.low)} to {duration(wall.high)})",
        f"          slowest {slowest['network']}, {brief(slowest['seconds_an_epoch'].middle)} an epoch; "
        f"memory up to {found.memory / 2**20:,.0f} MiB, checkpoints {found.disk / 2**20:,.0f} MiB"
        + "".join(f"; {warning}" for warning in found.warnings),
    )


def _value(event: Measured) -> str:
    return f"{'val balanced' if event.metric == BALANCED else 'val'} {percent(event.value)}"


def describe(run: Run) -> str:
    """A configuration in a few words."""
    optimizer = run.config["optimizer"]
    fold = f", fold {run.asked.fold} of {run.asked.folds}" if run.asked.fold else ""
    return f"{run.network}, {optimizer['name']} {optimizer['lr']:.2g}{fold}"
