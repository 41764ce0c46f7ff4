"""Kills searches in every way there is, lets each come to its end, and holds the end against an undisturbed search.

    python tests/chaos/kills.py [--seed N] [--only PART …] [--out FOLDER]

Everything is the installed command on small searches of the digits, with a real Ray. `--out` gets chaos.csv, a row a
disturbance, in which the rows of parts that are left out stay; standard output a table for people. The exit code is 1
when a check failed.
"""

import argparse
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from search.history.events import Measured
from search.history.record import Record
from tests.chaos.boundary import IN_A_WORKER
from tests.chaos.rows import Pace, Row, Undisturbed, renew
from tests.chaos.searches import COMMAND, ChaosError, Home, Plan, events_in
from tests.chaos.subject import UNIFORM, Subject, copy_of, deaths
from tests.chaos.tears import TEARS
from tests.hosts import Host, missing, network, start_head, start_worker

ONE_SLOT = Plan(samples=10, epochs=16, slots=1)
TWO_SLOTS = Plan(samples=6, epochs=16, slots=2)
TO_THE_END = Plan(samples=6, epochs=16, slots=2, scheduler="none")
ON_A_CLUSTER = Plan(samples=8, epochs=60, slots=2, scheduler="none")
RETRAIN = ("--top", "2", "--epochs", "8", "--parallel", "1")

FIRST = ["search.json, with the forecast, half written"]  # of a launch
EARLY = ["before asked", "after asked", "before started", "after started"]
MIDDLE = [
    "checkpoint on disk, before its line",
    "line written, before its fsync",
    "line on disk, before anything follows",
    "line on disk, before the older checkpoint goes",
    "older checkpoint gone, before the answer",
    "line on disk, before the answer",
    "after the answer",
    "a trial's end on disk, before its checkpoint goes",
    "a trial's checkpoint gone, before the answer",
    "before ended",
    "after ended",
    "before a checkpoint is written",
    "checkpoint half written",
    "checkpoint named, before its folder's fsync",
    "checkpoint on disk, before the worker's answer",
]
LATE = [
    "before closed",
    "after closed",
    "trials.parquet half written",
    "trials.parquet new, epochs.parquet half written",
]
#: In the order in which a retrain of two winners comes to them.
RETRAINED = [
    "checkpoint half written",
    UNIFORM,
    "a network half written",
    "a network half put in its place",
    "a retrain's end on disk, before its files go",
    UNIFORM,
    "in the test pass",
    "between the test pass and tested",
    "after tested",
]
#: How often at most a boundary is passed before it kills; else once.
MOST_PASSAGES = {**dict.fromkeys([*EARLY, *MIDDLE], 2), "before ended": 1, "after ended": 1}
NUM_UNIFORM = 14
MOST_TEARS = 5  # of a search
MOST_SEARCHES = 12  # to come to all of them
NUM_WORKERS = 20
NUM_NODES = 5


class Chaos:
    """A run of this program: its seed, its folder, the undisturbed searches, and the rows so far."""

    def __init__(self, seed: int, home: Home, out: Path) -> None:
        self.seed, self.rng, self.home, self.out = seed, random.Random(seed), home, out
        self.rows: list[Row] = []
        self._numbers = 0
        self._undisturbed: dict[tuple[Plan, bool], Undisturbed] = {}

    def subject(self, part: str, name: str, plan: Plan, like: Plan | None = None, **more: object) -> Subject:
        """A search to disturb; like: the plan of the undisturbed search that has its curves, if not its own."""
        undisturbed = self.undisturbed(like or plan, retrained="retrain" in more)
        return self.subject_of(self.home, undisturbed, part=part, name=name, plan=plan, exact=like is None, **more)

    def subject_of(self, home: Home, undisturbed: Undisturbed, **more: object) -> Subject:
        """A search to disturb, and what it is held against."""
        return Subject(home=home, undisturbed=undisturbed, rng=self.rng, number=self._number, say=say, **more)

    def undisturbed(self, plan: Plan, *, retrained: bool = False) -> Undisturbed:
        """The search that is left alone; once for each plan."""
        if (plan, retrained) not in self._undisturbed:
            name = f"undisturbed-{plan.scheduler}-{plan.slots}{'-retrained' * retrained}"
            path = self.home.ledger(name)
            if retrained:
                copy_of(self.undisturbed(plan), path.parent)
                self.home.start(name, "retrain", name, *RETRAIN).finish()
            else:
                self.home.launch(name, plan).finish()
            found = Undisturbed(path.parent, events_in(path))
            self.home.pace = Pace.of(found.session) or self.home.pace
            say(f"{name}: {found.epochs} epochs, {self.home.pace}")
            self._undisturbed[plan, retrained] = found
        return self._undisturbed[plan, retrained]

    def keep(self, rows: list[Row]) -> None:
        """Write what is known so far."""
        self.rows += rows
        self.out.mkdir(parents=True, exist_ok=True)
        renew(self.out / "chaos.csv", self.seed, self.rows)

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers


