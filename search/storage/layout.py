"""Storage: a second home of searches, so that another machine can go on when one dies with its disk.

STORAGE/NAME/search.json, space.jsonl           copies
STORAGE/NAME/drivers/0002.json                  the claim of the second driver that wrote here
STORAGE/NAME/record/0002-5ac1f00d-000001.jsonl  its first segment: whole ledger lines, never rewritten
STORAGE/NAME/beats/0002-5ac1f00d.json           its heartbeat
STORAGE/NAME/retrain/<trial>-<repeat>/…         weights, configuration, predictions

STORAGE is a shared folder or a URI of `trainables.files`. A claim names the event from which its driver's lines count;
they count up to the event that a later claim names. So what an old driver still writes, late or cut off, changes
nothing. `search.storage.mirror` writes this, `search.storage.takeover` brings it to another machine.
"""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from architectures.errors import HpsearchError, one_line
from search.history import ledger
from search.history.store import NAME
from trainables import files
from trainables.files import Folder

LOSS_WINDOW = 5.0
"""Seconds of record that are lost at most when a machine dies with its disk while its storage answers.

A line is in the storage so long after it was recorded, or sooner. Whoever goes on elsewhere repeats the epochs whose
lines are not.
"""

DESCRIPTION = ("search.json", "space.jsonl")
RETRAINED = ("config.json", "model.safetensors", "predictions.parquet")
_MEMORY = "storage.json"
_CLAIM = re.compile(r"drivers/(\d{4,})\.json")
_SEGMENT = re.compile(r"record/(\d{4,}-[0-9a-f]{8})-(\d{6,})\.jsonl")
_DENIED = (
    "ACCESS_DENIED",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN",
    "PERMISSION_DENIED",
)
_UNREACHABLE = ("NETWORK_CONNECTION", "UNAVAILABLE")
_READERS = 16


class StorageError(HpsearchError):
    """A storage that cannot be used, or does not hold what was asked for: one line."""


@dataclass(frozen=True)
class Home:
    """A search's place in a storage; both are checked by `home_of`."""

    location: str
    name: str

    @property
    def folder(self) -> Folder:
        """The files there."""
        return Folder(self.location).below(self.name)

    def __str__(self) -> str:
        return files.shown(self.folder.location)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A driver's claim to a search: its lines count from event `first_seq` on.

    number: one more than the claim before. id: random, to tell apart who claims one number at the same moment.
    time: Unix seconds by the driver's own clock.
    """

    number: int
    id: str
    host: str
    pid: int
    time: float
    first_seq: int

    @property
    def beat(self) -> str:
        """The name of its heartbeat."""
        return f"beats/{self.number:04}-{self.id}.json"

    def segment(self, number: int) -> str:
        """The name of a segment of its record, from 1."""
        return f"record/{self.number:04}-{self.id}-{number:06}.jsonl"

    @property
    def owner(self) -> str:
        """Its driver, for people."""
        return f"{self.host} (process {self.pid})"


@dataclass(frozen=True)
class Stored:
    """What a storage holds of a search: its claims, the oldest first, and the ledger's lines that count."""

    claims: list[Claim]
    lines: list[bytes]


def home_of(location: str, name: str) -> Home:
    """A search's place in a storage; raises StorageError for a name or a location that may be none."""
    if not NAME.fullmatch(name):
        raise StorageError(
            "a search's name is 1 to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit; "
            f"got '{name}'"
        )
    return Home(_absolute(location), name)


def _absolute(location: str) -> str:
    if files.is_uri(location):
        return location
    if re.match(rf"({'|'.join(files.SCHEMES)}):", location):
        raise StorageError(f"a storage is a path, or a URI such as s3://bucket/path; got '{location}'")
    return str(Path(location).absolute())


def find(location: str, name: str | None) -> Home:
    """The search of that name, or the newest by creation; raises StorageError when there is none."""
    if name is not None:
        home = home_of(location, name)
        with reported(home.location):
            if _exists(home):
                return home
    with reported(location):
        known = searches(location)
    if name is None and known:
        return home_of(location, known[-1])
    hint = f"the newest are {', '.join(known[-5:])}" if known else "begin one with hpsearch launch --storage"
    raise StorageError(f"there is no search {repr(name) + ' ' if name else ''}in {files.shown(location)}; {hint}")


def searches(location: str) -> list[str]:
    """The names of the searches in a storage, the oldest first; folders that are none are passed over."""
    root = Folder(_absolute(location))
    created: dict[str, float] = {}
    for name in filter(NAME.fullmatch, root.folders()):
        try:
            created[name] = float(json.loads(root.read(f"{name}/search.json"))["created"])
        except (FileNotFoundError, KeyError, TypeError, ValueError):
            continue
    return sorted(created, key=lambda name: created[name])


def _exists(home: Home) -> bool:
    try:
        home.folder.read("search.json")
    except FileNotFoundError:
        return False
    return True


# ---- the record


def read(home: Home) -> Stored:
    """The record as it stands; raises StorageError for a claim or segment that is missing or damaged."""
    try:
        return _read(home)
    except StorageError:
        return _read(home)  # it may have grown between two looks


def _read(home: Home) -> Stored:
    # Segments before claims: so no segment counts that came after a claim which we do not see.
    segments = _segments(home)
    claims = read_claims(home)
    return Stored(claims, _assemble(home, segments, claims))


