"""The record of a search in its storage: the claims of its drivers, and the ledger lines that count."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from search.history import ledger
from search.storage.layout import CLAIM, SEGMENT, Claim, Home, StorageError, name_of_claim

_READERS = 16  # segments that are read at a time


@dataclass(frozen=True)
class Stored:
    """What a storage holds of a search."""

    claims: list[Claim]
    """The oldest first."""

    lines: list[bytes]
    """The ledger's lines that count, in order."""


def read(home: Home) -> Stored:
    """The record as it stands; raises StorageError for a claim or segment that is missing or damaged."""
    try:
        return _read(home)
    except StorageError:
        return _read(home)  # it may have grown while it was read


def _read(home: Home) -> Stored:
    # Segments before claims: otherwise a listed segment could follow a claim that was not listed yet.
    segments = _segments(home)
    claims = read_claims(home)
    return Stored(claims, _assemble(home, segments, claims))


def read_claims(home: Home) -> list[Claim]:
    """All claims to a search, the oldest first; raises StorageError when one is missing or damaged."""
    numbers = sorted(int(match[1]) for name in home.folder.names("drivers") if (match := CLAIM.fullmatch(name)))
    for due, number in enumerate(numbers, 1):
        if number != due:
            raise StorageError(f"{name_of_claim(due)} is missing in {home}; restore it")
    return [read_claim(home, number) for number in numbers]


def read_claim(home: Home, number: int) -> Claim:
    """The claim of this number; raises FileNotFoundError if there is none, StorageError if it is damaged."""
    name = name_of_claim(number)
    try:
        claim = Claim(**read_json(home, name))
        if claim.number != number or not SEGMENT.fullmatch(claim.segment(1)) or claim.first_seq < 0:
            raise TypeError(f"it is of driver {claim.number}, {claim.id}, from event {claim.first_seq} on")
    except TypeError as error:
        raise StorageError(f"{name} in {home} is damaged: {error}; restore it") from error
    return claim


def _segments(home: Home) -> dict[str, list[int]]:
    """The numbers of each driver's segments, in order, by the claim in their names."""
    found: dict[str, list[int]] = {}
    for name in home.folder.names("record"):
        if match := SEGMENT.fullmatch(name):
            found.setdefault(match[1], []).append(int(match[2]))
    return {driver: sorted(numbers) for driver, numbers in found.items()}


def _assemble(home: Home, segments: dict[str, list[int]], claims: list[Claim]) -> list[bytes]:
    """The lines that count: those of each driver from its claim's event up to the event that a later claim names."""
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
    """The object in a file; raises FileNotFoundError if there is none, StorageError if it is damaged."""
    data = home.folder.read(name)
    try:
        return dict(json.loads(data))
    except (TypeError, ValueError) as error:
        raise StorageError(f"{name} in {home} is damaged: {error}; restore it") from error
