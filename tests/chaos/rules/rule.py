"""A rule of the product: how it is broken, and what must come of it."""

import json
import os
import random
import re
import zlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

#: The searches that every place holds: two of the digits, and one of a folder of pictures that is called as it is.
FINISHED, INTERRUPTED, PICTURES = "finished", "interrupted", "pictures"
DIGITS = ("--dataset", "digits", "--data-dir", "data", "--limit-train", "300")
LAUNCH = ("launch", *DIGITS, "--samples", "2", "--epochs", "1", "--name", "new")
#: A wrong request whose images are read and cached before it is refused.
READ_IMAGES = ("launch", "--data-dir", "data", "--space", "impossible.jsonl", "--name", "new")
RETRAIN = ("retrain", FINISHED, "--top", "1", "--epochs", "1", "--engine", "inline")


@dataclass
class Place:
    """Where a rule is broken: a fresh folder with a finished and an interrupted search, in which the command runs.

    outside: a folder beside it that nothing may touch. environment: of the command. stack: what must be undone
    afterwards. prefix: the words before the command, of a program that starts it in other surroundings.
    """

    home: Path
    outside: Path
    rng: random.Random
    environment: dict[str, str]
    stack: ExitStack
    prefix: tuple[str, ...] = ()

    def search(self, name: str = FINISHED) -> Path:
        """A search's folder."""
        return self.home / "results" / name

    def ledger(self, name: str = FINISHED) -> Path:
        """A search's ledger."""
        return self.search(name) / "ledger.jsonl"


@dataclass(frozen=True)
class Done:
    """What a command did; code is None when it hung and was ended."""

    code: int | None
    out: str
    err: str
    seconds: float
    mib: float


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule broken in one way.

    rule: what the product says. input: what breaks it. command: arguments of hpsearch, or of a Python program. breaks:
    prepares the place. code: the exit codes that are right. says: what standard error holds. lines: how many lines
    there are on it, or None for a session, which reports its progress there. may_change: patterns of files below the
    place's home that a documented repair or a session changes. seconds: after which the command counts as hung. mib: of
    memory at most. after: further faults. program: whether the command is a Python program. needs_root: whether it can
    be broken by root alone. starts_anew: whether it is about how the command starts, which then is not forked.
    """

    rule: str
    input: str
    command: tuple[Any, ...]
    breaks: Callable[[Place], object] = lambda _: None
    code: int | tuple[int, ...] = 2
    says: tuple[str, ...] = ()
    lines: int | None = 1
    may_change: tuple[str, ...] = ()
    seconds: float = 180
    mib: float | None = None
    after: Callable[[Place, Done], Iterable[str]] = lambda *_: ()
    program: bool = False
    needs_root: bool = False
    starts_anew: bool = False
    group: str = field(default="", kw_only=True)


def faults_of(rule: Rule, place: Place, done: Done, before: dict[str, bytes], after: dict[str, bytes]) -> list[str]:
    """What the rule promises and was not so."""
    codes = rule.code if isinstance(rule.code, tuple) else (rule.code,)
    found = []
    if done.code is None:
        found.append("it hung")
    elif done.code not in codes:
        found.append(f"exit code {done.code}, not {' or '.join(map(str, codes))}")
    if "Traceback" in done.err + done.out:
        found.append("a traceback")
    lines = done.err.splitlines()
    if rule.lines is not None and len(lines) != rule.lines:
        found.append(f"{len(lines)} lines on standard error, not {rule.lines}")
    if rule.lines == 1 and not re.match(r"hpsearch: \S", done.err):
        found.append("the line is not the command's own")
    found += [f"it does not say {part!r}" for part in rule.says if part not in done.err]
    if rule.mib is not None and done.mib > rule.mib:
        found.append(f"{done.mib:.0f} MiB of memory, more than {rule.mib:.0f}")
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    allowed = (*rule.may_change, "data", "data/*", ".ray", ".ray/*", ".cache", ".cache/*")
    if stray := [name for name in changed if not any(fnmatch(name, pattern) for pattern in allowed)]:
        found.append(f"changed: {', '.join(stray[:5])}")
    return found + list(rule.after(place, done))


def files_in(home: Path, outside: Path) -> dict[str, bytes]:
    """Every file's content by its name relative to home; those outside begin with an exclamation mark."""
    found = {}
    for root, mark in ((home, ""), (outside, "!")):
        for path in sorted(root.rglob("*")):
            name = mark + str(path.relative_to(root))
            if path.is_symlink():
                found[name] = str(path.readlink()).encode()
            elif path.is_file():
                found[name] = path.read_bytes()
            else:
                found[name] = b"folder" if path.is_dir() else b"device"
    return found