def drivers(chaos: Chaos) -> None:
    """SIGKILLs of the driver, at any time and at each boundary of a write, several a search."""
    middle = [*MIDDLE, *[UNIFORM] * NUM_UNIFORM]
    pools = [[*FIRST], *(chaos.rng.sample(places, len(places)) for places in (EARLY, middle, LATE))]
    for number in range(1, MOST_SEARCHES + 1):
        one = number % 3 > 0
        name, plan = f"driver-{number}", ONE_SLOT if one else TWO_SLOTS
        subject = chaos.subject("drivers", name, plan, None if one else TO_THE_END)
        kill_in_turn(subject, pools, (1, 1, 5, 1))
        chaos.keep(subject.finish())
        if not any(pools):
            return
    raise ChaosError(f"these did not come to pass: {pools}")


def retrains(chaos: Chaos) -> None:
    """SIGKILLs of the driver of a retrain, at any time and at each boundary of a network's write and a test pass."""
    pools = [[*RETRAINED]]
    for number in range(1, MOST_SEARCHES + 1):
        name = f"retrain-{number}"
        subject = chaos.subject("retrains", name, ONE_SLOT, retrain=RETRAIN)
        copy_of(chaos.undisturbed(ONE_SLOT), chaos.home.ledger(name).parent)
        kill_in_turn(subject, pools, (len(RETRAINED),))
        chaos.keep(subject.finish())
        if not any(pools):
            return
    raise ChaosError(f"these did not come to pass: {pools}")


def kill_in_turn(subject: Subject, pools: list[list[str]], takes: tuple[int, ...]) -> None:
    """Kill at so many of each pool's places, which leave it then, until the search comes to its end."""
    for pool, take in zip(pools, takes, strict=True):
        for place in pool[:take]:
            if not subject.kill_driver(place, MOST_PASSAGES.get(place, 1)):
                return
            pool.remove(place)


def workers(chaos: Chaos) -> None:
    """SIGKILLs of workers: one at a time, two at once, and at the boundaries of a checkpoint's write."""
    places = [place for place in IN_A_WORKER if "checkpoint" in place]
    for number in (0, 2):
        subject = chaos.subject("workers", f"worker-{number // 2 + 1}", TO_THE_END)
        traps = [chaos.home.trap(place, chaos.rng.randint(1, 4), "worker") for place in places[number : number + 2]]
        subject.begin(*traps).finish()
        happened = sorted(traps, key=lambda trap: Path(trap.mark).stat().st_mtime)
        for trap, death in zip(happened, deaths(subject.events), strict=True):
            subject.note_worker(f"a worker: {trap.boundary}, passage {trap.passage}", death)
        chaos.keep(subject.finish())
    left = NUM_WORKERS - len(places)
    for number in count(3):
        plans = (TO_THE_END,) if number % 2 else (TWO_SLOTS, TO_THE_END)
        subject = chaos.subject("workers", f"worker-{number}", *plans)
        subject.begin()
        for several in (1, 2, 1, 1, 2, 1):
            if not left or not subject.kill_workers(min(several, left)):
                break
            left -= min(several, left)
        chaos.keep(subject.finish())
        if not left:
            break


def torn(chaos: Chaos) -> None:
    """Torn writes, each after a SIGKILL of the driver."""
    tears = chaos.rng.sample(TEARS, len(TEARS))
    for number in range(1, MOST_SEARCHES + 1):
        subject = chaos.subject("torn", f"torn-{number}", ONE_SLOT)
        for place, tear in tears[:MOST_TEARS]:
            words = subject.strike(place, MOST_PASSAGES[place])
            if not words:  # it came to its end before; the next search has what is left
                break
            tears.pop(0)
            chaos.home.left_behind()
            what, anew = tear(subject.folder, Record(subject.events), chaos.rng)
            subject.note_death(f"{what} ({words})", anew)
        chaos.keep(subject.finish())
        if not tears:
            return
    raise ChaosError(f"{MOST_SEARCHES} searches came to their ends before {tears[0][0]}")


