"""Searches to disturb: the installed command in processes of its own, watched through the ledger it writes."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from search.history import ledger
from search.history.events import Event, parse
from tests.chaos import boundary
from tests.chaos.boundary import Trap
from tests.chaos.processes import processes_in
from tests.chaos.rows import Pace
from tests.hosts import Host

COMMAND = str(Path(sys.executable).with_name("hpsearch"))
GRACE = 10.0  # seconds in which what a killed driver had started must be gone
#: What computes nothing and looks late whether its parent lives: Ray's dashboard; its agents, five times, two seconds
#: apart, and then they report it for a minute to who is dead too; a worker that was starting and waits for its node.
HELPERS = (
    *("ray::DashboardAgent", "ray::RuntimeEnvAgent", "dashboard/agent.py", "runtime_env/agent/main.py"),
    *("ray-dashboard-", "multiprocessing.forkserver", "multiprocessing.resource_tracker", "default_worker.py"),
)
HELPERS_GRACE = 90.0  # seconds for those
PATIENCE = 600.0  # seconds for whatever must happen at all; Ray's start takes most of it where others compute too

#: Small networks that train an epoch in a tenth of a second or two, so that a checkpoint is due every one or two.
SPACE = """
from search.spaces import config_of


def space(trial):
    network = trial.suggest_categorical("network", ("cnn3", "cnn5"))
    trial.suggest_categorical(f"{network}/width", {"cnn3": (0.125, 0.25), "cnn5": (0.25, 0.5)}[network])
    trial.suggest_float(f"{network}/conv_dropout", 0.0, 0.3)
    optimizer = trial.suggest_categorical("optimizer", ("sgd", "adam"))
    trial.suggest_float(f"{optimizer}/lr", 1e-3, {"sgd": 1e-1, "adam": 1e-2}[optimizer], log=True)
    trial.suggest_categorical("batch_size", (16, 32))
    trial.suggest_categorical("schedule", ("constant", "cosine"))
    return config_of(trial.params)
