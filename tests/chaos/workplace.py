"""A folder in which rules are broken one after the other, each in a fresh copy of the same place."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from pathlib import Path

from rules import own_code
from rules.pictures import write_part
from rules.rule import FINISHED, INTERRUPTED, PICTURES, Done, Place, Rule, faults_of, files_in, lost_records

from tests.chaos.processes import processes_in
from tests.chaos.warm import HPSEARCH, Warm, wait

SMALL = """
from search.spaces import config_of


def space(trial):
    trial.suggest_categorical("network", ("cnn5",))
    trial.suggest_categorical("cnn5/width", (0.25,))
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_float("sgd/lr", 1e-3, 1e-1, log=True)
    trial.suggest_categorical("batch_size", (32,))
    return config_of(trial.params)
"""
OTHERS = ("torchinductor", "pymp-")  # what torch keeps, and what processes of Ray leave that end with it
RAY_STARTS = 5  # at most; where a machine is busy, Ray may not start in its own time
IMPOSSIBLE = (
    '{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {"cutout": 1000}}\n'  # pixels
)


class Workplace:
    """A folder of its own with a template, and a warm process that most rules' commands are forked from."""

    def __init__(self, stack: contextlib.ExitStack, *, cold: bool = False) -> None:
        """stack: what removes it. cold: whether every rule's command is started anew, as a user does."""
        # Ray's sockets lie below, and the path of a socket is 107 bytes at most.
        self.root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rules-", ignore_cleanup_errors=True)))
        self.home, self.outside, self.temporary = (self.root / name for name in ("home", "outside", "tmp"))
        self.outside.mkdir()
        (self.outside / "secret.txt").write_text("nobody's business")
        self.temporary.mkdir()
        self.environment = clean_environment(self.home)
        stack.callback(self.kill_all)
        self.template = self.root / "template"
        self._warm = None if cold else stack.enter_context(Warm(self.environment, on_one_core=True))

    def make_template(self) -> None:
        """The place that each rule gets a copy of, made where the copies will be, as searches name their data's place.

        It holds a finished search of the digits, one that was killed, and one of a user's own images.
        """
        home = self.home
        home.mkdir()
        (home / "small.py").write_text(SMALL)
        shutil.copyfile(own_code.MODULE, home / "own.py")
        (home / "impossible.jsonl").write_text(IMPOSSIBLE)
        write_part(home / PICTURES, 10)
        inline = ("--engine", "inline")
        digits = (
            "launch",
            "--dataset",
            "digits",
            "--data-dir",
            "data",
            "--limit-train",
            "300",
            "--space",
            "small:space",
        )
        self._hpsearch(*digits, "--samples", "3", "--epochs", "2", "--name", FINISHED, *inline)
        self._hpsearch("retrain", FINISHED, "--top", "1", "--epochs", "1", *inline)
        own = ("launch", "--dataset", PICTURES, "--data-dir", "data", "--space", "small:space", "--augment", "none")
        self._hpsearch(*own, "--samples", "1", "--epochs", "1", "--name", PICTURES, *inline)
        more = ("--samples", "2", "--parallel", "2", "--epochs", "200", "--scheduler", "none", "--name", INTERRUPTED)
        self._interrupt(*digits, *more)
        shutil.rmtree(home / "__pycache__", ignore_errors=True)
        home.rename(self.template)
        self._left_behind()

    def _hpsearch(self, *arguments: str) -> None:
        code, _, _ = self._run(arguments, 600)
        if code:
            said = (self.root / "err").read_text()
            sys.exit(f"no place to break rules in: {' '.join(arguments)} ended with {code}\n{said}")

    def _interrupt(self, *arguments: str) -> None:
        """A search with a real Ray whose driver and workers are killed once two of its trials have a checkpoint."""
        ledger, errors = self.home / "results" / INTERRUPTED / "ledger.jsonl", self.root / "err"
        for _ in range(RAY_STARTS):
            with (
                errors.open("wb") as file,
                subprocess.Popen([HPSEARCH, *arguments], cwd=self.home, env=self.environment, stderr=file) as process,
            ):
                while len(trials_with_checkpoints(ledger)) < 2 and process.poll() is None:
                    time.sleep(0.02)
                process.kill()
            self.kill_all()
            if len(trials_with_checkpoints(ledger)) == 2:
                return
        sys.exit(f"no search to interrupt: {errors.read_text()}")

    def kill_all(self) -> None:
        """Kill the processes that stand below the root, and wait until they are gone.

        A worker that trains stands in a folder of Tune's below Ray's, which is therefore here as well: it would go on
        to write a checkpoint after its driver is dead.
        """
        while pids := processes_in(self.root):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    def run(self, rule: Rule, seed: int) -> dict[str, object]:
        """Break one rule; the row that says what came of it."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.template, self.home, symlinks=True)
        rng = random.Random(zlib.crc32(rule.rule.encode()) + seed)
        with contextlib.ExitStack() as stack:
            place = Place(self.home, self.outside, rng, dict(self.environment), stack)
            rule.breaks(place)
            before = files_in(self.home, self.outside)
            done = self._call(rule, place, seed)
            self.kill_all()
        after = files_in(self.home, self.outside)
        lost = lost_records(before, after)
        faults = faults_of(rule, place, done, before, after) + ([f"{lost} records lost"] if lost else [])
        faults += self._left_behind()
        lines = [line.replace(str(self.root), "…") for line in (done.err or done.out).splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith("hpsearch: ") or "to be tried again" in line]
        message = next(iter(telling or lines), "")
        return {
            "group": rule.group,
            "rule": rule.rule,
            "input": rule.input,
            "exit_code": "hung" if done.code is None else done.code,
            "message": message[:300] if not faults else f"{'; '.join(faults)} | {message[:200]} | {done.err[-600:]}",
            "lost_records": lost,
            "seconds": round(done.seconds, 1),
            "outcome": "broke" if faults else "kept",
        }

    def _left_behind(self) -> list[str]:
        """What the command has left in the folder for temporary files, which is then empty again."""
        left = sorted(path.name for path in self.temporary.iterdir() if not path.name.startswith(OTHERS))
        shutil.rmtree(self.temporary)
        self.temporary.mkdir()
        return [f"left in the folder for temporary files: {', '.join(left[:5])}"] if left else []

    def _call(self, rule: Rule, place: Place, seed: int) -> Done:
        """The command in a process group of its own, ended when its time is over."""
        arguments = [str(part).replace("{seed}", str(seed)) if isinstance(part, str) else part for part in rule.command]
        is_warm = is_plain(rule, place, self.environment)
        program = sys.executable if rule.program else HPSEARCH
        code, seconds, mib = self._run(
            arguments, rule.seconds, [*place.prefix, program], place.environment, is_warm=is_warm
        )
        said, errors_said = ((self.root / name).read_text(errors="replace") for name in ("out", "err"))
        return Done(code, said, errors_said, seconds, mib)

    def _run(
        self,
        arguments: Sequence[str | bytes],
        most: float,
        program: Sequence[str] = (HPSEARCH,),
        environment: dict[str, str] | None = None,
        *,
        is_warm: bool = True,
    ) -> tuple[int | None, float, float]:
        """Exit code, None after `most` seconds, seconds and MiB of a command; what it says is in `out` and `err`."""
        out, err = self.root / "out", self.root / "err"
        began = time.monotonic()
        if self._warm and is_warm:
            words = [os.fsdecode(each) for each in arguments]
            code, mib = self._warm.call(words, self.home, environment or self.environment, out, err, most)
            return code, time.monotonic() - began, mib
        with out.open("wb") as to, err.open("wb") as errors:
            process = subprocess.Popen(
                [*program, *arguments],
                cwd=self.home,
                env=environment or self.environment,
                stdin=subprocess.DEVNULL,
                stdout=to,
                stderr=errors,
                start_new_session=True,
            )
            code, mib = wait(process.pid, began + most)
            process.returncode = -1 if code is None else code  # it has been waited for
        return code, time.monotonic() - began, mib


def is_plain(rule: Rule, place: Place, environment: dict[str, str]) -> bool:
    """Whether nothing that a rule holds depends on how the command's process starts.

    A session and a limit on memory get a process of their own from the beginning, and so does whatever is about the
    surroundings of the command, or changes what Python reads as it starts.
    """
    is_session = rule.lines is None and "inline" not in rule.command
    anew = rule.program or rule.starts_anew or rule.mib or is_session or place.prefix
    changed = {name for name, _ in place.environment.items() ^ environment.items()}
    return not (anew or any(name.startswith(("PYTHON", "LANG")) for name in changed))


def trials_with_checkpoints(ledger: Path) -> set[str]:
    """The trials of which the ledger names a checkpoint."""
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return {line.partition('"trial":')[2][0] for line in lines if '.pt"' in line}


def clean_environment(home: Path) -> dict[str, str]:
    """Nothing of this process's but what it takes to run; the network leads nowhere, and Ray writes beside the home."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait awake slow down whatever else computes
        "RAY_TMPDIR": str(home.parent),
        "TMPDIR": str(home.parent / "tmp"),
        **nowhere,
    }
