"""What a new search starts from: recordings that ship with hpsearch, and earlier searches, even on other images."""

from collections.abc import Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

from architectures.errors import HpsearchError, did_you_mean, one_line
from search.experience.recordings import LEAST, Recording, datasets, read_recordings, recordings_of, side, text_of
from search.history import store
from search.history.events import State
from search.history.load import record_of
from search.history.record import Record, Run
from search.history.request import Request
from search.history.rungs import num_reached
from search.readable import count
from search.samplers import EXPERIENCED
from search.schedulers.scheduler import scheduler_of
from search.spaces.flat_names import flat_names_of
from trainables import files
from trainables.config import Config


class ExperienceError(HpsearchError):
    """Experience that is unknown, or that a search cannot begin with: one line."""


def named(experience: str | None, results: Path) -> str | None:
    """What a user names as experience, as a request has it: searches become absolute paths.

    Raises ExperienceError for a name that is neither a dataset nor a search of the results folder.
    """
    if experience is None:
        return None
    found = []
    for name in experience.split(","):
        if name in datasets():
            found.append(name)
            continue
        folder = (results / name).absolute()
        if not (folder / store.SEARCH).exists():
            raise ExperienceError(
                f"no experience of '{name}'{did_you_mean(name, [*datasets(), *store.names(results)])}; "
                f"known: {', '.join(datasets())}, and searches in {results}"
            )
        if "," in str(folder):
            raise ExperienceError(f"--experience takes no path with a comma, and {name} is in {folder.parent}")
        found.append(str(folder))
    return ",".join(found)


def with_experience(request: Request, size: int) -> Request:
    """The request with the datasets named that its sampler begins with, if none are.

    size: pixels a side of its images.
    """
    if request.sampler not in EXPERIENCED or request.experience is not None:
        return request
    return replace(request, experience=",".join(datasets(size)))


def recordings_for(request: Request) -> tuple[Recording, ...]:
    """What the request's sampler starts from: recordings that ship with hpsearch, and earlier searches.

    Raises SpaceError for an unknown dataset, and ExperienceError for an earlier search without enough trials.
    """
    if request.sampler not in EXPERIENCED:
        return ()
    names, folders = _parts(request)
    return (*recordings_of(names), *(_recording_of(store.find(folder.parent, folder.name)) for folder in folders))


def _parts(request: Request) -> tuple[list[str], list[Path]]:
    """The datasets and the earlier searches' folders that a request names."""
    names = request.experience.split(",") if request.experience else []
    folders = [Path(name) for name in names if Path(name).is_absolute()]
    return [name for name in names if not Path(name).is_absolute()], folders


def lines_of(recordings: Sequence[Recording]) -> tuple[str, ...]:
    """What a launch says about these."""
    known = [name for name in datasets() if name in {each.dataset for each in recordings}]
    begins = "experience: the sampler starts from"
    return (
        *([f"{begins} recorded runs on {', '.join(known)}"] if known else []),
        *(
            f"{begins} {count(len(each.tried), 'trial')} of {each.dataset} ({each.what})"
            for each in recordings
            if each.dataset not in known
        ),
    )


def write_recordings(folder: Path, recordings: Sequence[Recording]) -> None:
    """Write the copy in a search's folder, if its sampler begins with any."""
    if recordings:
        files.write(folder / store.EXPERIENCE, text_of(recordings).encode())


def read_recordings_of(folder: Path, request: Request) -> tuple[Recording, ...]:
    """Read the copy in a search's folder; what ships with hpsearch, if the search began before that was copied.

    Raises ExperienceError if the file is damaged, or lacks an earlier search.
    """
    if request.sampler not in EXPERIENCED:
        return ()
    path = folder / store.EXPERIENCE
    names, folders = _parts(request)
    try:
        found = read_recordings(path.read_text(encoding="utf-8")) if folders or path.exists() else ()
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise ExperienceError(f"{path} is damaged ({one_line(error, named=True)}); restore it") from error
    copied = {recording.dataset for recording in found}
    if missing := {each.name for each in folders} - copied:
        raise ExperienceError(f"{path} is damaged (it has nothing of {', '.join(sorted(missing))}); restore it")
    return (*recordings_of(set(names) - copied), *found)


def _recording_of(search: store.Search) -> Recording:
    record = record_of(search)
    ended = comparable(record)
    if len(ended) < LEAST:
        raise ExperienceError(
            f"--experience {search.name} needs {LEAST} trials that can be compared, and it has {len(ended)}; "
            "name another search, or leave it out"
        )
    tried = [flat_names_of(Config.from_json(run.config)) for run in ended]
    request = search.request
    rungs = scheduler_of(request, request.samples).rungs
    what = f"{request.space} on {Path(request.dataset).name}"
    return Recording(search.name, what, tried, places(ended, rungs), side(search.facts["data"]["shape"]))


def comparable(record: Record) -> list[Run]:
    """The trials whose place among the others is known: those that ended, and in a finished search also paused ones."""
    known = {State.DONE, State.STOPPED, State.DIVERGED, *([State.PAUSED] if record.finished else [])}
    return [run for run in record.trials if run.state in known]


def places(runs: Sequence[Run], rungs: Sequence[float]) -> list[float]:
    """How good each trial was, from 0: better the longer the scheduler let it go on, then by its best value.

    rungs: the scheduler's. Epochs would not do: trials that are done may have fewer, and a rung within an epoch is
    reached later with larger batches.
    """
    keys = [_key(run, rungs) for run in runs]
    order = {key: place for place, key in enumerate(sorted(set(keys)))}
    return [float(order[key]) for key in keys]


def _key(run: Run, rungs: Sequence[float]) -> tuple[float, float]:
    if run.state is State.DIVERGED or run.best is None:
        return -1.0, 0.0
    return inf if run.state is State.DONE else num_reached(run.epochs, rungs), run.at_best("value")
