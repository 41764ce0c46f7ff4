"""What each slot trained, and when, from the times of measurements."""

from itertools import groupby
from typing import Any

from search.history.record import Run
from search.page.view import View, label


def spans(view: View) -> list[dict[str, Any]]:
    """A row for each period in which one process trained one run without another in between, by slot and time.

    A slot here is the first free lane of a machine when a period begins, as a slot's process may be replaced.
    """
    stretches = [each for run in view.record.runs.values() for each in _stretches(view, run)]
    lanes: dict[str, list[float]] = {}
    rows: list[dict[str, Any]] = []
    for stretch in sorted(stretches, key=lambda each: each["begin"]):
        free = lanes.setdefault(stretch.pop("host"), [])
        lane = next((n for n, until in enumerate(free) if until <= stretch["begin"] + _SLACK), len(free))
        free[lane : lane + 1] = [stretch["end"]]
        host = next(name for name, own in lanes.items() if own is free)
        rows.append({"slot": f"{host} {lane + 1}".strip(), **stretch})
    if len(lanes) == 1:
        for row in rows:
            row["slot"] = "slot " + row["slot"].rpartition(" ")[2]
    return rows


_SLACK = 0.05  # seconds by which clocks of a worker and the driver may disagree


def _stretches(view: View, run: Run) -> list[dict[str, Any]]:
    found = []
    for (host, *_), events in groupby(run.measurements, key=lambda m: (m.host, m.pid, m.attempt)):
        measured = list(events)
        first, last = measured[0], measured[-1]
        begin = first.began if first.began is not None else first.time - (first.seconds or 0.0)
        found.append(
            {
                "host": host or "",
                "trial": run.key[0],
                "run": label(run),
                "state": "retrain" if run.key[1] else view.state(run),
                "begin": view.elapsed(begin),
                "end": view.elapsed(last.time),
            }
        )
    return found