def disk(chaos: Chaos) -> None:
    """A disk that another file fills while the search runs."""
    if os.geteuid() != 0:
        say("disk: left out, as a small disk to fill can only be mounted by root")
        return
    where = chaos.home.folder / "disk"
    where.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(where)], check=True)
    try:
        subject = chaos.subject("disk", "full", ONE_SLOT, results="disk")
        session = subject.begin()
        written = chaos.rng.randint(2, 5)
        session.must(
            lambda: sum(isinstance(e, Measured) and bool(e.checkpoint) for e in session.own) >= written, "checkpoints"
        )
        with (where / "another-file").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(1024)):
                pass
        code = session.end()
        shown = subprocess.run(
            [COMMAND, "status", "full", "--results", "disk"], cwd=chaos.home.folder, capture_output=True, text=True
        )
        subject.note_death("a full disk")
        last = session.log.read_text().splitlines()[-1]
        say(f"    exit code {code}: {last}")
        if code != 1 or not last.startswith("paused because a disk is full") or shown.returncode:
            subject.struck[
                -1
            ].row.trouble += f"exit code {code}, last line {last}, status' exit code {shown.returncode}"
        (where / "another-file").unlink()
        chaos.keep(subject.finish())
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def nodes(chaos: Chaos) -> None:
    """Kills of a whole machine of a cluster of two; another one joins each time."""
    if why := missing():
        say(f"nodes: left out, as {why}")
        return
    with network(chaos.home.folder / "logs") as net:
        head, others = net.host("head"), count(1)
        address = start_head(head)

        def join() -> Host:
            host = net.host(f"node{next(others)}")
            start_worker(host, address)
            return host

        host, plan, left = join(), replace(ON_A_CLUSTER, address=address), NUM_NODES
        home = Home(head)
        name = "undisturbed"
        home.launch(name, plan).finish()
        path = home.ledger(name)
        undisturbed = Undisturbed(path.parent, events_in(path))
        for number in count(1):
            subject = chaos.subject_of(home, undisturbed, part="nodes", name=f"node-{number}", plan=plan)
            subject.begin()
            while left and subject.kill_host(host):
                left -= 1
                host = join()
            chaos.keep(subject.finish())
            if not left:
                break


PARTS = {"drivers": drivers, "retrains": retrains, "workers": workers, "nodes": nodes, "torn": torn, "disk": disk}


def say(line: str) -> None:
    """A line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def summary(rows: list[Row]) -> str:
    """A row a part, in Markdown."""
    lines = [
        "| part | disturbances | of running searches | finished trials lost | lines lost "
        "| measurements repeated (allowed) | differences | processes left |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for part in dict.fromkeys(row.part for row in rows):
        mine = [row for row in rows if row.part == part]

        def total(name: str, mine: list[Row] = mine) -> int:
            return sum(getattr(row, name) for row in mine)

        lines.append(
            f"| {part} | {len(mine)} | {total('running')} | {total('finished_lost')} of {total('finished_before')} "
            f"| {total('lines_lost')} of {total('events_before')} | {total('repeated')} ({total('allowed')}) "
            f"| {total('differences')} | {total('processes_left')} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the parts, print the table, and end with 1 when a check failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of every choice made here")
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--out", type=Path, default=Path("results/evidence"))
    asked = parser.parse_args()
    began = time.time()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what is at work here ends with this
    home = Home()
    say(f"seed {asked.seed}, in {home.folder}")
    chaos = Chaos(asked.seed, home, asked.out)
    wrong: list[object] = []
    try:
        for part in asked.only:
            try:
                PARTS[part](chaos)
            except ChaosError as error:  # the other parts can do without this one
                say(f"{part}: {error}")
                wrong.append(error)
                home.close()
    finally:
        wrong += home.close()
        print(summary(chaos.rows))
    wrong += [row for row in chaos.rows if not row.good]
    if wrong:
        print("\nwrong:", *wrong, sep="\n- ")
    held = sum(row.good for row in chaos.rows)
    minutes = (time.time() - began) / 60
    print(f"\nseed {asked.seed}: {held} of {len(chaos.rows)} disturbances kept every promise, in {minutes:.0f} min")
    if wrong:
        sys.exit(1)
    shutil.rmtree(home.folder)


if __name__ == "__main__":
    main()
