"""A study as input for `launch`: for each part the fields of its request, its list of arms, and its facts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.spaces.space import Space
from search.studies.study import Part, Study, StudyError
from trainables.data.find import find_own
from trainables.data.formats.folders import FOLDERS
from trainables.data.formats.format import AS_NAMED
from trainables.data.formats.npz import NPZ
from trainables.data.images import DatasetError
from trainables.data.known import DATASETS


@dataclass(frozen=True, kw_only=True)
class Preset:
    """The search of a study on one of its parts."""

    words: Mapping[str, Any]
    """The fields of its request that the study sets."""
    listed: Space | None
    """Its arms and their repeats; None for a study that searches a space."""
    facts: Mapping[str, Any]
    """What is recorded about it."""
    note: str | None
    """A line for the user if these images are none of the study's, so that nothing can be compared with what was
    published."""


#: Options of a launch that a study sets itself (it compares by its `measure`), and those that only a study of a space
#: has: every run of an arm is trained to its end, as means over only the runs that were not stopped would be too good.
_SETTLED = ("space", "first", "sampler", "hears", "experience", "warm_start", "metric", "budget", "submit")
_OF_A_SPACE = ("samples", "scheduler", "grace_period", "reduction_factor", "keep")
#: Options that make a study differ from the published one.
_CHANGING = ("epochs", "limit_train", "image_size", "validation", "augment", "samples", "scheduler")


def presets(study: Study, given: Mapping[str, Any], *, repeats: int | None, quick: bool) -> list[Preset]:
    """The searches of a study, one for each part.

    given: the options that a user gave, which replace the study's. Raises StudyError for those that a study
    cannot have.
    """
    _check(study, given, repeats)
    repeats = repeats or study.repeats
    words: dict[str, Any] = {
        "epochs": study.epochs,
        "validation": study.validation,
        "augment": study.augment,
        "scheduler": study.scheduler,
    }
    if quick:
        words["epochs"] = study.quick.epochs
        if study.quick.limit_train is not None:
            words["limit_train"] = study.quick.limit_train
    changed = ["--quick"] * quick + [f"--{each.replace('_', '-')}" for each in _CHANGING if each in given]
    listed = study.listed(repeats=repeats, quick=quick)
    if listed is None:
        words |= {"space": study.space, "samples": study.quick.samples if quick else study.samples}
    else:
        words |= {"space": study.name, "samples": len(listed.configs)}
    return [
        Preset(
            words={**words, "label": part.label, **given, "dataset": part.dataset},
            listed=listed,
            facts=study.facts(known, repeats=repeats, changed=changed),
            note=None if known or not study.published else _note(study, part),
        )
        for part, known in _parts(study, given)
    ]


def _parts(study: Study, given: Mapping[str, Any]) -> list[tuple[Part, Part | None]]:
    """The images to search on, each with the part of the study that they belong to; None if there is no such part.

    A folder or file that is named like a known dataset counts as it. If its files have columns, one of them holds the
    part's labels; else there are only the labels of the part with this name.
    """
    if "dataset" not in given:
        return [(_by_name(part), part) for part in study.parts]
    named, label = str(given["dataset"]), given.get("label")
    stem = Path(named).stem
    found: list[tuple[Part, Part | None]]
    if named in DATASETS:
        found = [(_by_name(part), part) for part in study.parts if part.dataset == named]
    elif label is None and stem in DATASETS and not _has_columns(named):
        found = [(Part(dataset=named), part) for part in study.parts if part.dataset == stem]
    else:
        found = [
            (Part(dataset=named, label=part.label), part)
            for part in study.parts
            if stem in (part.dataset, part.dataset.removesuffix("-coarse")) and label in (None, part.label)
        ]
    return found or [(Part(dataset=named, label=label), None)]


def _has_columns(dataset: str) -> bool:
    """Whether a folder or file has columns or fields of labels; True if the launch will refuse it anyway."""
    try:
        own = find_own(dataset, AS_NAMED)
    except DatasetError:
        return True
    return own is None or own.format not in (FOLDERS, NPZ)


def _note(study: Study, part: Part) -> str:
    names = " or ".join(dict.fromkeys(each.dataset for each in study.parts))
    hint = "" if part.dataset in DATASETS else f" (a folder or file named {names} is)"
    return f"note: the published figures are of {names}, and {part.dataset} is not compared with them{hint}"


def _by_name(part: Part) -> Part:
    """A part as a launch takes it: a known dataset's name says which labels are meant."""
    return replace(part, label=None) if part.dataset in DATASETS else part


def _check(study: Study, given: Mapping[str, Any], repeats: int | None) -> None:
    refused = _SETTLED if study.space else (*_SETTLED, *_OF_A_SPACE)
    for option in refused:
        if option in given:
            raise StudyError(
                f"--study {study.name} does not take --{option.replace('_', '-')}, which is for a search of your own; "
                "give one of them"
            )
    if repeats is not None and study.space:
        raise StudyError(f"--repeats is for a study that compares arms, and {study.name} searches a space")
