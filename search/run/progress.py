"""The output of a session: a live view in a terminal, or a log with at most one line per epoch of a run."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from search.forecast.forecast import Forecast
from search.history.events import Ended, Event, Measured, State
from search.history.record import UNRANKED, Record, Run
from search.machines import debugging
from search.readable import between, brief, time_between
from search.run.driver import Driver
from search.show.live import Best, Scene, measurement, mishap, picture


class Progress:
    """Shows a session; use as a context manager. total: the runs to train, including those that have ended."""

    def __init__(
        self, what: str, runs: Callable[[Record], list[Run]], total: int | None, slots: int, *, quiet: bool = False
    ) -> None:
        """quiet: whether only errors are shown."""
        self._what, self._runs, self._total, self._slots, self._quiet = what, runs, total, slots, quiet
        self._began = time.time()
        self._driver: Driver | None = None
        self._best = Best()
        self._expected: float | None = None
        self._console = Console(stderr=True, markup=False)
        # Logs of libraries would break a live view.
        live = self._console.is_terminal and not quiet and not debugging.is_on()
        self._live = Live(console=self._console, auto_refresh=False, transient=True) if live else None
        self._shown = 0.0

    def attach(self, driver: Driver) -> None:
        """Show this driver's record."""
        self._driver = driver
        for event in driver.ledger.events:
            self._best.hear(event)

    def expect(self, epochs: float) -> None:
        """Take the forecast number of epochs of all runs together."""
        self._expected = epochs

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def say(self, line: str) -> None:
        """Print a line above the view."""
        if not self._quiet:
            self.complain(line)

    def complain(self, line: str) -> None:
        """Print a line about an error."""
        self._console.print(line, highlight=False, soft_wrap=True)

    def hear(self, event: Event) -> None:
        """Show a new event: a line if something goes wrong with a trial, and in a log one for each measurement."""
        self._best.hear(event)
        if not self._driver or not isinstance(event, Measured | Ended):
            return
        run = self._driver.record.runs[event.trial, event.repeat]
        if line := mishap(event, run, self._what):
            (self.complain if run.state is State.FAILED else self.say)(line)
        if not self._live and isinstance(event, Measured) and run.state not in UNRANKED:
            self.say(measurement(event, run, self._what))

    def refresh(self) -> None:
        """Redraw, at most four times a second."""
        if self._live and self._driver and time.time() - self._shown > 0.25:
            self._live.update(picture(self._scene(self._driver)), refresh=True)
            self._shown = time.time()

    def _scene(self, driver: Driver) -> Scene:
        return Scene(
            what=self._what,
            record=driver.record,
            runs=self._runs(driver.record),
            active=list(driver.active),
            total=self._total,
            slots=self._slots,
            rungs=driver.scheduler.rungs,
            pauses=driver.scheduler.pauses,
            expected=self._expected,
            best=self._best,
            elapsed=time.time() - self._began,
        )


def headlines(found: Forecast) -> tuple[str, str]:
    """A forecast in two lines, with its 10 to 90 % range."""
    in_all, wall = found.epochs, found.seconds
    slowest = max(found.families, key=lambda row: row["seconds_an_epoch"].middle)
    return (
        f"forecast: {between(in_all.low, in_all.middle, in_all.high, 'epoch')} "
        f"in {time_between(wall.low, wall.middle, wall.high)}",
        f"          slowest {slowest['network']}, {brief(slowest['seconds_an_epoch'].middle)} an epoch; "
        f"memory up to {found.memory / 2**20:,.0f} MiB, checkpoints {found.disk / 2**20:,.0f} MiB"
        + "".join(f"; {warning}" for warning in found.warnings),
    )
