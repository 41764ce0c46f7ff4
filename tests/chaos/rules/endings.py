"""Endings and words: names that nobody asked for, records that cannot go on, and counts in plain English."""

import json
import re
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from rules.rule import DIGITS, FINISHED, INTERRUPTED, PICTURES, Done, Place, Rule, line_with_checksum

INLINE = ("--engine", "inline")
SMALL = ("launch", *DIGITS, "--space", "small:space", "--samples", "1", "--epochs", "1")
ODD = re.compile(
    r"\b1 (trials|epochs|times|workers|slots|threads|images|networks|files|samples|classes)\b|\bnan\b", re.I
)
#: What shows a search.
SHOWN = (
    *((verb, name) for name in (FINISHED, INTERRUPTED, PICTURES) for verb in ("status", "top")),
    ("list",),
    ("retrain", FINISHED, "--top", "1", "--epochs", "1", *INLINE),
)
CONFIG = {"network": {"name": "cnn5", "width": 0.25}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {}}
#: Draws that a ledger holds and that cannot be trained here.
RECORDED: dict[str, dict[str, Any]] = {
    "a network that is gone": {"network": {"name": "own:gone"}},
    "a network that raises": {"network": {"name": "own:raises"}},
    "a network that has no output a class": {"network": {"name": "own:short"}},
    "an optimizer that is unknown": {"optimizer": {"name": "nosuch", "lr": 0.1}},
    "a batch that is too large": {"training": {"batch_size": 10**6}},
}


def plain_words(command: tuple[str, ...]) -> Rule:
    """What a verb says has plurals where there are several, and no nan."""

    def after(_: Place, done: Done) -> Iterable[str]:
        yield from (f"it says {found[0]!r}" for found in ODD.finditer(done.out + done.err))

    rule = f"{command[0]} counts in plain words: {command[1] if command[1:] else 'all'}"
    changed = (f"results/{FINISHED}/*",) if command[0] == "retrain" else ()
    shown = " ".join(command[:2])
    return Rule(rule=rule, input=shown, command=command, code=0, lines=None, may_change=changed, after=after)


def recorded(shown: str, parts: dict[str, Any]) -> Rule:
    """A resume whose ledger has a draw that was asked for and never began."""

    def breaks(place: Place) -> None:
        lines = place.ledger().read_bytes().splitlines(keepends=True)
        asked = next(json.loads(line) for line in reversed(lines) if b'"event":"asked"' in line)
        del asked["crc"]
        entry = asked | {"seq": len(lines), "trial": 3, "repeat": 0, "config": CONFIG | parts}
        place.ledger().write_bytes(b"".join((*lines, line_with_checksum(entry))))

    return Rule(
        rule=f"a resume gets past a recorded draw: {shown}",
        input=json.dumps(parts),
        command=("resume", FINISHED, "--samples", "4", *INLINE),
        breaks=breaks,
        code=(0, 1, 2),
        lines=None,
        may_change=(f"results/{FINISHED}/*",),
    )


def taken_names(place: Place) -> None:
    """Folders of the names that a launch without a name would have in the next minute."""
    for second in range(60):
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(time.time() + second))
        (place.home / "results" / f"small-space-digits-{stamp}").mkdir()


def second_name(place: Place, _: Done) -> Iterable[str]:
    """The search has a name that was free."""
    found = [path.parent.name for path in (place.home / "results").glob("small-space-digits-*/search.json")]
    if len(found) != 1 or not found[0].endswith("-2"):
        yield f"the search is called {found}"


def said(rule: str, shown: str, command: tuple[Any, ...], line: str, **more: Any) -> Rule:
    """A session that says this."""
    changed = ("results/new", "results/new/*")
    return Rule(
        rule=rule, input=shown, command=command, code=0, lines=None, says=(line,), **({"may_change": changed} | more)
    )


def killed_launch(place: Place) -> None:
    """A folder that a launch was killed in before it had a request."""
    (place.home / "results" / "half").mkdir()


NAMED = (*SMALL, "--name", "new")
RULES = [
    *(plain_words(command) for command in SHOWN),
    *(recorded(shown, parts) for shown, parts in RECORDED.items()),
    Rule(
        rule="a name that nobody asked for is made until it is free",
        input="the names of the next minute are taken",
        command=(*SMALL, *INLINE),
        breaks=taken_names,
        code=0,
        lines=None,
        may_change=("results/small-space-digits-*",),
        after=second_name,
    ),
    said("one worker is one", "--parallel 1", (*NAMED, "--parallel", "1"), "starting Ray and 1 worker …"),
    said("one slot is one", "--engine inline", (*NAMED, *INLINE), "1 slot, "),
    said("one trial is one", "--samples 1", (*NAMED, *INLINE), "1 trial of small:space on"),
    said(
        "a folder without a search holds no list up",
        "results/half/",
        ("list",),
        "",
        breaks=killed_launch,
        may_change=(),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="endings") for rule in RULES]
