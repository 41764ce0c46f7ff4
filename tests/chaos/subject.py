"""A search under disturbance: every disturbance is a row, and what it did is known when the search has finished."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from search.history import store
from search.history.events import (
    Closed,
    Decision,
    Ended,
    Event,
    Measured,
    OfAttempt,
    Opened,
    Started,
    State,
    Tested,
    Testing,
)
from search.history.load import read_search
from search.history.record import Key, Record, Run
from search.run.driver import RETRIES
from search.show import status
from tests.chaos import checks
from tests.chaos.boundary import Trap
from tests.chaos.rows import Pace, Row, Undisturbed
from tests.chaos.searches import Home, NoRayError, Plan, Session
from tests.hosts import Host

SIGKILLED = -int(signal.SIGKILL)
UNIFORM = "uniform"
Result = TypeVar("Result")


@dataclass
class _Struck:
    row: Row
    before: Sequence[Event]
    disturbed: Collection[Key]


@dataclass
class Subject:
    """A search to disturb.

    exact: whether its tables must be those of the undisturbed search; else only its draws and curves, as which trial
    comes first to a rung depends on the clock. number: gives a row its number. say: prints a line.
    """

    home: Home
    name: str
    plan: Plan
    undisturbed: Undisturbed
    rng: random.Random
    number: Callable[[], int]
    say: Callable[[str], None]
    part: str
    exact: bool = True
    results: str = "results"
    retrain: tuple[str, ...] = ()
    session: Session | None = None
    struck: list[_Struck] = field(default_factory=list)
    _logs: list[Path] = field(default_factory=list)
    _owed: list[tuple[Key, int]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The search's folder."""
        return self.home.ledger(self.name, self.results).parent

    @property
    def events(self) -> list[Event]:
        """The ledger's events so far."""
        return self.session.events if self.session else []

    def begin(self, *traps: Trap) -> Session:
        """Launch the search, or go on with it or with its retrains."""
        self._keep_pace()
        where = {"traps": traps, "results": self.results}
        if self.retrain:
            self.session = self.home.start(self.name, "retrain", self.name, *self.retrain, **where)
        elif self.session is None:
            self.session = self.home.launch(self.name, self.plan, **where)
        else:
            self.session = self.home.resume(self.name, self.plan, **where)
        self._logs.append(self.session.log)
        return self.session

    def _keep_pace(self) -> None:
        """What is known of the machine's pace is from the newest session that has measured anything."""
        self.home.pace = (self.session and Pace.of(self.session.own)) or self.home.pace

    def kill_driver(self, place: str, most: int = 1) -> bool:
        """Kill the driver and add a row; False when the search came to its end before."""
        words = self.strike(place, most)
        if words:
            self.note_death(words)
        return bool(words)

    def strike(self, place: str, most: int = 1) -> str:
        """Kill the driver at a boundary, at its 1st to `most`-th passage, or any time: how, or "" at the end."""
        return self._patiently(self._strike_any_time if place == UNIFORM else lambda: self._strike(place, most))

    def _patiently(self, call: Callable[[], Result]) -> Result:
        """Call again where Ray has not started; that costs a session and nothing else."""
        for _ in range(5):
            with suppress(NoRayError):
                return call()
            self.say(f"    Ray has not started in its time; again ({self.session.log.name})")
        return call()

    def _strike(self, place: str, most: int) -> str:
        passage = self.rng.randint(1, most)
        trap = self.home.trap(place, passage)
        session = self.begin(trap)
        if place in ("before ended", "after ended") and session.wait_for(
            lambda: bool(at_work(session.own)), "a worker at work"
        ):
            os.kill(next(iter(at_work(session.own).values())).pid, signal.SIGKILL)
        if session.end() != SIGKILLED or not Path(trap.mark).exists():
            session.finish()
            self.say(f"    {self.name} came to its end before: {place}, passage {passage}")
            return ""
        return f"{place}, passage {passage}" if most > 1 else place

    def _strike_any_time(self) -> str:
        """Kill the driver at a time uniform between the session's opening and the end that it would come to."""
        share, session = self.rng.random(), self.begin()
        runs = Record(session.events).runs.values()
        measured = sum(len(run.measurements) for run in runs if bool(run.key[1]) == bool(self.retrain))
        left = self.home.pace.start + self.home.pace.epoch * max(0, self.undisturbed.epochs - measured)
        session.must(lambda: bool(session.own), "an open session")
        until = session.own[0].time + share * left
        session.wait_for(lambda: time.time() > until, "that time")
        session.kill()
        if session.process.returncode != SIGKILLED:
            session.finish()
            self.say(f"    {self.name} came to its end before: {share * left:.1f} s")
            return ""
        return f"uniform: {share * left:.1f} s of {left:.0f}"

    def note_death(self, disturbance: str, anew: Collection[Key] = ()) -> None:
        """Add a row: the driver is dead, and perhaps its files are no longer what they were."""
        left, gone = self.home.left_behind()
        row = self.note(disturbance, self.events, anew=anew, processes_left=len(left))
        row.trouble = "; ".join(filter(None, [self._misreading(row), *left]))
        self.say(f"    after {gone:.1f} s {len(left)} of its processes were left {' '.join(left)}")

    def kill_workers(self, count: int) -> bool:
        """Kill so many workers of the session at once, and add a row each; False when the end came before."""
        known = len(deaths(self.events))
        if not self._wait_for_victims(count, self.victims):
            return False
        pids = [e.pid for e in self.rng.sample(self.victims(), count)]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        words = f"a worker{f', {count} at once' * (count > 1)}"
        self.note_deaths(known, count, words, lambda: sum(pid in self.home.processes() for pid in pids))
        return True

    def kill_host(self, host: Host) -> bool:
        """Kill a machine on which a trial is at work, and add a row; False when the end came before."""
        known = len(deaths(self.events))
        if not self._wait_for_victims(1, lambda: [e for e in self.victims() if e.host == host.name]):
            return False
        host.kill()
        self.note_deaths(known, 1, f"the machine {host.name}", lambda: int(Path(f"/proc/{host.pid}").exists()))
        return True

    def _wait_for_victims(self, count: int, victims: Callable[[], list[Measured]]) -> bool:
        """Whether there are so many, at some moment a while after they began."""
        for pause in (self.rng.uniform(0, 1.5), 0.0):
            if not self.session.wait_for(lambda: len(victims()) >= count, f"{count} of those at work"):
                return False
            time.sleep(pause)
        return len(victims()) >= count

    def victims(self) -> list[Measured]:
        """The last measurements of trials that have some epochs to go and may be tried again."""
        record = Record(self.events)
        return [
            e
            for key, e in at_work(self.events).items()
            if len(record.runs[key].ends) < RETRIES and e.epoch < self.plan.epochs - 2
        ]

    def note_deaths(self, known: int, count: int, words: str, left: Callable[[], int]) -> None:
        """Add rows for the deaths that follow the known ones, as lines tell of them."""
        self.session.must(lambda: len(deaths(self.events)) >= known + count, f"a line for the death of {words}")
        for death in deaths(self.events)[known:]:
            row = self.note_worker(words, death)
            row.processes_left = left()
            row.trouble = self._misreading(row)

    def note_worker(self, disturbance: str, death: Ended) -> Row:
        """Add a row: a worker has died, as a line says."""
        return self.note(disturbance, self.events[: death.seq + 1], disturbed={(death.trial, death.repeat)})

    def note(
        self,
        disturbance: str,
        before: Sequence[Event],
        *,
        disturbed: Collection[Key] | None = None,
        anew: Collection[Key] = (),
        processes_left: int = 0,
    ) -> Row:
        """Add a row. before: the ledger when it happened. disturbed: the runs, by default all that had not ended."""
        disturbed = checks.unfinished(before) if disturbed is None else disturbed
        anew = {*anew, *self._owed_still(before)}
        self._owed += [(key, len(before)) for key in anew]
        # The line of the first opening may itself be torn.
        opened = next((e.time for e in reversed(before) if isinstance(e, Opened)), None)
        ended = self.session.died or (before[-1].time if before else opened)
        row = Row(
            number=self.number(),
            part=self.part,
            disturbance=disturbance,
            search=self.name,
            interrupted=_describe(Record(before), disturbed),
            running=bool(before) and not isinstance(before[-1], Closed),
            events_before=len(before),
            finished_before=len(checks.finished(before)),
            allowed=checks.allowed(before, disturbed, anew),
            processes_left=processes_left,
            seconds=round(ended - opened, 1) if ended and opened else 0.0,
        )
        self.struck.append(_Struck(row, before, disturbed))
        self.say(f"{row.number:3} {row.part}, {row.search}: {disturbance} ({row.interrupted}; {len(before)} events)")
        return row

    def _owed_still(self, before: Sequence[Event]) -> list[Key]:
        """Runs that must begin anew since an earlier disturbance, as no line says that they have."""

        def has_begun(key: Key, since: int) -> bool:
            starts = (e for e in before[since:] if isinstance(e, Started) and not e.images)
            return any((e.trial, e.repeat) == key for e in starts)

        return [key for key, since in self._owed if not has_begun(key, since)]

    def _misreading(self, row: Row) -> str:
        """What `status` says wrongly of the search now; empty when it is right."""
        found = read_search(self.home.folder / self.results, self.name)
        data, last = status.status(found), found.record.sessions[-1:]
        state = data["retraining" if last and last[0].is_retrain else "state"]
        alive = self.session is not None and self.session.process.poll() is None
        if alive:
            return "" if state == "running" else f"status says {state} while it runs"
        if found.running or (found.trials.state == "running").any():
            return "status says that a dead search runs"
        if row.running and state not in ("killed", "disk full"):
            return f"status says {state} of a killed search"
        return ""

    def finish(self) -> list[Row]:
        """Let the search come to its end, unless it has, and complete its rows."""
        self._patiently(self._come_to_the_end)
        self._keep_pace()
        left, _ = self.home.left_behind()
        final = self.events
        differences, trouble = self._differences(final), self._trouble(left)
        for number, each in enumerate(self.struck):
            row = each.row
            row.lines_lost = checks.lost_lines(each.before, final)
            row.finished_lost = checks.finished_lost(each.before, final)
            row.repeated = sum(
                checks.repeated(each.before, final[: self._until(number, key, len(final))], key)
                for key in each.disturbed
            )
            row.differences = sum(differences.values())
            row.trouble = "; ".join(filter(None, [row.trouble, *trouble, _words(differences)]))
        rows = [each.row for each in self.struck]
        bad = [row.number for row in rows if not row.good]
        self.say(
            f"{self.name}: {len(rows)} disturbances; " + (f"WRONG in {bad}: {rows[-1]}" if bad else "all is right")
        )
        return rows

    def _until(self, number: int, key: Key, end: int) -> int:
        """How many events there were when the next disturbance after this one met the same run."""
        return next((len(each.before) for each in self.struck[number + 1 :] if key in each.disturbed), end)

    def _come_to_the_end(self) -> None:
        if self.session is None or self.session.process.poll() not in (None, 0):
            self.begin()
        self.session.finish()

    def _differences(self, final: list[Event]) -> dict[str, int]:
        request = store.find(self.home.folder / self.results, self.name).request
        record = Record(final)
        found = {
            "draws or measurements": checks.other_lines(final, self.undisturbed.events),
            "decisions": checks.other_decisions(final, request),
            "trials not at their end": checks.unended(final, request),
            "tables on disk": checks.stale_tables(self.folder, final),
        }
        if self.exact:
            found["cells"] = checks.other_cells(final, self.undisturbed.events)
        if self.retrain:
            found["networks"] = checks.other_networks(self.folder, self.undisturbed.folder)
            found["test results"] = abs(sum(isinstance(e, Tested) for e in final) - len(record.retrains))
            broken = sum(isinstance(each.before[-1], Testing) for each in self.struck)
            found["test passes"] = abs(record.test_passes - len(record.retrains) - broken)
        return found

    def _trouble(self, left: list[str]) -> list[str]:
        found = [f"left behind: {', '.join(stray)}"] if (stray := checks.stray_files(self.folder)) else []
        found += [f"alive after the end: {', '.join(left)}"] if left else []
        return found + [f"a traceback in {log}" for log in self._logs if "Traceback" in log.read_text()]


