"""The base class of errors for users, and the function that puts an error on one line.

It is in the lowest package because all three packages raise such errors.
"""


class HpsearchError(ValueError):
    """An error whose message is for users: one line with the rule, the value and what would be right."""

    exit_code = 2
    """The command's exit code: 2 for a wrong request, 1 for what failed while running."""


def one_line(error: BaseException, *, named: bool = False) -> str:
    """An error's message on one line, never empty. named: with the error's type in front."""
    text = " ".join(str(error).split())
    kind = type(error).__name__
    return f"{kind}: {text}" if named else text or kind
