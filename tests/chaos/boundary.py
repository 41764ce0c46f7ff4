"""Runs the hpsearch command and kills one of its processes at a named boundary of a write, which no clock would meet.

    python -c "from tests.chaos.boundary import main; main()" TRAPS launch …

TRAPS is a JSON list of traps. At a trap's passage the victim gets a SIGKILL, once: whoever makes the file `mark` is the
one that dies. The product has no hooks for this; its functions are wrapped here, before the command runs.
"""

import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import search.cli.main as cli
from search.history.events import FINAL, Asked, Closed, Ended, Event, Measured, Started, State, Tested
from search.history.ledger import Ledger
from search.run.driver import Driver
from search.run.engines import tuner
from search.run.progress import Progress
from trainables import files
from trainables.files import Folder
from trainables.worker.actor import Worker


@dataclass(frozen=True)
class Trap:
    """Where a process dies: a boundary, the how-manieth time it is passed, and the file that says it has happened.

    victim: "driver" or "worker", for a boundary in a worker.
    """

    boundary: str
    passage: int
    mark: str
    victim: str = "driver"


@dataclass(frozen=True)
class Boundary:
    """A place in the code: before or after a call of `owner.name` whose arguments are as `when` says."""

    moment: str
    owner: Any
    name: str
    when: Callable[..., bool]


_last: list[Event] = []  # the newest event of this process, if any


def _line(kind: type[Event]) -> Callable[..., bool]:
    """An append of such an event."""
    return lambda _ledger, event: isinstance(event, kind)


def _with_checkpoint(_ledger: Ledger, event: Event) -> bool:
    return isinstance(event, Measured) and bool(event.checkpoint)


def _retrained(_ledger: Ledger, event: Event) -> bool:
    return isinstance(event, Measured) and event.repeat > 0 and event.state is State.DONE


