"""The only way to read a search: all code that shows one uses this.

Pandas and Arrow are imported only where tables are made, so that a status is shown without delay.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.history import ledger, store
from search.history.events import parse
from search.history.metric import METRICS
from search.history.record import Record, Session, rank
from search.readable import count, percent

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Loaded:
    """A search in its present state: its request and facts, its record, and tables made from it."""

    search: store.Search
    """Its folder and `search.json`."""
    record: Record
    """The record of its ledger."""
    running: bool
    """Whether a process has its ledger open."""

    def __repr__(self) -> str:
        """One line, where the fields would fill pages: the name, how it stands, and the best value."""
        said = [self.state, f"{len(self.record.trials)} of {count(self.samples, 'trial')}"]
        for run in rank(self.record)[:1]:
            said.append(f"best {METRICS[self.search.request.metric].replace('_', ' ')} {percent(run.at_best('value'))}")
        said += [count(self.record.test_passes, "test-set evaluation")] if self.record.test_passes else []
        return f"<Loaded {self.search.name}: {', '.join(said)}>"

    @property
    def state(self) -> str:
        """How the search stands, whatever became of a retrain.

        Not begun, running, or how its last session ended, such as finished or killed.
        """
        return self._standing(self.record.searched) or ("running" if self.running else "not begun")

    @property
    def retraining(self) -> str | None:
        """How the last retrain stands: running, or how it ended; None if there was none."""
        return self._standing([session for session in self.record.sessions if session.is_retrain])

    def _standing(self, sessions: list[Session]) -> str | None:
        """How the last of these sessions stands."""
        if not sessions:
            return None
        may_run = sessions[-1] is self.record.sessions[-1] and sessions[-1].reason != "finished"
        return "running" if self.running and may_run else sessions[-1].reason

    @property
    def trials(self) -> pd.DataFrame:
        """One row for each trial, by number: `columns.TRIALS`."""
        from search.history import tables

        return tables.trials(self.record, self.running)

    @property
    def epochs(self) -> pd.DataFrame:
        """One row for each measurement of trials and retrains: `columns.EPOCHS`."""
        from search.history import tables

        return tables.epochs(self.record)

    @property
    def retrains(self) -> pd.DataFrame:
        """One row for each tested retrain, best first: accuracy with its 95 % interval, loss, seconds."""
        from search.history import scores
        from search.history.winners import in_order

        return scores.table(self.search.folder, self.record, in_order(self.record))

    @property
    def samples(self) -> int:
        """How many trials were asked for, by the latest session."""
        return self.record.samples or self.search.request.samples


def read_search(results: Path, name: str | None) -> Loaded:
    """Read a search's files; raises StoreError or LedgerError."""
    found = store.find(results, name)
    running = ledger.is_open(found.ledger)  # before the reading: a session that ends meanwhile is read to its end
    return Loaded(found, record_of(found), running)


def record_of(search: store.Search) -> Record:
    """A search's record, empty if it has not begun; raises LedgerError."""
    return Record(parse(ledger.read(search.ledger)) if search.ledger.exists() else ())
