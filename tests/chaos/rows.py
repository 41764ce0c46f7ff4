"""What is written down of a disturbance, and what a search is held against."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from search.history.events import Event, Measured, Opened


@dataclass(kw_only=True)
class Row:
    """One disturbance and what was checked after it.

    running: whether a session had begun and not ended. repeated, allowed: measurements made again, and those since the
    last checkpoints of what was interrupted. differences: of the finished search from the undisturbed one.
    processes_left: after `searches.GRACE` seconds. seconds: since the session began. trouble: what else was wrong.
    """

    number: int
    part: str
    disturbance: str
    search: str
    interrupted: str
    running: bool
    events_before: int
    finished_before: int
    finished_lost: int = 0
    lines_lost: int = 0
    repeated: int = 0
    allowed: int = 0
    differences: int = 0
    processes_left: int
    seconds: float
    trouble: str = ""

    @property
    def good(self) -> bool:
        """Whether nothing was lost, nothing differs, and no more was repeated than may be."""
        wrong = self.finished_lost + self.lines_lost + self.differences + self.processes_left
        return not wrong and self.repeated <= self.allowed and not self.trouble


def renew(path: Path, seed: int, rows: Sequence[Row]) -> None:
    """Write a table of disturbances, in which the rows of other parts than these stay as they were."""
    older: list[dict[str, object]] = []
    if path.exists():
        with path.open(newline="") as file:
            older = [dict(row) for row in csv.DictReader(file)]
    parts = {row.part for row in rows}
    columns = ["seed", *(field.name for field in fields(Row))]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in older if row["part"] not in parts)
        writer.writerows({"seed": seed} | asdict(row) for row in rows)


@dataclass(frozen=True)
class Undisturbed:
    """The search that was left alone: its folder and its ledger, whose last session is looked at."""

    folder: Path
    events: list[Event]

    @property
    def epochs(self) -> int:
        """Measurements of the session."""
        return sum(isinstance(e, Measured) for e in self.session)

    @property
    def session(self) -> list[Event]:
        """The events of the last session."""
        opened = max(i for i, e in enumerate(self.events) if isinstance(e, Opened))
        return self.events[opened:]


@dataclass(frozen=True)
class Pace:
    """How fast sessions are just now. start: seconds from the opening to the first epoch. epoch: seconds for one."""

    start: float
    epoch: float

    @classmethod
    def of(cls, session: Sequence[Event]) -> "Pace | None":
        """Of a session's events; None before it has measured."""
        measured = [e for e in session if isinstance(e, Measured)]
        if not measured:
            return None
        first = measured[0].began
        return cls(first - session[0].time, (session[-1].time - first) / len(measured))
