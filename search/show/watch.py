"""A running search watched from another terminal: its ledger is read as it grows."""

import time
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.live import Live

from search.history import store
from search.history.events import FINAL, Ended, Measured
from search.history.follower import Change, Follower
from search.history.record import Record
from search.history.store import Search
from search.readable import percent
from search.schedulers.scheduler import SchedulerError, scheduler_of
from search.show.live import Best, Scene, measurement, mishap, picture, retrained_since

POLL_SECONDS = 1.0


def watch(results: Path, name: str | None) -> str:
    """Show what the session itself shows, until no process works on the search; returns the search's name.

    If standard output is no terminal, print a line for each new measurement instead. Raises StoreError or LedgerError.
    """
    console = Console(highlight=False, markup=False)
    search, best = store.find(results, name), Best()
    live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
    with Follower(search.ledger) as follower, live or nullcontext():
        begun = False
        while True:
            change = follower.poll()
            best = Best() if change.anew else best
            for event in change.events:
                best.hear(event)
            if not search.facts.get("forecast"):  # recorded by a launch once its workers have measured it
                search = store.find(results, search.name)
            record = follower.record
            if live and record.sessions and change.running:
                live.update(picture(scene_of(search, record, best)), refresh=True)
            elif live is None and begun:
                for line in _lines(change, record):
                    console.print(line, soft_wrap=True)
            elif live is None and change.running:
                console.print(_headline(search, record, best), soft_wrap=True)
            begun = True
            if not change.running:
                return search.name
            time.sleep(POLL_SECONDS)


def scene_of(search: Search, record: Record, best: Best) -> Scene:
    """What the last session shows while it runs: its trials, or the retrains that it was begun for."""
    session = record.sessions[-1]
    searches = session.opened.samples is not None
    since = session.opened.seq
    runs = record.trials if searches else retrained_since(record, since)
    total = record.samples or search.request.samples
    try:
        scheduler = scheduler_of(search.request, total) if searches else None
    except SchedulerError:  # a scheduler of a newer version
        scheduler = None
    forecast = search.facts.get("forecast") or {}
    return Scene(
        what="trial" if searches else "retrain",
        record=record,
        runs=runs,
        active=[run.key for run in runs if run.state == "running"],
        total=total if searches else len(runs),
        slots=session.opened.slots,
        rungs=scheduler.rungs if scheduler else (),
        pauses=bool(scheduler and scheduler.pauses),
        expected=forecast["epochs"]["middle"] if forecast.get("trials") == total else None,
        best=best,
        elapsed=time.time() - session.opened.time,
    )


def _headline(search: Search, record: Record, best: Best) -> str:
    """How far the search has come when the watching begins."""
    ended = sum(run.state in FINAL for run in record.trials)
    value = f", best {percent(best.values[-1])}" if best.values else ""
    return f"{search.name}: running, {ended} of {record.samples or search.request.samples} trials ended{value}"


def _lines(change: Change, record: Record) -> list[str]:
    """A line for each new measurement, and for what went wrong."""
    lines = []
    for event in change.events:
        if not isinstance(event, Measured | Ended):
            continue
        run, what = record.runs[event.trial, event.repeat], "retrain" if event.repeat else "trial"
        if line := mishap(event, run, what):
            lines.append(line)
        elif isinstance(event, Measured):
            lines.append(measurement(event, run, what))
    return lines
