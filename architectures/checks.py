"""Checks of values that users write, which raise a one-line ValueError, and the factor on widths."""

import math
from collections.abc import Sequence
from typing import Any

from architectures.errors import instead

#: The names that `architectures.initialise` takes.
INITIALISATIONS = ("torch", "kaiming")


def is_number(value: Any) -> bool:
    """Whether the value is an int or a float; a bool is neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_count(what: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise ValueError unless the value is a whole number in [least, most]."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{what} must be a whole number of at least {least}, got {value!r}")
    if most is not None and value > most:
        raise ValueError(f"{what} must be a whole number up to {most:,}, got {value!r}")


def check_counts(what: str, values: Any, example: str, most: int) -> None:
    """Raise ValueError unless the values are a list of whole numbers in [1, most]."""
    if not isinstance(values, list | tuple):
        raise ValueError(f"{what} must be a list of whole numbers, such as {example}, got {values!r}")
    for value in values:
        check_count(f"each of {what}", value, 1, most)


def check_choice(what: str, value: Any, known: Sequence[str]) -> None:
    """Raise ValueError unless the value is one of the known names."""
    if value not in known:
        raise ValueError(f"unknown {what} '{value}'{instead(value, known)}")


def check_dropout(value: Any, what: str | None = None) -> None:
    """Raise ValueError unless the value is a probability in [0, 1). what: the name to put in front of the message."""
    if not (is_number(value) and 0 <= value < 1):
        raise ValueError(f"{what + ': ' if what else ''}dropout must lie in [0, 1), got {value!r}")


def check_least(what: str, value: Any, least: float) -> None:
    """Raise ValueError unless the value is a finite number of at least `least`."""
    if not (is_number(value) and least <= value < math.inf):
        raise ValueError(f"{what} must be a number of at least {least:g}, got {value!r}")


def check_flag(what: str, value: Any) -> None:
    """Raise ValueError unless the value is true or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be true or false, got {value!r}")


def check_factor(what: str, value: Any) -> None:
    """Raise ValueError unless the value is a factor on widths, a number in (0, 64]."""
    if not (is_number(value) and 0 < value <= 64):
        raise ValueError(f"{what} must be a factor in (0, 64], got {value!r}")


def scaled(count: int, factor: float) -> int:
    """A number of channels times the factor `width`, rounded; raises ValueError if the result is 0."""
    width = round(count * factor)
    if width < 1:
        raise ValueError(f"width {factor:g} leaves none of {count} channels; use at least {1 / count:.3g}")
    return width
