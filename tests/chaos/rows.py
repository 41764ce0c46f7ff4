"""What is written down of a disturbance, and what a search is held against."""

from dataclasses import dataclass
from pathlib import Path

from search.ledger import Event


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


@dataclass(frozen=True)
class Undisturbed:
    """The search that was left alone: its folder and its ledger, whose last session is looked at."""

    folder: Path
    events: list[Event]

    @property
    def epochs(self) -> int:
        """Measurements of the session."""
        return sum(e["event"] == "measured" for e in self._session)

    @property
    def start(self) -> float:
        """Seconds from the session's opening until its first epoch begins."""
        return self._first_epoch - self._session[0]["time"]

    @property
    def training(self) -> float:
        """Seconds from the first epoch's beginning to the session's end."""
        return self._session[-1]["time"] - self._first_epoch

    @property
    def _first_epoch(self) -> float:
        return next(e["began"] for e in self._session if e["event"] == "measured")

    @property
    def _session(self) -> list[Event]:
        opened = max(i for i, e in enumerate(self.events) if e["event"] == "opened")
        return self.events[opened:]