def read_claims(home: Home) -> list[Claim]:
    """All claims to a search, the oldest first."""
    numbers = sorted(int(match[1]) for name in home.folder.names("drivers") if (match := _CLAIM.fullmatch(name)))
    for due, number in enumerate(numbers, 1):
        if number != due:
            raise StorageError(f"drivers/{due:04}.json is missing in {home}; restore it")
    return [read_claim(home, number) for number in numbers]


def read_claim(home: Home, number: int) -> Claim:
    """One claim; raises FileNotFoundError when there is none of that number."""
    name = f"drivers/{number:04}.json"
    try:
        claim = Claim(**read_json(home, name))
        if claim.number != number or not _SEGMENT.fullmatch(claim.segment(1)) or claim.first_seq < 0:
            raise TypeError(f"it is of driver {claim.number}, {claim.id}, from event {claim.first_seq} on")
    except TypeError as error:
        raise StorageError(f"{name} in {home} is damaged: {error}; restore it") from error
    return claim


def _segments(home: Home) -> dict[str, list[int]]:
    """The numbers of each driver's segments, in order, by what their names begin with."""
    found: dict[str, list[int]] = {}
    for name in home.folder.names("record"):
        if match := _SEGMENT.fullmatch(name):
            found.setdefault(match[1], []).append(int(match[2]))
    return {driver: sorted(numbers) for driver, numbers in found.items()}


def _assemble(home: Home, segments: dict[str, list[int]], claims: list[Claim]) -> list[bytes]:
    """The lines that count: of each driver from its claim up to the event that a later one names."""
    lines: list[bytes] = []
    with ThreadPoolExecutor(_READERS) as pool:
        for index, claim in enumerate(claims):
            end = min((later.first_seq for later in claims[index + 1 :]), default=None)
            if end is not None and end <= claim.first_seq:
                continue
            del lines[claim.first_seq :]
            if len(lines) < claim.first_seq:
                raise StorageError(
                    f"the record in {home} has a gap: driver {claim.number} took over at event {claim.first_seq}, and "
                    f"only {len(lines)} events are there; restore what is missing in record/"
                )
            numbers = segments.get(f"{claim.number:04}-{claim.id}", [])
            data = pool.map(home.folder.read, [claim.segment(number) for number in numbers])
            for due, (number, segment) in enumerate(zip(numbers, data, strict=True), 1):
                if end is not None and len(lines) >= end:
                    break
                if number != due:
                    raise StorageError(f"{claim.segment(due)} is missing in {home}; restore it")
                lines += _whole(segment, len(lines), f"{claim.segment(number)} in {home}")
    return lines


def _whole(segment: bytes, seq: int, what: str) -> list[bytes]:
    lines = segment.splitlines(keepends=True)
    for number, line in enumerate(lines):
        try:
            ledger.decode(line, seq + number)
        except ValueError as error:
            raise StorageError(f"{what} is damaged, line {number + 1}: {error}; restore it") from error
    return lines


def read_json(home: Home, name: str) -> dict[str, Any]:
    """An object in a file; raises FileNotFoundError, or StorageError when it is damaged."""
    data = home.folder.read(name)
    try:
        return dict(json.loads(data))
    except (TypeError, ValueError) as error:
        raise StorageError(f"{name} in {home} is damaged: {error}; restore it") from error


# ---- what a search's folder knows of its storage


def location_of(folder: Path) -> str | None:
    """The storage that a search on this machine is copied to, or None."""
    path = folder / _MEMORY
    return _recall(folder)["storage"] if path.exists() else None


def remember(folder: Path, location: str, **claims: int | None) -> None:
    """Note a folder's storage, and claims by id: None for its own, else how many lines were stored when fetched."""
    known = _recall(folder)["claims"] | claims
    files.write(folder / _MEMORY, json.dumps({"storage": location, "claims": known}, indent=1).encode())


def is_own(folder: Path, claim: Claim) -> bool:
    """Whether a claim was made from this folder."""
    return _recall(folder)["claims"].get(claim.id, ...) is None


def is_known(folder: Path, stored: Stored) -> bool:
    """Whether no other driver has written since the folder last had all that the storage has."""
    if not stored.claims or is_own(folder, stored.claims[-1]):
        return True
    return _recall(folder)["claims"].get(stored.claims[-1].id) == len(stored.lines)


def _recall(folder: Path) -> dict[str, Any]:
    path = folder / _MEMORY
    if not path.exists():
        return {"claims": {}}
    try:
        known = dict(json.loads(path.read_bytes()))
        if isinstance(known["storage"], str) and isinstance(known["claims"], dict):
            return known
        raise TypeError("it names no storage")
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"{path} is damaged ({error!r}); restore it, or fetch the search into another --results with --storage"
        ) from error


# ---- what goes wrong


@contextmanager
def reported(location: str) -> Iterator[None]:
    """What a storage refuses, or why it cannot be reached, as a StorageError."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"storage {files.shown(location)}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Why a storage failed, in one line that says what would be right."""
    text = one_line(error)
    if "NO_SUCH_BUCKET" in text:
        return "there is no such bucket; make it, or correct its name"
    if any(each in text for each in _DENIED):
        return (
            "access is denied; the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in ~/.aws/credentials, must "
            "allow to list, read and write"
        )
    if any(each in text for each in _UNREACHABLE):
        return f"it cannot be reached ({text.rpartition('Details: ')[2]}); check endpoint_override, scheme and network"
    return text
