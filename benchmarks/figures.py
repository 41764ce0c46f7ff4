"""Figures of finished searches, from their ledgers alone: how busy the slots were, and how true the forecast was.

A *step* is an epoch's training and validation, from the second at which the worker began it. `busy` is the share of
slots × wall clock inside steps, from the first step until no trial waits, which is the last trial's start (or the last
step, where a session was interrupted); the tail after it is reported apart. A *gap* goes from one trial's last step to
the next one's first in the same worker; making the network of a trial with one epoch counts as gap. Retrains are left
out.

`python benchmarks/figures.py results/SEARCH …` prints a Markdown table, a column a search.
"""

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from common import began, ended, header, table

import search
from search.history import ledger
from search.history.events import Closed, Event, Measured, Opened, Started, parse
from search.readable import duration


@dataclass(frozen=True)
class Session:
    """One process at work on a search: its events, of which there is at least one step."""

    events: list[Event]

    @property
    def opened(self) -> Opened:
        """Its first event."""
        first = self.events[0]
        assert isinstance(first, Opened)
        return first

    @property
    def slots(self) -> int:
        """Trials at a time."""
        return self.opened.slots

    @property
    def seconds(self) -> float:
        """Wall clock from its opening to its last event."""
        return self.events[-1].time - self.opened.time

    @property
    def steps(self) -> list[Measured]:
        """Its measurements, in the order in which they began."""
        return sorted((e for e in self.events if isinstance(e, Measured)), key=began)

    @property
    def first(self) -> float:
        """When its first step began (Unix seconds, as below)."""
        return began(self.steps[0])

    @property
    def last(self) -> float:
        """When its last step ended."""
        return max(ended(step) for step in self.steps)

    @property
    def full(self) -> float:
        """Until when a trial waited for a slot."""
        end = self.events[-1]
        finished = isinstance(end, Closed) and end.reason == "finished"
        return max(e.time for e in self.events if isinstance(e, Started)) if finished else self.last

    @property
    def inside(self) -> float:
        """Seconds inside steps while trials waited, over all slots."""
        return sum(max(0.0, min(ended(step), self.full) - began(step)) for step in self.steps)

    @property
    def by_worker(self) -> list[list[Measured]]:
        """The steps of each worker's process."""
        found: dict[tuple[str | None, int | None], list[Measured]] = {}
        for step in self.steps:
            found.setdefault((step.host, step.pid), []).append(step)
        return list(found.values())

    @property
    def gaps(self) -> list[float]:
        """Seconds between trials in the same worker."""
        return [
            began(after) - ended(before) - (before.checkpoint_seconds or 0.0)
            for steps in self.by_worker
            for before, after in pairwise(steps)
            if (before.trial, before.attempt) != (after.trial, after.attempt)
        ]


def sessions(events: list[Event]) -> list[Session]:
    """The sessions that searched, without those that retrained and those that came to nothing."""
    opened = [i for i, event in enumerate(events) if isinstance(event, Opened)]
    found = [Session(events[i:j]) for i, j in pairwise([*opened, len(events)])]
    return [each for each in found if each.opened.samples and each.steps]


def figures(folder: Path) -> dict[str, str]:
    """A search's figures, ready to be shown; a dash where the ledger does not say."""
    loaded = search.load(folder.name, str(folder.parent))
    found = sessions(list(parse(ledger.read(loaded.search.ledger))))
    steps = [step for each in found for step in each.steps]
    gaps = 1000 * np.array([gap for each in found for gap in each.gaps])
    epochs = sum(run.epochs for run in loaded.record.trials)
    trained = sum(step.seconds or 0.0 for step in steps)
    written = [step.checkpoint_seconds for step in steps if step.checkpoint_seconds is not None]
    held = sum(each.slots * (each.full - each.first) for each in found)
    tail, stepping = sum(each.last - each.full for each in found), sum(each.last - each.first for each in found)
    return {
        "trials": str(len(loaded.record.trials)),
        "epochs trained": f"{epochs:.10g}",
        "sessions": str(len(found)),
        "wall clock": duration(sum(each.seconds for each in found)),
        "inside steps": duration(trained),
        "busy: inside steps until no trial waits": _percent(sum(each.inside for each in found), held),
        "tail, after that": f"{tail:.1f} s",
        "tail, of first to last step": _percent(tail, stepping),
        "gap between trials, median": f"{np.median(gaps):.0f} ms" if gaps.size else "–",
        "gap, 90 %": f"{np.quantile(gaps, 0.9):.0f} ms" if gaps.size else "–",
        "gap, longest": f"{gaps.max():.0f} ms" if gaps.size else "–",
        "workers' processes for slots": ", ".join(f"{len(each.by_worker)} for {each.slots}" for each in found),
        "checkpoints, of training": _percent(sum(written), trained) if written else "–",
        **_forecast(loaded.search.facts.get("forecast"), {"epochs": epochs, "seconds": stepping}),
    }


def _forecast(found: dict[str, Any] | None, true: dict[str, float]) -> dict[str, str]:
    """Predicted (10 % to 90 %), true, and how often the prediction is contained in the truth."""
    rows = {}
    for name, value in true.items():
        rows[f"forecast of {name}"] = rows[f"{name} in truth"] = rows[f"{name}, truth to forecast"] = "–"
        if found:
            low, middle, high = (found[name][part] for part in ("low", "middle", "high"))
            rows[f"forecast of {name}"] = f"{middle:.0f} ({low:.0f}–{high:.0f})"
            rows[f"{name} in truth"] = f"{value:.0f}"
            rows[f"{name}, truth to forecast"] = f"{value / middle:.2f}"
    return rows


def _percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+", metavar="SEARCH_FOLDER")
    found = {folder.name: figures(folder.absolute()) for folder in parser.parse_args().folders}
    print(header("ray"), end="\n\n")
    print(
        table(
            [
                {"figure": name, **{column: values[name] for column, values in found.items()}}
                for name in next(iter(found.values()))
            ]
        )
    )


if __name__ == "__main__":
    main()