def lost_records(before: dict[str, bytes], after: dict[str, bytes]) -> int:
    """Whole lines of all ledgers, up to the first that is damaged, that are there no more."""
    lost = 0
    for name, data in before.items():
        if name.endswith("ledger.jsonl"):
            whole = whole_lines(data)
            lost += len(whole) - len(set(whole) & set(after.get(name, b"").splitlines()))
    return lost


def whole_lines(data: bytes) -> list[bytes]:
    """The lines before the first whose end is missing, whose checksum is wrong, or which stands in another's place."""
    lines = []
    for line in data.split(b"\n")[:-1]:
        body, mark, crc = line[:-1].rpartition(b',"crc":')
        if not mark or not crc.isdigit() or zlib.crc32(body + b"}") != int(crc):
            break
        if not line.startswith(b"{") or f'"seq":{len(lines)},'.encode() not in line:
            break
        lines.append(line)
    return lines


# ---- ways to break a file


def write(name: str, content: str | bytes) -> Callable[[Place], None]:
    """A file in the home folder with this content."""

    def breaks(place: Place) -> None:
        path = place.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return breaks


def change(name: str, how: Callable[[bytes], bytes]) -> Callable[[Place], None]:
    """A file in the home folder whose bytes are changed."""

    def breaks(place: Place) -> None:
        path = place.home / name
        path.write_bytes(how(path.read_bytes()))

    return breaks


def change_json(name: str, how: Callable[[dict[str, Any]], Any]) -> Callable[[Place], None]:
    """A JSON file in the home folder whose data are changed."""
    return change(name, lambda data: json.dumps(how(json.loads(data))).encode())


def both(*steps: Callable[[Place], object]) -> Callable[[Place], None]:
    """One step after the other."""

    def breaks(place: Place) -> None:
        for step in steps:
            step(place)

    return breaks


def folder_in_place_of(name: str) -> Callable[[Place], None]:
    """A folder where a file should be."""

    def breaks(place: Place) -> None:
        (place.home / name).unlink()
        (place.home / name).mkdir()

    return breaks


def unreadable(name: str) -> Callable[[Place], None]:
    """A file that may not be read."""

    def breaks(place: Place) -> None:
        (place.home / name).chmod(0)
        powerless(place)

    return breaks


def powerless(place: Place) -> None:
    """Root may not read and write what is forbidden, as nobody else may."""
    if os.geteuid() == 0:
        place.prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", *place.prefix)


def shell(line: str) -> Callable[[Place], None]:
    """The command as "$@" in a line of bash."""

    def breaks(place: Place) -> None:
        place.prefix = ("bash", "-c", line, "bash")

    return breaks


def flip(data: bytes, at: int) -> bytes:
    """The bytes with one of them turned over."""
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def line_with_checksum(entry: Any) -> bytes:
    """A ledger's line as the product writes it, whatever it says."""
    body = json.dumps(entry, separators=(",", ":"))
    return f'{body[:-1]},"crc":{zlib.crc32(body.encode())}}}\n'.encode()


def runs_when_read(file: Path) -> Any:
    """What makes this file when it is unpickled."""
    return _Evil(file)


class _Evil:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.file}",)
