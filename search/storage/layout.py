"""Storage: a second place of searches, so that another machine can continue when one dies with its disk.

STORAGE/NAME/search.json, space.jsonl, …        copies
STORAGE/NAME/drivers/0002.json                  the claim of the second driver that wrote here
STORAGE/NAME/record/0002-5ac1f00d-000001.jsonl  its first segment: whole ledger lines, never rewritten
STORAGE/NAME/beats/0002-5ac1f00d.json           its heartbeat
STORAGE/NAME/retrain/<trial>-<repeat>/…         weights, configuration, predictions

STORAGE is a shared folder or a URI of `trainables.files`. A claim names the event from which its driver's lines count;
they count up to the event that a later claim names. So lines that a driver still writes after another has taken over
change nothing. `search.storage.record` reads the record, `mirror` writes it, and `takeover` fetches it to another
machine.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from architectures.errors import HpsearchError, did_you_mean, one_line
from search.history.store import CARD, NAME, SEARCH
from trainables import files
from trainables.files import Folder, SharedFolder

LOSS_WINDOW = 5.0
"""Seconds of the record that are lost at most when a machine dies with its disk, as long as its storage answers.

Every line is in the storage this many seconds after it was recorded, or sooner. A machine that continues the
search repeats the epochs whose lines are missing there.
"""

RETRAINED = ("config.json", "model.safetensors", "predictions.parquet", CARD)
"""The files of a retrain."""

CLAIM = re.compile(r"drivers/(\d{4,})\.json")
"""The name of a claim's file, with the claim's number."""

SEGMENT = re.compile(r"record/(\d{4,}-[0-9a-f]{8})-(\d{6,})\.jsonl")
"""The name of a segment's file, with number and id of its driver's claim, and the segment's number."""

_DENIED = (
    "ACCESS_DENIED",
    "SIGNATURE_DOES_NOT_MATCH",
    "INVALID_ACCESS_KEY_ID",
    "INVALID_CLIENT_TOKEN",
    "PERMISSION_DENIED",
)
_UNREACHABLE = ("NETWORK_CONNECTION", "UNAVAILABLE")


class StorageError(HpsearchError):
    """A storage cannot be used, or does not hold what was asked for; one line says why."""


@dataclass(frozen=True)
class Home:
    """A search's place in a storage; `home_of` makes one of checked parts."""

    location: str
    """The storage: an absolute path, or a URI."""

    name: str
    """The search's name."""

    @property
    def folder(self) -> Folder:
        """The files there."""
        return Folder(self.location).below(self.name)

    @property
    def checkpoints(self) -> Folder:
        """The checkpoints there, which all machines reach."""
        return SharedFolder(self.folder.below("checkpoints").location, self.folder, name_of_claim(1))

    def __str__(self) -> str:
        return files.shown(self.folder.location)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A driver's claim to a search."""

    number: int
    """One more than that of the claim before; from 1."""

    id: str
    """Random: it distinguishes drivers that claim the same number at the same moment."""

    host: str
    """The driver's machine."""

    pid: int
    """The driver's process there."""

    time: float
    """Unix seconds by the driver's clock."""

    first_seq: int
    """The number of the first event that counts from this driver."""

    @property
    def name(self) -> str:
        """The name of its file."""
        return name_of_claim(self.number)

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


def name_of_claim(number: int) -> str:
    """The name of the file that holds the claim of this number."""
    return f"drivers/{number:04}.json"


def home_of(location: str, name: str) -> Home:
    """A search's place in a storage; raises StorageError when the name or the location breaks a rule."""
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
    return str(Path(os.path.expanduser(location)).absolute())  # noqa: PTH111  it does not raise without a home


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
    hint = f"the newest are {', '.join(known[-5:])}" if known else "start one with hpsearch launch --storage"
    which = f"{name!r} " if name else ""
    near = did_you_mean(name or "", known)
    raise StorageError(f"there is no search {which}in {files.shown(location)}{near}; {hint}")


def searches(location: str) -> list[str]:
    """The names of the searches in a storage, the oldest first; folders without a search are skipped."""
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
        home.folder.read(SEARCH)
    except FileNotFoundError:
        return False
    return True


# ---- what goes wrong


@contextmanager
def reported(location: str) -> Iterator[None]:
    """Within this, an OSError of the storage becomes a StorageError that names the storage and the reason."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"storage {files.shown(location)}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Why a storage failed, in one line that says what would be right."""
    text = one_line(error)
    if "NO_SUCH_BUCKET" in text:
        return "there is no such bucket; create it, or correct its name"
    if any(each in text for each in _DENIED):
        return (
            "access is denied; the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in ~/.aws/credentials, must "
            "allow listing, reading, writing and deleting"
        )
    if any(each in text for each in _UNREACHABLE):
        return f"it cannot be reached ({text.rpartition('Details: ')[2]}); check endpoint_override, scheme and network"
    return text
