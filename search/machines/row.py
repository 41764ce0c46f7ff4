"""What is said of one thing of this machine that was looked at."""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Row:
    """One thing that was looked at."""

    check: str
    """What was looked at."""

    found: str
    """What is there."""

    verdict: Verdict = "ok"
    """A search may be slow or stop after a warning; it will not run with a problem."""

    advice: str = ""
    """What to do about it; empty when all is well."""


def size_of(size: float) -> str:
    """Bytes for people: 1.5 GB."""
    return f"{size / 1e9:.1f} GB"


def count(number: int, what: str) -> str:
    """A number of things for people: 1 node, 2 nodes."""
    return f"{number} {what}{'s' * (number != 1)}"
