"""The base class of errors for users, and what their messages share.

It is in the lowest package because all three packages raise such errors.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class HpsearchError(ValueError):
    """An error whose message is for users: one line with the rule, the value and what would be right."""

    exit_code = 2
    """The command's exit code: 2 for a wrong request, 1 for what failed while running."""


def one_line(error: BaseException, *, named: bool = False) -> str:
    """An error's message on one line, never empty. named: with the error's type in front."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{kind}: {text}" if named else text or kind


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names, to follow an unknown one in a message; empty if none is near."""
    near = get_close_matches(name, known, n=1, cutoff=0.8)
    return f" (did you mean '{near[0]}'?)" if near else ""


def instead(name: object, known: Iterable[str]) -> str:
    """The known names, the nearest one first, to follow an unknown one in a message."""
    names = tuple(known)
    return f"{did_you_mean(str(name), names)}; known: {', '.join(names)}"