def _fsync_of_the_ledger(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").readlink().name == "ledger.jsonl"


def _removal(of_ended: bool) -> Callable[..., bool]:
    """A checkpoint's removal after a measurement: of the older one, or of a trial that has ended."""
    return lambda _folder, _name: (
        bool(_last) and isinstance(_last[-1], Measured) and (_last[-1].state in FINAL) == of_ended
    )


def _is_measured(*_: Any, **__: Any) -> bool:
    """The newest line is a measurement."""
    return bool(_last) and isinstance(_last[-1], Measured)


def _half(name: str) -> Callable[[Path], bool]:
    """The bytes of a file of that name are written and it has not got its name yet."""
    return lambda path: path.name.startswith(name) and path.name.endswith(".tmp")


def _half_in(name: str, folder: str) -> Callable[[Path], bool]:
    return lambda path: _half(name)(path) and folder in path.parts


def _is_checkpoint(_folder: Folder, name: str, _data: Any) -> bool:
    return name.endswith(".pt")


def _half_checkpoint(path: Path) -> bool:
    return ".pt." in path.name and path.name.endswith(".tmp")


#: In the order in which a search comes to them.
IN_THE_DRIVER = {
    "search.json, with the forecast, half written": Boundary(
        "before", files, "sync", lambda path: bool(_last) and _half("search.json")(path)
    ),
    "before asked": Boundary("before", Ledger, "append", _line(Asked)),
    "after asked": Boundary("after", Ledger, "append", _line(Asked)),
    "before started": Boundary("before", Ledger, "append", _line(Started)),
    "after started": Boundary("after", Ledger, "append", _line(Started)),
    "checkpoint on disk, before its line": Boundary("before", Ledger, "append", _with_checkpoint),
    "line written, before its fsync": Boundary("before", os, "fsync", _fsync_of_the_ledger),
    "line on disk, before anything follows": Boundary("after", os, "fsync", _fsync_of_the_ledger),
    "line on disk, before the older checkpoint goes": Boundary("before", Folder, "remove", _removal(of_ended=False)),
    "older checkpoint gone, before the answer": Boundary("after", Folder, "remove", _removal(of_ended=False)),
    "line on disk, before the answer": Boundary("after", Driver, "measured", _is_measured),
    "after the answer": Boundary("before", Progress, "refresh", _is_measured),
    "a trial's end on disk, before its checkpoint goes": Boundary("before", Folder, "remove", _removal(of_ended=True)),
    "a trial's checkpoint gone, before the answer": Boundary("after", Folder, "remove", _removal(of_ended=True)),
    "before ended": Boundary("before", Ledger, "append", _line(Ended)),
    "after ended": Boundary("after", Ledger, "append", _line(Ended)),
    "before closed": Boundary("before", Ledger, "append", _line(Closed)),
    "after closed": Boundary("after", Ledger, "append", _line(Closed)),
    "trials.parquet half written": Boundary("before", files, "sync", _half("trials.parquet")),
    "trials.parquet new, epochs.parquet half written": Boundary("before", files, "sync", _half("epochs.parquet")),
    "a network half put in its place": Boundary("before", files, "sync", _half_in("model.safetensors", "retrain")),
    "a retrain's end on disk, before its files go": Boundary("after", Ledger, "append", _retrained),
    "in the test pass": Boundary("before", files, "sync", _half("predictions.parquet")),
    "between the test pass and tested": Boundary("before", Ledger, "append", _line(Tested)),
    "after tested": Boundary("after", Ledger, "append", _line(Tested)),
}

IN_A_WORKER = {
    "before a checkpoint is written": Boundary("before", Folder, "write", _is_checkpoint),
    "checkpoint half written": Boundary("before", files, "sync", _half_checkpoint),
    "checkpoint named, before its folder's fsync": Boundary(
        "before", files, "sync", lambda path: path.name == "checkpoints"
    ),
    "checkpoint on disk, before the worker's answer": Boundary("after", Folder, "write", _is_checkpoint),
    "a network half written": Boundary(
        "before", Folder, "write", lambda _folder, name, _data: name.endswith("+config.json")
    ),
}


def command(traps: Sequence[Trap]) -> list[str]:
    """What stands in place of `hpsearch` on a command line."""
    program = "from tests.chaos.boundary import main; main()"
    return [sys.executable, "-c", program, json.dumps([asdict(trap) for trap in traps])]


def main() -> None:
    """Set the traps and run the command."""
    traps = [Trap(**trap) for trap in json.loads(sys.argv[1])]
    sys.argv = ["hpsearch", *sys.argv[2:]]
    _wrap_after(Ledger, "append", lambda event, *_: _last.append(event))
    for trap in traps:
        if trap.boundary in IN_THE_DRIVER:
            _set(trap, IN_THE_DRIVER[trap.boundary], os.getpid())
    in_workers = [trap for trap in traps if trap.boundary in IN_A_WORKER]
    if in_workers:
        tuner.run_workers = functools.partial(tuner.run_workers, worker=_trapped(in_workers, os.getpid()))
    cli.main()


def _trapped(traps: Sequence[Trap], driver: int) -> type[Worker]:
    """A worker's class that sets traps in its process."""

    class Trapped(Worker):
        def setup(self, config: dict[str, Any], **parts: Any) -> None:
            _set_in_a_worker(traps, driver)
            super().setup(config, **parts)

    return Trapped


def _set_in_a_worker(traps: Sequence[Trap], driver: int) -> None:
    for trap in traps:
        _set(trap, IN_A_WORKER[trap.boundary], driver if trap.victim == "driver" else os.getpid())


def _set(trap: Trap, boundary: Boundary, victim: int) -> None:
    passed = 0

    def pass_by(*arguments: Any, **named: Any) -> None:
        nonlocal passed
        if not boundary.when(*arguments, **named):
            return
        passed += 1
        if passed < trap.passage:
            return
        try:
            Path(trap.mark).touch(exist_ok=False)
        except FileExistsError:
            return
        os.kill(victim, signal.SIGKILL)
        time.sleep(60)  # a worker whose driver that was stands still where it is, until Ray ends it

    if boundary.moment == "before":
        _wrap_before(boundary.owner, boundary.name, pass_by)
    else:
        _wrap_after(boundary.owner, boundary.name, lambda _result, *arguments, **named: pass_by(*arguments, **named))


def _wrap_before(owner: Any, name: str, call: Callable[..., None]) -> None:
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        call(*arguments, **named)
        return inner(*arguments, **named)

    setattr(owner, name, wrapped)


def _wrap_after(owner: Any, name: str, call: Callable[..., None]) -> None:
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = inner(*arguments, **named)
        call(result, *arguments, **named)
        return result

    setattr(owner, name, wrapped)
