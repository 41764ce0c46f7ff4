"""Breaks every rule of the product that bad input can break, each once, and records what comes of it.

    python tests/chaos/bad_input.py --seed 1 --out results/evidence/bad-input.csv
    python tests/chaos/bad_input.py --only ledger

A rule is an entry in a list of tests/chaos/rules. Each is broken in a fresh folder that holds a small finished search
and an interrupted one, with the installed command in a process of its own and a limit of time. The promise: the right
exit code, one line on standard error, no traceback, no hang, and nothing lost. Exit code 1 when it was broken.
"""

import argparse
import contextlib
import csv
import ctypes
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

from rules import (
    archives,
    checkpoints,
    command_line,
    datasets,
    generated,
    ledgers,
    own_code,
    requests,
    spaces,
    taken,
    weights,
)
from rules.rule import FINISHED, INTERRUPTED, Done, Place, Rule, faults_of, files_in, lost_records

from tests.chaos.processes import processes_in

HPSEARCH = str(Path(sys.executable).with_name("hpsearch"))
GROUPS = (command_line, spaces, own_code, requests, ledgers, checkpoints, weights, datasets, taken, archives, generated)
COLUMNS = ("group", "rule", "input", "exit_code", "message", "lost_records", "seconds", "outcome")

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
IMPOSSIBLE = '{"network": {"name": "own:misfit"}, "optimizer": {"name": "sgd", "lr": 0.1}}\n'


def main() -> None:
    """Break the rules and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[""], help="rules or groups that contain one of these texts")
    parser.add_argument("--out", type=Path, help="a CSV file for the table")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="hpsearch-bad-input-") as root:
        template = make_template(Path(root))
        for rule in all_rules():
            if any(text in f"{rule.group}: {rule.rule}" for text in options.only):
                rows.append(run(rule, Path(root), template, options.seed))
                if options.out:
                    keep(rows, options.out)
                print(f"{rows[-1]['outcome']:5} {rows[-1]['seconds']:>6} s  {rule.group}: {rule.rule}", flush=True)
                if rows[-1]["outcome"] != "kept":
                    print(f"      {rows[-1]['message']}", flush=True)
    broken = [row for row in rows if row["outcome"] != "kept"]
    print(f"seed {options.seed}: {len(rows)} rules, {len(broken)} broken promises")
    sys.exit(1 if broken else 0)


def keep(rows: list[dict[str, object]], path: Path) -> None:
    """Write what is known so far."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def all_rules() -> list[Rule]:
    """The rules of all groups, in order."""
    return [rule for group in GROUPS for rule in group.rules()]


def make_template(root: Path) -> Path:
    """The folder that each rule gets a copy of, made where the copies will be, as searches name their data's place."""
    home = fresh(root / "home")
    fresh(root / "outside").joinpath("secret.txt").write_text("nobody's business")
    (home / "small.py").write_text(SMALL)
    (home / "own.py").write_text(own_code.MODULE)
    (home / "impossible.jsonl").write_text(IMPOSSIBLE)
    launch = ("launch", "--dataset", "digits", "--data-dir", "data", "--limit-train", "300", "--space", "small:space")
    environment = clean_environment(home)

    def hpsearch(*arguments: str) -> None:
        command = [HPSEARCH, *arguments]
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=600)
        if done.returncode:
            sys.exit(f"no place to break rules in: {' '.join(arguments)} ended with {done.returncode}\n{done.stderr}")

    without_ray = ("--engine", "inline")
    hpsearch(*launch, "--samples", "3", "--epochs", "2", "--name", FINISHED, *without_ray)
    hpsearch("retrain", FINISHED, "--top", "1", "--epochs", "1", *without_ray)
    more = ("--samples", "2", "--parallel", "2", "--epochs", "200", "--scheduler", "none", "--name", INTERRUPTED)
    with subprocess.Popen([HPSEARCH, *launch, *more], cwd=home, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 300
        while len(trials_with_checkpoints(home / "results" / INTERRUPTED)) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    kill_all_that_stand_in(home)  # its workers would still write a checkpoint
    assert len(trials_with_checkpoints(home / "results" / INTERRUPTED)) == 2, (
        "the interrupted search has no checkpoints"
    )
    shutil.rmtree(home / "__pycache__", ignore_errors=True)
    return home.rename(root / "template")


def kill_all_that_stand_in(folder: Path) -> None:
    """Kill the processes whose working directory it is, and wait until they are gone."""
    while pids := processes_in(folder):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def trials_with_checkpoints(search: Path) -> set[str]:
    """The trials of which the ledger names a checkpoint."""
    ledger = search / "ledger.jsonl"
    lines = ledger.read_text().splitlines() if ledger.exists() else []
    return {line.partition('"trial":')[2][0] for line in lines if '.pt"' in line}


def run(rule: Rule, root: Path, template: Path, seed: int) -> dict[str, object]:
    """Break one rule; the row that says what came of it."""
    home, outside = root / "home", root / "outside"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(template, home, symlinks=True)
    rng = random.Random(zlib.crc32(rule.rule.encode()) + seed)
    with contextlib.ExitStack() as stack:
        place = Place(home, outside, rng, clean_environment(home), stack)
        rule.breaks(place)
        before = files_in(home, outside)
        done = call(rule, place, seed)
    after = files_in(home, outside)
    lost = lost_records(before, after)
    faults = faults_of(rule, place, done, before, after) + ([f"{lost} records lost"] if lost else [])
    lines = [line.replace(str(root), "…") for line in (done.err or done.out).splitlines() if line.strip()]
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


def call(rule: Rule, place: Place, seed: int) -> Done:
    """The command in a process group of its own, ended when its time is over."""
    arguments = [str(part).replace("{seed}", str(seed)) if isinstance(part, str) else part for part in rule.command]
    command = [sys.executable, *arguments] if rule.program else [HPSEARCH, *arguments]
    out, err = (place.home.parent / name for name in ("out", "err"))
    began = time.monotonic()
    with Path(place.stdout or out).open("wb") as to, err.open("wb") as errors:
        process = subprocess.Popen(
            command,
            cwd=place.home,
            env=place.environment,
            stdin=subprocess.DEVNULL,
            stdout=to,
            stderr=errors,
            start_new_session=True,
            preexec_fn=give_up_root if place.powerless else None,
        )
        code, mib = wait(process, began + rule.seconds)
    seconds = time.monotonic() - began
    said = "" if place.stdout else out.read_text(errors="replace")
    return Done(code, said, err.read_text(errors="replace"), seconds, mib)


def wait(process: subprocess.Popen[bytes], deadline: float) -> tuple[int | None, float]:
    """Exit code, None after the deadline, and peak memory in MiB."""
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever it has left behind
            return process.returncode, usage.ru_maxrss / 1024
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return None, 0.0
        time.sleep(0.02)


def give_up_root() -> None:
    """Take from a child the right of root to read what is forbidden."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def clean_environment(home: Path) -> dict[str, str]:
    """Nothing of this process's but what it takes to run; the network leads nowhere."""
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **nowhere}


def fresh(folder: Path) -> Path:
    """A new, empty folder."""
    folder.mkdir(parents=True)
    return folder


if __name__ == "__main__":
    main()
