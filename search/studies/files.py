"""A user's own study as a TOML file."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from architectures.errors import instead
from search.studies.study import Part, Published, Quick, Study, StudyError
from trainables.config import Config, ConfigError

#: Fields of the study itself; `dataset` and `label` are those of its images.
_PLAIN = ("epochs", "repeats", "validation", "augment", "measure", "remark")
_KEYS = ("question", "source", "dataset", "label", *_PLAIN, "quick", "arms", "published")


def read_study(path: Path) -> Study:
    """The study of a TOML file, named after the file; raises StudyError with what is wrong in it."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StudyError(f"cannot read the study {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also a number of too many digits, and tables nested too deeply
        raise StudyError(f"{path} is not TOML: {error}") from error
    if not _fits(data):
        raise StudyError(f"{path} has a whole number of more than 64 bits, which TOML does not allow")
    _known(f"{path}", data, _KEYS)
    for key in ("question", "dataset", "epochs", "arms"):
        if key not in data:
            raise StudyError(f"{path} has no {key}; a study needs question, dataset, epochs and arms")
    arms = {name: _arm(path, name, arm) for name, arm in _table(path, "arms", data["arms"]).items()}
    quick = _table(path, "quick", data.get("quick", {}))
    _known(f"{path}: quick", quick, tuple(each.name for each in fields(Quick) if each.name != "samples"))
    narrowed = _table(path, "quick.network", quick.get("network", {}))
    plain = {key: data[key] for key in _PLAIN if key in data}
    return Study(
        name=path.stem,
        question=data["question"],
        source=data.get("source", ""),
        parts=(Part(dataset=data["dataset"], label=data.get("label")),),
        arms=arms,
        published=tuple(_published(path, each) for each in _tables(path, data.get("published", []))),
        quick=Quick(**{"limit_train": None, **quick, "network": narrowed}),
        **plain,
    )


def _fits(value: Any) -> bool:
    """Whether every whole number in a value has at most 64 bits; Python's own reader takes any."""
    if isinstance(value, dict | list):
        return all(map(_fits, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or -(2**63) <= value < 2**63


def _arm(path: Path, name: str, data: Any) -> Config:
    table = _table(path, f"arms.{name}", data)
    if "repeats" in table:
        raise StudyError(f"{path}: arm {name} has repeats of its own; all arms have as many: give repeats once, above")
    try:
        return Config.from_json(dict(table))
    except ConfigError as error:
        raise StudyError(f"{path}: arm {name} is not a configuration: {error}") from error


def _published(path: Path, data: Mapping[str, Any]) -> Published:
    _known(f"{path}: published", data, ("arm", "value", "std", "measure"))
    for key in ("arm", "value"):
        if key not in data:
            raise StudyError(f"{path}: a published figure has an arm and a value; one has no {key}")
    return Published(**data)


def _known(where: str, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in data:
        if key not in known:
            raise StudyError(f"{where} has no field '{key}'{instead(key, known)}")


def _table(path: Path, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise StudyError(f"{path}: {name} must be a table, got {value!r:.60}")
    return value


def _tables(path: Path, value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise StudyError(f"{path}: published must be [[published]] tables, got {value!r:.60}")
    return [_table(path, "published", each) for each in value]
