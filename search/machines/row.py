"""The result of one check of a machine."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Row:
    """The result of one check."""

    check: str
    """What was checked."""

    found: str
    """What was found."""

    verdict: Verdict = "ok"
    """With a warning a search may be slow or stop; with a problem it will not run."""

    advice: str = ""
    """What to do about it; empty when all is well."""


def size_of(size: float) -> str:
    """Bytes for people: 1.5 GB."""
    return f"{size / 1e9:.1f} GB"


def count(number: int, what: str) -> str:
    """A number of things for people: 1 node, 2 nodes."""
    return f"{number} {what}{'s' * (number != 1)}"
