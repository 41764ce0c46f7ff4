"""Checks of an event's fields, and whether a line must have them."""

import re
from collections.abc import Callable
from dataclasses import field
from enum import StrEnum
from typing import Any

from search.history.metric import METRICS
from trainables.config import Config, ConfigError

_MOST = 2**63 - 1


def is_count(value: Any) -> bool:
    """A whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def is_counts(value: Any) -> bool:
    """A list of whole numbers from 0."""
    return isinstance(value, list) and all(map(is_count, value))


def is_keys(value: Any) -> bool:
    """A list of runs: [trial, repeat] each."""
    return isinstance(value, list) and all(is_counts(key) and len(key) == 2 for key in value)


def is_number(value: Any) -> bool:
    """A finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def is_share(value: Any) -> bool:
    """A fraction of one."""
    return is_number(value) and 0 <= value <= 1


def is_text(value: Any) -> bool:
    """Text."""
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)


def is_metric(value: Any) -> bool:
    """The name of a metric."""
    return isinstance(value, str) and value in METRICS


def is_checkpoint(value: Any) -> bool:
    """A checkpoint's file name."""
    return isinstance(value, str) and bool(re.fullmatch(r"\d+-\d+-\d+-\d+\.pt", value, re.ASCII))


def is_config(value: Any) -> bool:
    """A whole configuration; raises ValueError with what is wrong."""
    try:
        return Config.from_json(value).training.epochs is not None and "batch_size" in value["training"]
    except ConfigError as error:
        raise ValueError(f"config is wrong: {error}") from error


def is_mapping(value: Any) -> bool:
    """An object."""
    return isinstance(value, dict)


def is_texts(value: Any) -> bool:
    """An object of texts."""
    return isinstance(value, dict) and all(map(is_text, value.values()))


def is_shares(value: Any) -> bool:
    """An object of fractions of one."""
    return isinstance(value, dict) and all(map(is_share, value.values()))


def one_of(values: type[StrEnum]) -> Callable[[Any], bool]:
    """The check of a value that is one of these."""
    return lambda value: value in frozenset(values)


def needs(fits: Callable[[Any], bool], *, none: bool = False) -> Any:
    """A field that a line must have. none: whether it may be null."""
    return field(metadata={"fits": fits, "none": none})


def may(fits: Callable[[Any], bool]) -> Any:
    """A field that a line may lack."""
    return field(default=None, metadata={"fits": fits, "none": True})
