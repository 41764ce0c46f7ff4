"""Rules of a configuration's values, and the error if a value breaks them."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from architectures.errors import HpsearchError, instead


class ConfigError(HpsearchError):
    """Something that is not a configuration: one line with the rule, the value and what would be right."""


def check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
    whole: bool = False,
) -> None:
    """Raise ConfigError unless the value is a finite number within these bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ConfigError(f"{name} must be a finite number, got {value!r}")
    if least is not None and value < least:
        raise ConfigError(f"{name} must be at least {least:g}, got {value!r}")
    if above is not None and value <= above:
        raise ConfigError(f"{name} must be above {above:g}, got {value!r}")
    if most is not None and value > most:
        raise ConfigError(f"{name} must be at most {most:g}, got {value!r}")
    if below is not None and value >= below:
        raise ConfigError(f"{name} must be below {below:g}, got {value!r}")
    if whole and value != int(value):
        raise ConfigError(f"{name} must be a whole number, got {value!r}")


def check_count(name: str, value: Any, least: int, most: int) -> None:
    """Raise ConfigError unless the value is an int within these bounds."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{name} must be a whole number from {least} to {most:,}, got {value!r}")


def check_known(what: str, value: Any, known: Iterable[str]) -> None:
    """Raise ConfigError unless the value is one of these names."""
    names = tuple(known)
    if value not in names:
        raise ConfigError(f"unknown {what} '{value}'{instead(value, names)}")


def check_object(
    what: str, data: Any, *, required: tuple[str, ...] = (), optional: tuple[str, ...] | None = None
) -> Mapping[str, Any]:
    """The JSON object, with its keys checked; if `optional` is None, any more are allowed. Raises ConfigError."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{what} must be an object, got {type(data).__name__}")
    if missing := [key for key in required if key not in data]:
        raise ConfigError(f"{what} lacks '{missing[0]}'; it needs {', '.join(required)}")
    known = (*required, *(optional or ()))
    if optional is not None and (unknown := [key for key in data if key not in known]):
        raise ConfigError(f"{what} has no '{unknown[0]}'{instead(unknown[0], known)}")
    return data
