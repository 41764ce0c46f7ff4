"""Calls that must hold, whatever they are given: the command, or a function with its ways to refuse."""

import contextlib
import io
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import click
from hypothesis import strategies as st

import search.cli.main as cli

HERE = Path("generated")
"""A folder for what a kind writes."""
Test = Callable[[Any], None]
"""Holds for every example; an exception is a broken promise."""
Kind = tuple[st.SearchStrategy, Test]
outcomes: Counter[str] = Counter()
"""What came of the examples so far."""


def hpsearch(*arguments: str) -> int:
    """The command in this process; its exit code, after a look at what it says."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.path[:]
    with mock.patch("sys.argv", ["hpsearch", *arguments]), contextlib.redirect_stdout(out):
        try:
            with contextlib.redirect_stderr(err):
                cli.main()
        except SystemExit as end:
            code = end.code
    sys.path[:] = before
    assert code in (0, 1, 2), f"exit code {code}"
    lines = err.getvalue().splitlines()
    if code:
        assert len(lines) == 1 and lines[0].startswith("hpsearch: "), f"standard error is {lines}"
    outcomes["refused" if code else "understood"] += 1
    return int(code)


def held(call: Callable[[], Any], *refusals: type[Exception]) -> Any:
    """What a call gives, or None when it refuses in one of the ways it may."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = call()
    except refusals:
        outcomes["refused"] += 1
        return None
    outcomes["understood"] += 1
    return found


def begin(*_: object, **__: object) -> None:
    """Stands for what would begin a session."""
    raise click.UsageError("it would begin")
