"""Searches on disk: one folder each, found by name; by default the newest."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from architectures.errors import HpsearchError, did_you_mean, one_line
from search.history.metric import Guess, shown
from search.history.record import Run
from search.history.request import Request, check_facts, check_request, finite
from search.readable import command_line
from trainables import files

VERSION = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# ---- the files of a search's folder

SEARCH = "search.json"
"""Its description; the file makes the folder a search."""
LEDGER = "ledger.jsonl"
"""Its record."""
LIST, FIRST, PRIOR, EXPERIENCE = "space.jsonl", "first.jsonl", "prior.jsonl", "experience.jsonl"
"""The configurations of a list; those to train first; trials of an earlier search; what `transfer` begins with."""
LISTS = (LIST, FIRST, PRIOR, EXPERIENCE)
"""The files that belong to the description; each exists only if the request needs it."""
CARD = "README.md"
"""A retrain's model card; model hubs show a file of this name."""


class StoreError(HpsearchError):
    """A search that does not exist, exists already, is damaged, or cannot be written: one line."""


class NameTakenError(StoreError):
    """There is a search of that name."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search's folder and its `search.json`."""

    folder: Path
    """The folder that holds all files of the search."""
    request: Request
    """What was asked."""
    created: float
    """When it was launched, in Unix seconds."""
    facts: dict[str, Any]
    """Found at the launch: the images' fingerprint and split, slots, threads, versions, machine, and the forecast."""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def ledger(self) -> Path:
        """Where its ledger is."""
        return self.folder / LEDGER

    @property
    def description(self) -> bytes:
        """The content of its `search.json`."""
        data = {"v": VERSION, "created": self.created, "request": asdict(self.request), **self.facts}
        return json.dumps(data, indent=1).encode()

    @property
    def arms(self) -> tuple[str, ...]:
        """The names of its arms if it is a study that has arms, else empty."""
        return tuple(self.facts.get("study", {}).get("arms", ()))

    @property
    def guess(self) -> Guess | None:
        """What guessing gives on the validation images; None if an older version did not record it."""
        found = self.facts["data"].get("guessing")
        return Guess(**found) if found else None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics to show, first the one that trials are compared by."""
        return shown(self.request.metric, self.guess)


def check_new(results: Path, name: str) -> None:
    """Raise StoreError unless a new search can have that name: NameTakenError if another search has it."""
    if not NAME.fullmatch(name):
        raise StoreError(
            f"a search's name is 1 to 100 letters, digits, '.', '_' and '-', beginning with a letter or digit; "
            f"got '{name}'"
        )
    check_place(results)
    if (results / name).exists():
        raise _taken(results, name)


def check_place(results: Path) -> None:
    """Raise StoreError if no files can be kept in that folder, as its path is not in UTF-8."""
    if not files.is_utf_8(str(results.absolute())):
        raise StoreError(
            f"a results folder's path must be in UTF-8, which {results.absolute()} is not: choose another --results"
        )


def _taken(results: Path, name: str) -> NameTakenError:
    if not (results / name / SEARCH).exists():
        return NameTakenError(f"the folder {results / name} holds no search: remove it, or choose another --name")
    return NameTakenError(
        f"the search '{name}' exists in {results}; choose another --name, or continue it: "
        f"{command_line('resume', name, results)}"
    )


def create(
    results: Path,
    name: str,
    request: Request,
    created: float,
    facts: dict[str, Any],
    *,
    prepare: Callable[[Search], None] = lambda _: None,
) -> Search:
    """Make the folder with its `search.json`; raises StoreError and leaves nothing when it cannot.

    prepare: writes what else the search needs. `search.json` comes last, as it makes the folder a search.

    If two processes ask for the same name at the same moment, one gets it and the other a NameTakenError.
    """
    check_new(results, name)
    folder = results / name
    try:
        results.mkdir(parents=True, exist_ok=True)
        try:
            folder.mkdir()
        except FileExistsError:
            raise _taken(results, name) from None
    except OSError as error:
        raise StoreError(f"cannot write to the results folder {results}: {error.strerror}") from error
    search = Search(folder=folder, request=request, created=created, facts=facts)
    try:
        prepare(search)
        files.write(folder / SEARCH, search.description)
    except BaseException as error:
        discard(search)
        if isinstance(error, OSError):
            raise StoreError(f"cannot write to the results folder {results}: {error.strerror}") from error
        raise
    return search


def record(search: Search, **facts: Any) -> None:
    """Add facts to a search's `search.json`; the file is replaced as a whole or not at all."""
    path = search.folder / SEARCH
    files.write(path, json.dumps(json.loads(path.read_text(encoding="utf-8")) | facts, indent=1).encode())


def retrain_folder(folder: Path, run: Run) -> Path:
    """The folder of a retrain's weights and predictions."""
    trial, repeat = run.key
    return folder / "retrain" / f"{trial}-{repeat}"


def discard(search: Search) -> None:
    """Remove a search that never began."""
    shutil.rmtree(search.folder, ignore_errors=True)


def find(results: Path, name: str | None = None) -> Search:
    """The search of that name, or the newest by creation; raises StoreError when there is none."""
    if name is None:
        searches = find_all(results)
        if not searches:
            raise StoreError(none_yet(results))
        return searches[-1]
    if name not in names(results):
        known = [search.name for search in find_all(results)]
        hint = f"the newest are {', '.join(known[-5:])}" if known else _BEGIN
        near = did_you_mean(name, known)
        raise StoreError(f"there is no search '{name}' in {results.absolute()}{near}; {hint}")
    return _read(results / name)


_BEGIN = "start one with hpsearch launch, or name another folder with --results or HPSEARCH_RESULTS"


def none_yet(results: Path) -> str:
    """The line on a results folder without a search."""
    return f"there is no search in {results.absolute()} yet; {_BEGIN}"


def names(results: Path) -> list[str]:
    """The sorted names of all searches of a results folder; other folders are skipped."""
    return sorted(path.parent.name for path in results.glob("*/search.json"))


def find_all(results: Path) -> list[Search]:
    """All searches of a results folder, oldest first; other folders are skipped."""
    return sorted((_read(results / name) for name in names(results)), key=lambda s: s.created)


def _read(folder: Path) -> Search:
    try:
        data = json.loads((folder / SEARCH).read_text(encoding="utf-8"))
        if data["v"] <= VERSION:
            known = {f.name for f in fields(Request)}
            request = Request(**{k: v for k, v in data["request"].items() if k in known})
            facts = {k: v for k, v in data.items() if k not in ("v", "created", "request")}
            check_request(request)
            check_facts(facts)
            return Search(folder=folder, request=request, created=finite(data["created"]), facts=facts)
    except (OSError, LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        reason = one_line(error, named=True)
        raise StoreError(
            f"{folder / 'search.json'} is damaged ({reason}); restore it, or move its folder out of {folder.parent}"
        ) from error
    raise StoreError(
        f"{folder.name} was made by a newer hpsearch (version {data['v']} of search.json; this one reads {VERSION}); "
        "update it"
    )