"""


class ChaosError(Exception):
    """Something that had to happen did not, or a command ended as it must not."""


class NoRayError(ChaosError):
    """Ray has not started in the time that it gives itself, which is short where others compute too."""


@dataclass(frozen=True)
class Plan:
    """A search's request, as far as it differs here. Where nothing is stopped, trials end equal in any order."""

    samples: int
    epochs: int
    slots: int
    scheduler: str = "asha"
    seed: int = 3
    address: str | None = None
    engine: str = "tune"

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `launch`."""
        return (
            *("--dataset", "digits", "--data-dir", "data", "--limit-train", "1400", "--space", "chaos:space"),
            *("--samples", str(self.samples), "--epochs", str(self.epochs), "--seed", str(self.seed)),
            *("--scheduler", self.scheduler, *self.session),
        )

    @property
    def session(self) -> tuple[str, ...]:
        """The options of every session."""
        address = ("--address", self.address) if self.address else ()
        return ("--parallel", str(self.slots), "--engine", self.engine, *address)


class Home:
    """The folder that commands are called in: a space, results, and all that Ray and Tune leave."""

    def __init__(self, host: Host | None = None) -> None:
        """host: whose home it is and where the commands run; else a new folder of this machine."""
        # Ray's sockets lie below, and the path of a socket is 107 bytes at most.
        self.folder = host.home if host else Path(tempfile.mkdtemp(prefix="chaos-"))
        for name in ("tmp", "marks", "logs"):
            (self.folder / name).mkdir()
        (self.folder / "chaos.py").write_text(SPACE)
        self.pace = Pace(start=10.0, epoch=0.3)
        self._host = host
        self._session: Session | None = None

    def ledger(self, search: str, results: str = "results") -> Path:
        """A search's ledger."""
        return self.folder / results / search / "ledger.jsonl"

    def start(self, search: str, *arguments: str, traps: Sequence[Trap] = (), results: str = "results") -> "Session":
        """Begin a command at work on a search, perhaps with traps in its way; one at a time."""
        command = [*(boundary.command(traps) if traps else [COMMAND]), *arguments, "--results", results]
        if self._host:
            process, log = self._host.start(*command), self._host.log
        else:
            log = self.folder / "logs" / f"{len(list((self.folder / 'logs').iterdir())) + 1}-{search}.log"
            process = self._start(command, log)
        self._session = Session(process, self.ledger(search, results), log)
        return self._session

    def _start(self, command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        temporary = str(self.folder / "tmp")
        # Threads that wait do so asleep: awake, they would slow an epoch tenfold where others compute too.
        variables = {"RAY_TMPDIR": temporary, "TMPDIR": temporary, "OMP_WAIT_POLICY": "PASSIVE"}
        with log.open("w") as file:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **variables},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def launch(self, search: str, plan: Plan, traps: Sequence[Trap] = (), results: str = "results") -> "Session":
        """Begin a search."""
        return self.start(search, "launch", "--name", search, *plan.options, traps=traps, results=results)

    def resume(self, search: str, plan: Plan, traps: Sequence[Trap] = (), results: str = "results") -> "Session":
        """Go on with a search."""
        return self.start(search, "resume", search, *plan.session, traps=traps, results=results)

    def trap(self, place: str, passage: int, victim: str = "driver") -> Trap:
        """A trap with a mark of its own."""
        marks = self.folder / "marks"
        return Trap(place, passage, str(marks / f"{len(list(marks.iterdir()))}-{time.monotonic_ns()}"), victim)

    def processes(self) -> dict[int, str]:
        """Those that stand in this folder, with their titles: the command's, Ray's and the workers'."""
        return processes_in(self.folder)

    def left_behind(self, grace: float = GRACE) -> tuple[list[str], float]:
        """The titles of what is still there after so many seconds, and the seconds until the last one was gone.

        Helpers count only where the grace is theirs, `HELPERS_GRACE`.
        """
        began, helpers = time.monotonic(), HELPERS if grace < HELPERS_GRACE else ()

        def left() -> list[str]:
            return [title for title in self.processes().values() if not any(helper in title for helper in helpers)]

        while found := left():
            if time.monotonic() > began + grace:
                break
            time.sleep(0.05)
        return [title[:80] for title in found], time.monotonic() - began

    def close(self, grace: float = HELPERS_GRACE) -> list[str]:
        """End whatever is still at work here; what was left so many seconds after its driver was dead."""
        if self._session:
            self._session.kill()
        left, _ = self.left_behind(grace)
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        return left


def events_in(path: Path) -> list[Event]:
    """The events of a ledger so far, also while another process writes."""
    return list(parse(ledger.read(path)))


class Session:
    """One process of the command, with its ledger."""

    def __init__(self, process: subprocess.Popen[bytes], path: Path, log: Path) -> None:
        self.process, self.path, self.log = process, path, log
        self.died: float | None = None  # Unix seconds
        self.before = len(self.events)

    @property
    def events(self) -> list[Event]:
        """The ledger's events so far."""
        return events_in(self.path) if self.path.exists() else []

    @property
    def own(self) -> list[Event]:
        """Those that this process has written."""
        return self.events[self.before :]

    def wait_for(self, condition: Callable[[], bool], what: str) -> bool:
        """Whether it came to pass before the process ended; raises ChaosError when neither happens."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None:
                return condition()
            if time.monotonic() > deadline:
                raise ChaosError(f"{what} did not happen in {PATIENCE:.0f} s; see {self.log}")
            time.sleep(0.05)
        return True

    def must(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for it; raises ChaosError when the process ends before."""
        if not self.wait_for(condition, what):
            raise ChaosError(f"{what} did not happen before the end; see {self.log}")

    def kill(self) -> None:
        """SIGKILL, whatever it does."""
        if self.process.poll() is None:
            self.process.kill()
        self.end()

    def end(self) -> int:
        """Wait for the process's end: its exit code, negative for a signal."""
        self.wait_for(lambda: self.process.poll() is not None, "the end")
        self.died = self.died or time.time()
        return self.process.wait()

    def finish(self) -> None:
        """Wait for the end; raises ChaosError unless all went well."""
        if code := self.end():
            words = self.log.read_text()
            kind = NoRayError if "Ray cannot start on this machine" in words else ChaosError
            raise kind(f"exit code {code} of {self.log}: {words[-1000:]}")
