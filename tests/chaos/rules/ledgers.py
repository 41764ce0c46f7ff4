"""Ledgers: torn, damaged, forged, gone."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rules.rule import (
    FINISHED,
    INTERRUPTED,
    Place,
    Rule,
    change,
    flip,
    folder_in_place_of,
    line_with_checksum,
    unreadable,
)

FILE = f"results/{FINISHED}/ledger.jsonl"
RUN = (f"results/{FINISHED}/*", f"results/{INTERRUPTED}/*")


def lines(how: Callable[[list[bytes]], list[bytes]]) -> Callable[[Place], None]:
    """The finished search's ledger with other lines."""
    return change(FILE, lambda data: b"".join(how(data.splitlines(keepends=True))))


def forged(rule: str, shown: str, *says: str, verb: str = "status", **fields: Any) -> Rule:
    """A last line but one whose checksum is right and which says what cannot be."""

    def how(found: list[bytes]) -> list[bytes]:
        entry = {"v": 1, "seq": len(found), "time": 1.0, **fields}
        end = {"v": 1, "seq": len(found) + 1, "time": 2.0, "event": "closed", "reason": "finished"}
        return [*found, line_with_checksum(entry), line_with_checksum(end)]

    return Rule(rule=rule, input=shown, command=(verb, FINISHED), breaks=lines(how), says=("ledger.jsonl", *says))


def last_measurement(place: Place) -> tuple[list[bytes], int]:
    """The interrupted ledger's lines, and the index of the last that names a checkpoint."""
    found = place.ledger(INTERRUPTED).read_bytes().splitlines(keepends=True)
    return found, max(i for i, line in enumerate(found) if b'.pt"' in line)


def checkpoint_elsewhere(place: Place) -> None:
    """A line with a right checksum that names a file outside as a trial's checkpoint."""
    found, number = last_measurement(place)
    entry = json.loads(found[number])
    del entry["crc"]
    entry["checkpoint"] = "../../../../outside/secret.txt"
    found[number] = line_with_checksum(entry)
    place.ledger(INTERRUPTED).write_bytes(b"".join(found))


RULES = [
    Rule(
        rule="a torn last line hides nothing",
        input="half a line",
        command=("status", FINISHED),
        breaks=lines(lambda found: [*found, found[0][:40]]),
        code=0,
        lines=0,
    ),
    Rule(
        rule="a torn last line is cut off with a warning",
        input="half a line",
        command=("resume", FINISHED, "--engine", "inline"),
        breaks=lines(lambda found: [*found, found[0][:40]]),
        code=0,
        lines=None,
        says=("the last line is torn",),
        may_change=RUN,
        seconds=300,
    ),
    Rule(
        rule="zeros after a power cut hide nothing",
        input="4,096 zeros at the end",
        command=("status", FINISHED),
        breaks=change(FILE, lambda data: data + bytes(4096)),
        code=0,
        lines=0,
    ),
    Rule(
        rule="an empty ledger is a search that has not begun",
        input="no bytes",
        command=("status", FINISHED),
        breaks=change(FILE, lambda _: b""),
        code=0,
        lines=0,
    ),
    Rule(
        rule="a ledger that is gone is a search that has not begun",
        input="no file",
        command=("top", FINISHED),
        breaks=lambda place: place.ledger().unlink(),
        code=0,
        lines=0,
    ),
    Rule(
        rule="a line matches its checksum",
        input="a byte in the middle turned over",
        command=("resume", FINISHED),
        breaks=change(FILE, lambda data: flip(data, len(data) // 2)),
        says=("checksum", f"hpsearch resume {FINISHED} --until"),
    ),
    Rule(
        rule="events stand in order",
        input="lines 3 and 4 exchanged",
        command=("resume", FINISHED),
        breaks=lines(lambda found: [*found[:2], found[3], found[2], *found[4:]]),
        says=("line 3", "event 3 stands where 2 is due"),
    ),
    Rule(
        rule="no event is missing",
        input="line 3 gone",
        command=("status", FINISHED),
        breaks=lines(lambda found: [*found[:2], *found[3:]]),
        says=("line 3",),
    ),
    Rule(
        rule="a ledger is no newer than the command",
        input="version 2",
        command=("resume", FINISHED),
        breaks=lines(
            lambda found: [*found, line_with_checksum({"v": 2, "seq": len(found), "time": 1.0, "event": "opened"})]
        ),
        says=("version 2", "update"),
    ),
    Rule(
        rule="a ledger is made of lines",
        input="5,000 random bytes",
        command=("list",),
        breaks=lambda place: place.ledger().write_bytes(place.rng.randbytes(5000)),
        says=("ledger.jsonl, line 1",),
    ),
    Rule(
        rule="a ledger is a file",
        input="a folder",
        command=("status", FINISHED),
        breaks=folder_in_place_of(FILE),
        code=1,
        says=("ledger.jsonl",),
    ),
    Rule(
        rule="a ledger can be read",
        input="mode 000",
        command=("status", FINISHED),
        breaks=unreadable(FILE),
        code=1,
        says=("Permission denied",),
    ),
    forged("a measured trial was asked for", "trial 99 measured", event="measured", trial=99, repeat=0, attempt=1),
    forged("an event has all its fields", "measured, and nothing else", event="measured"),
    forged("an event is a known one", "event levitated", event="levitated", trial=0, repeat=0),
    forged("a trial is a number", "trial ../../x", event="asked", trial="../../x", repeat=0, config={}),
    forged("a session's slots are a number", "slots: many", event="opened", slots="many", samples=3),
    forged("a recorded configuration is one", "config: 5", event="asked", trial=9, repeat=0, config=5, verb="top"),
    Rule(
        rule="an event has a version",
        input="{}",
        command=("status", FINISHED),
        breaks=lines(lambda found: [line_with_checksum({}), *found]),
        says=("line 1",),
    ),
    Rule(
        rule="a checkpoint lies in the search's folder",
        input="../../../../outside/secret.txt",
        command=("resume", INTERRUPTED),
        breaks=checkpoint_elsewhere,
        says=("ledger.jsonl", "outside/secret.txt"),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="ledgers") for rule in RULES]
