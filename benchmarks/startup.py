"""Measures how long the command takes to answer, what it imports for that, and how long a search takes to begin.

`hpsearch --help` is measured against a Python that imports click and does nothing else, interleaved. Then: which of the
heavy modules each verb imports. Then: a tiny search of the digits, from the start of its process to the first training
step, in parts that its ledger tells apart.

`python benchmarks/startup.py` prints Markdown tables.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import began, header, spread, table

from search.cli.main import cli
from search.history import ledger
from search.history.events import Asked, Measured, Opened, Started, parse
from trainables.data.load import load

HPSEARCH = str(Path(sys.executable).with_name("hpsearch"))
CLICK = [sys.executable, "-c", "import click"]
HEAVY = ("torch", "ray", "optuna", "pandas", "numpy", "pyarrow")
# The command as its script runs it; what it has imported goes to standard error at its end.
SPY = f"""
import atexit, sys
from search.cli.main import main
atexit.register(lambda: print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr))
main()
"""
PARTS = {
    "imports, data and checks, until the session opens": ("process", "opened"),
    "Ray's start, and the imports that only training needs": ("opened", "asked"),
    "the first worker's start": ("asked", "started"),
    "the forecast's calibration, until the first step": ("started", "step"),
    "all, from the process's start to the first step": ("process", "step"),
}


def seconds(command: list[str]) -> float:
    """Wall clock of a command."""
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def against_click(repeats: int) -> str:
    """`hpsearch --help` and a Python with click."""
    ways = {"`hpsearch --help`": [HPSEARCH, "--help"], '`python -c "import click"`': CLICK}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for repeat in range(repeats + 1):
        for way, command in ways.items():
            measured = seconds(command)
            if repeat:  # the first round warms up
                times[way].append(1000 * measured)
    click = statistics.median(list(times.values())[-1])
    return table(
        [
            {"command": way, "ms": spread(values, ".0f"), "to click's": f"{statistics.median(values) / click:.2f}×"}
            for way, values in times.items()
        ]
    )


def imports(verbs: list[list[str]]) -> str:
    """A row a command line: its time and the heavy modules that it imports."""
    rows = []
    for verb in verbs:
        shown = " ".join(["hpsearch", *verb]).partition(" --results")[0]
        print(f"{shown} …", file=sys.stderr)
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", SPY, *verb], capture_output=True, text=True, check=True)
        taken = 1000 * (time.perf_counter() - began)
        rows.append(
            {"command": f"`{shown}`", "ms": f"{taken:.0f}", "imports": done.stderr.splitlines()[-1].replace(" ", ", ")}
        )
    return table(rows)


def launch(folder: Path, name: str) -> dict[str, float]:
    """When a launch's process, session, first draw, first worker and first step began (Unix seconds)."""
    print(f"hpsearch launch, {name} …", file=sys.stderr)
    options = ["--dataset", "digits", "--space", "cnn5", "--samples", "2", "--epochs", "1", "--augment", "none"]
    places = ["--data-dir", str(folder / "data"), "--results", str(folder / "results"), "--name", name]
    moments = {"process": time.time()}
    subprocess.run([HPSEARCH, "launch", *options, *places], check=True, capture_output=True)
    events = list(parse(ledger.read(folder / "results" / name / "ledger.jsonl")))
    for kind in (Opened, Asked, Started):
        moments[kind.kind] = next(event.time for event in events if isinstance(event, kind))
    return moments | {"step": min(began(event) for event in events if isinstance(event, Measured))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20, help="of --help and of click, interleaved")
    parser.add_argument("--launches", type=int, default=3, help="searches whose beginning is measured")
    parser.add_argument("--short", action="store_true", help="3 repeats, no launch")
    asked = parser.parse_args()
    repeats, launches = (3, 0) if asked.short else (asked.repeats, asked.launches)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        load("digits", "train", data_dir=folder / "data")  # decoded before the clock runs
        helped = against_click(repeats)
        begun = [launch(folder, f"launch-{number}") for number in range(launches)]
        results = ["--results", str(folder / "results")]
        verbs = [[verb, "--help"] for verb in cli.commands]
        verbs += [["spaces"], ["networks"]]
        if begun:
            verbs += [["status", *results], ["top", *results], ["list", *results]]
        imported = imports([["--help"], *verbs])
    print(header("ray", "click"), end="\n\n")
    print(helped, end="\n\n")
    print(imported, end="\n\n")
    if not begun:
        return
    rows = [
        {"from `hpsearch launch` on": part, "s": spread([moments[to] - moments[since] for moments in begun], ".1f")}
        for part, (since, to) in PARTS.items()
    ]
    print(table(rows))


if __name__ == "__main__":
    main()
