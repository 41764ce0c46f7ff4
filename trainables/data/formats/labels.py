"""Which column or field holds the labels, and labels that are stored as text or JSON."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from trainables.data.archive import Place
from trainables.data.images import DatasetError

#: Names of the column of labels; the first that exists is used.
LABEL_COLUMNS = ("label", "labels", "fine_label")
#: Names that are used if only one of them exists.
OTHER_LABEL_COLUMNS = frozenset({"class", "classes", "target", "targets", "category", "label_id", "class_id", "y"})
#: Columns that identify an image by an integer or a name; they are labels only if the user asks for them.
NO_LABEL = re.compile(r"(^|_)(id|idx|index|__index_level_0__|file|filename|path|url|uri|md5|hash)$", re.IGNORECASE)
MOST_LABEL = 1_000  # characters of a class's name
_WHOLE = re.compile(r"(0|-?[1-9][0-9]*)(\.0+)?")  # many programs write 1.0 where a column has gaps
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def called_label(columns: Mapping[str, str], file: Place) -> str | None:
    """The column whose name says that it holds the labels; None if there is none.

    columns: each name, and the column as it is shown to users. Raises DatasetError if several could be meant.
    """
    named = {name.lower(): name for name in reversed(list(columns))}
    for name in LABEL_COLUMNS:
        if name in named:
            return named[name]
    others = [name for name in columns if name.lower() in OTHER_LABEL_COLUMNS]
    if len(others) > 1:
        shown = ", ".join(columns[name] for name in others)
        raise DatasetError(
            f"{file} has {len(others)} columns that could be the labels ({shown}): choose one, --label {others[0]}"
        )
    return others[0] if others else None


def find_label(columns: Sequence[str], asked: str | None, file: Place) -> str:
    """The column or field of labels, without the help of types: the user's choice, or one that is named so."""
    shown = ", ".join(columns)
    if asked is not None:
        if asked not in columns:
            raise DatasetError(f"{file} must have the column '{asked}', as train or --label says; it has {shown}")
        return asked
    found = called_label({name: name for name in columns}, file)
    if found is None:
        raise DatasetError(
            f"{file} must have a column of labels named {', '.join(LABEL_COLUMNS)}; it has {shown}: "
            "choose one with --label NAME"
        )
    return found


def from_text(values: Sequence[Any], column: str, file: Place, numbers: bool | None) -> tuple[list[Any], bool]:
    """Labels and whether they are whole numbers; else they are names. None for an empty one.

    values: text, or values from JSON. numbers: train's answer, for the other parts. Without it, labels are numbers if
    all are whole numbers, each written in one way: 01 is a name, and so are 1 and 1.0 side by side. Raises DatasetError
    for numbers that are not whole, for lists and the like, and for a name that is too long.
    """
    texts = [None if value is None else _text(value, column, file) for value in values]
    whole = {text: _WHOLE.fullmatch(text) for text in texts if text}
    read = {text: int(match[1]) for text, match in whole.items() if match}
    if numbers is None:
        numbers = len(read) == len(whole) == len(set(read.values()))
        broken = sorted(text for text in whole if _NUMBER.fullmatch(text) and not float(text).is_integer())
        if broken and all(map(_NUMBER.fullmatch, whole)):
            raise DatasetError(
                f"labels are whole numbers or names; column '{column}' of {file} holds {broken[0]}: "
                "choose another column with --label NAME"
            )
    return [read.get(text, text) if numbers and text else text or None for text in texts], numbers


def without_empty(labels: Sequence[Any]) -> list[Any]:
    """The labels, with None for text without a letter."""
    return [None if isinstance(label, str) and not label.strip() else label for label in labels]


def _text(value: Any, column: str, file: Place) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DatasetError(
            f"an image has one label, a whole number or a name; column '{column}' of {file} holds "
            f"{str(value)[:40]}: choose another column with --label NAME"
        )
    if isinstance(value, float) and math.isnan(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # in JSON, 1.0 is the number 1
    text = str(value).strip()
    if len(text) > MOST_LABEL:
        raise DatasetError(f"a label is a name of at most {MOST_LABEL:,} letters; one in {file} has {len(text):,}")
    return text