def copy_of(undisturbed: Undisturbed, folder: Path) -> None:
    """A finished search under another name, for its retrains."""
    folder.mkdir()
    for name in ("search.json", "ledger.jsonl"):
        shutil.copyfile(undisturbed.folder / name, folder / name)


def at_work(events: Sequence[Event]) -> dict[Key, Measured]:
    """The last measurements of the runs that train just now: those whose last word was one that goes on."""
    last = {(e.trial, e.repeat): e for e in events if isinstance(e, OfAttempt)}
    return {key: e for key, e in last.items() if isinstance(e, Measured) and e.decision is Decision.CONTINUE}


def deaths(events: Sequence[Event]) -> list[Ended]:
    """The lines of runs that ended without an answer and are tried again."""
    return [e for e in events if isinstance(e, Ended) and e.state is State.INTERRUPTED]


def _describe(record: Record, keys: Collection[Key]) -> str:
    def each(run: Run) -> str:
        epoch = run.measurements[-1].epoch if run.measurements else 0
        kept = max((m.epoch for m in run.measurements if m.checkpoint), default=0)
        name = f"{run.key[0]}-{run.key[1]}" if run.key[1] else f"{run.key[0]}"
        return f"trial {name} at epoch {epoch:g}, checkpoint at {kept:g}"

    return ", ".join(each(record.runs[key]) for key in sorted(keys)) or "none at work"


def _words(differences: dict[str, int]) -> str:
    return ", ".join(f"{count} {what} differ" for what, count in differences.items() if count)
