"""The command in processes that have its modules already: forked from one that has imported them and done nothing else.

A forked process has its own arguments, folder, streams, memory, session and exit code, and runs the entry point of the
installed command. It saves the seconds that importing torch takes, which no rule on a dataset or an option is about.
"""

import atexit
import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

HPSEARCH = str(Path(sys.executable).with_name("hpsearch"))
MODULES = (
    "hpsearch_command",
    "search.cli.main",
    "search.run.launch",
    "search.run.retrain",
    "search.run.engines.inline",
    "search.samplers.random",
    "search.samplers.tpe",
    "search.schedulers.asha",
    "search.schedulers.none",
    "search.show.forecast",
    "search.show.ranking",
    "search.show.status",
    "search.show.winners",
    "sklearn.datasets",
    "pyarrow.parquet",
    "torch._dynamo",
)


class Warm:
    """The process to fork from, seen from outside; use as a context manager."""

    def __init__(self, environment: dict[str, str], *, on_one_core: bool = False) -> None:
        """environment: what its modules are imported in. on_one_core: whether each command has one of the cores."""
        self._on_one_core = on_one_core
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            cwd="/",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(
        self,
        arguments: Sequence[str],
        folder: Path,
        environment: dict[str, str],
        out: Path,
        err: Path,
        seconds: float,
    ) -> tuple[int | None, float]:
        """Run the command in a folder with its output in two files; as `wait`."""
        asked = {
            "arguments": arguments,
            "folder": str(folder),
            "environment": environment,
            "out": str(out),
            "err": str(err),
            "on_one_core": self._on_one_core,
            "seconds": seconds,
        }
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code, mib = json.loads(self._process.stdout.readline())
        return code, mib

    def __enter__(self) -> "Warm":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def wait(pid: int, deadline: float) -> tuple[int | None, float]:
    """Exit code of a process that leads a group, None where the deadline ended it, and its peak memory in MiB."""
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # whatever it has left behind
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            os.wait4(pid, 0)
            return None, 0.0
        time.sleep(0.02)


def main() -> None:
    """Import what the command imports, then run it as often as standard input asks, each time in a fork."""
    import importlib

    for module in MODULES:
        importlib.import_module(module)
    gc.freeze()  # or else each fork's collector would copy all of their memory
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            del asked["seconds"]
            become_the_command(**asked)
        print(json.dumps(wait(pid, time.monotonic() + asked["seconds"])), flush=True)


def become_the_command(
    arguments: list[str], folder: str, environment: dict[str, str], out: str, err: str, on_one_core: bool
) -> None:
    """Run the command's entry point in this process, which ends with it."""
    import hpsearch_command

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # One thread trains a tiny network faster than two, above all on a busy machine.
    if on_one_core and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
    for number, (place, flags) in enumerate(
        (
            (os.devnull, os.O_RDONLY),
            (out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
            (err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        )
    ):
        file = os.open(place, flags)
        os.dup2(file, number)
        os.close(file)
    sys.argv = [HPSEARCH, *arguments]
    sys.path[0] = str(Path(HPSEARCH).parent)
    code: object = 0
    try:
        hpsearch_command.main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code if isinstance(code, int) else 0)  # without taking down all modules one by one


if __name__ == "__main__":
    main()
