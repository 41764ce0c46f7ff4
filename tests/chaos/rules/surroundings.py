"""What stands around the command: modules beside it, streams that close, signals, homes, temporary folders."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rules.rule import DIGITS, LAUNCH, Done, Place, Rule, both, powerless, shell, write

SMALL = ("--space", "small:space", "--name", "new")
INLINE = ("launch", *DIGITS, *SMALL, "--samples", "1", "--epochs", "1", "--engine", "inline")
LONG = ("launch", *DIGITS, *SMALL, "--samples", "2", "--epochs", "5000", "--engine", "inline")
RAY = ("launch", *DIGITS, *SMALL, "--samples", "2", "--epochs", "1", "--parallel", "2")
NEW = ("results/new", "results/new/*")
MINE = "raise SystemExit('somebody else runs')\n"
#: Modules that installed code imports, and that a user's folder may have as well.
BESIDE = (
    ("architectures", "trainables", "search"),
    ("torch", "numpy", "PIL"),
    ("random", "queue", "json", "click", "optuna"),
)
ALL = tuple(name for names in BESIDE for name in names)
SIGNALLED = str(Path(__file__).parents[1] / "signalled.py")
UV = shutil.which("uv") or str(Path(__file__).parents[3] / ".tools" / "bin" / "uv")


def fine(
    rule: str,
    shown: str,
    breaks: Callable[[Place], object],
    command: tuple[Any, ...] = INLINE,
    *,
    reason: str = "finished",
    code: int = 0,
    **more: Any,
) -> Rule:
    """A command that does as it would elsewhere; reason: how the record of its search is closed."""

    def after(place: Place, _: Done) -> Iterable[str]:
        if "new" not in command:
            return
        ledger = place.ledger("new")
        closed = [json.loads(line).get("reason") for line in ledger.read_text().splitlines()] if ledger.exists() else []
        if closed[-1:] != [reason]:
            yield f"the record ends with {closed[-1:]}, not {reason}"

    options = {"may_change": NEW, "lines": None} | more
    return Rule(rule=rule, input=shown, command=command, breaks=breaks, code=code, after=after, **options)


def modules(folder: str, *names: str) -> Callable[[Place], None]:
    """Modules of these names, that end whoever imports them."""
    return both(*(write(f"{folder}{name}.py", MINE) for name in names))


def packages(folder: str, *names: str) -> Callable[[Place], None]:
    """Packages of these names."""
    return both(*(write(f"{folder}{name}/__init__.py", MINE) for name in names))


def on_path(*folders: str) -> Callable[[Place], None]:
    """PYTHONPATH with these folders of the home."""

    def breaks(place: Place) -> None:
        place.environment["PYTHONPATH"] = os.pathsep.join(str(place.home / folder) for folder in folders)

    return breaks


def signalled(name: str, *options: str) -> Callable[[Place], None]:
    """The command gets this signal once its search has measured an epoch."""

    def breaks(place: Place) -> None:
        place.prefix = (sys.executable, SIGNALLED, name, str(place.ledger("new")), *options, "--")

    return breaks


def variable(name: str, value: str) -> Callable[[Place], None]:
    """A variable of the environment; HOME and OUTSIDE in its value stand for the folders."""

    def breaks(place: Place) -> None:
        place.environment[name] = value.replace("HOME", str(place.home)).replace("OUTSIDE", str(place.outside))

    return breaks


def forbidden_home(place: Place) -> None:
    """A home that may not be written."""
    (place.home / "kept").mkdir(mode=0o555)
    place.environment["HOME"] = str(place.home / "kept")
    powerless(place)


def left_by_a_killed_session(place: Place) -> None:
    """A folder for temporary files that nobody uses any more."""
    left = Path(place.environment["TMPDIR"]) / "hpsearch-scratch-killed"
    left.mkdir()
    (left / ".in-use").touch()


def without_ray(rule: str, shown: str, breaks: Callable[[Place], object], *says: str, **more: Any) -> Rule:
    """A launch whose Ray cannot start: one line that says why, and no search that holds its name."""
    return Rule(rule=rule, input=shown, command=RAY, breaks=breaks, code=1, lines=None, says=says, **more)


def examined(rule: str, shown: str, breaks: Callable[[Place], object], *says: str, code: int = 1) -> Rule:
    """What doctor sees beforehand."""

    def after(_: Place, done: Done) -> Iterable[str]:
        rows = json.loads(done.out)
        text = " | ".join(f"{row['check']}: {row['found']} {row['verdict']} {row['advice']}" for row in rows)
        yield from (f"doctor does not say {part!r}" for part in says if part not in text)

    command = ("doctor", "--json", "--data-dir", "data")
    return Rule(rule=rule, input=shown, command=command, breaks=breaks, code=code, lines=0, after=after)


LONG_PATH = "HOME/a-folder-for-temporary-files-whose-path-is-long"
RULES = [
    *(
        fine(f"modules beside the command are not taken for {names[0]}", f"{names[-1]}.py, …", modules("", *names))
        for names in BESIDE
    ),
    fine("packages beside the command are not taken for ours", "architectures/, search/", packages("", *ALL)),
    fine(
        "packages beside the command are not taken for ours in workers",
        "architectures/, random.py, …",
        both(packages("", "architectures", "trainables"), modules("", "random", "queue", "torch")),
        RAY,
    ),
    fine("modules on PYTHONPATH are not taken for ours", "search.py", both(modules("lib/", *ALL), on_path("lib"))),
    fine("packages on PYTHONPATH are not taken for ours", "search/", both(packages("lib/", *ALL), on_path("lib"))),
    fine(
        "a list needs nothing but what is installed",
        "search.py",
        both(modules("", *ALL), on_path("")),
        ("list",),
        lines=0,
        may_change=(),
    ),
    fine("progress that nobody reads is dropped", "| head -n 1", shell('set -o pipefail; "$@" 2>&1 | head -n 1')),
    fine("standard output may be closed", ">&-", shell('exec "$@" >&-')),
    fine("standard error may be closed", "2>&-", shell('exec "$@" 2>&-')),
    fine("all streams may be closed", "<&- >&- 2>&-", shell('exec "$@" <&- >&- 2>&-')),
    fine(
        "tables that nobody reads are dropped",
        "top | true",
        shell('set -o pipefail; "$@" | true'),
        ("top", "finished"),
        lines=0,
        may_change=(),
    ),
    fine("a lost terminal closes the record", "SIGHUP", signalled("SIGHUP"), LONG, reason="interrupted", code=130),
    fine(
        "a batch system's signal closes the record",
        "SIGTERM",
        signalled("SIGTERM"),
        LONG,
        reason="interrupted",
        code=130,
    ),
    fine("Ctrl-C closes the record", "SIGINT", signalled("SIGINT"), LONG, reason="interrupted", code=130),
    fine(
        "Ctrl-C through tee closes the record",
        "2>&1 | tee",
        signalled("SIGINT", "--tee"),
        LONG,
        reason="interrupted",
        code=130,
    ),
    fine("a home that cannot be written is no hindrance without Ray", "mode 555", forbidden_home),
    fine("what a killed session left goes at the next start", "hpsearch-scratch-killed", left_by_a_killed_session, RAY),
    fine("a locale that knows no UTF-8 is none", "LC_ALL=C", variable("LC_ALL", "C")),
    fine("threads that others set are set anew", "OMP_NUM_THREADS=64", variable("OMP_NUM_THREADS", "64")),
    fine("a proxy is not asked for this machine", "http_proxy", variable("no_proxy", ""), RAY),
    fine(
        "an address of another Ray is not taken", "RAY_ADDRESS=127.0.0.1:9", variable("RAY_ADDRESS", "127.0.0.1:9"), RAY
    ),
    without_ray(
        "a path that is too long for Ray's sockets is said",
        "60 characters",
        both(lambda place: Path(LONG_PATH.replace("HOME", str(place.home))).mkdir(), variable("RAY_TMPDIR", LONG_PATH)),
        "RAY_TMPDIR",
        may_change=("a-folder*",),
    ),
    without_ray("a home that cannot be written is said", "mode 555", forbidden_home, "HOME", "cannot be written"),
    without_ray(
        "a limit on address space is said",
        "ulimit -v",
        lambda place: setattr(place, "prefix", ("prlimit", f"--as={4 * 2**30}")),
        "ulimit -v",
    ),
    examined("doctor sees a path that is too long", "60 characters", variable("RAY_TMPDIR", LONG_PATH), "RAY_TMPDIR"),
    examined("doctor sees a home that cannot be written", "mode 555", forbidden_home, "cannot be written"),
    examined(
        "doctor sees a limit on address space",
        "ulimit -v",
        lambda place: setattr(place, "prefix", ("prlimit", f"--as={12 * 2**30}")),
        "ulimit -v unlimited",
    ),
    examined(
        "doctor sees a limit on open files",
        "ulimit -n 100",
        lambda place: setattr(place, "prefix", ("prlimit", "--nofile=100:100")),
        "4096 open files",
        code=0,
    ),
    *(
        [
            fine(
                "uv run changes nothing",
                "uv run --no-project",
                lambda place: setattr(place, "prefix", (UV, "run", "--offline", "--no-project")),
                RAY,
            )
        ]
        if Path(UV).exists()
        else []
    ),
    Rule(
        rule="a module that is imported in vain is named",
        input="import nowhere",
        command=(*LAUNCH, "--space", "mine:space"),
        breaks=write("mine.py", "import nowhere\n"),
        says=("mine", "nowhere"),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="surroundings", starts_anew=True) for rule in RULES]
