"""Types that check the values of options, and the error of a wrong request."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from architectures.errors import HpsearchError
from search.history.pareto import KNEE

MOST_EPOCHS = 1_000_000
MOST_PIXELS = 1024  # per side; all images of a dataset are held in memory at this size
MOST_SLOTS = 1024
MOST_THREADS = 1024


class OptionError(HpsearchError):
    """A wrong request on the command line."""


class Count(click.IntRange):
    """A whole number within limits."""

    name = "integer"


class Real(click.FloatRange):
    """A finite number within limits; click's own type lets NaN pass any limit."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for anything else."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


class Ruled(click.ParamType):
    """A finite number that fits a rule."""

    name = "number"

    def __init__(self, rule: str, fits: Callable[[float], bool]) -> None:
        """rule: the words after "is not" in the error."""
        self._rule, self._fits = rule, fits

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for anything else."""
        number = Real().convert(value, param, ctx)
        if not self._fits(number):
            self.fail(f"{number:g} is not {self._rule}.", param, ctx)
        return number


class Duration(click.ParamType):
    """A time such as 90s, 30m or 1.5h; a number alone is minutes."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Its seconds; a usage error for anything else."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)([smh]?)", value, re.ASCII)
        seconds = float(match[1]) * {"s": 1, "h": 3600}.get(match[2], 60) if match else 0.0
        if not 0 < seconds < math.inf:
            self.fail(f"'{value}' is not a time such as 90s, 30m or 1.5h.", param, ctx)
        return seconds


class Minutes(Duration):
    """A time as `Duration` takes it, or any number of minutes."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Its seconds; a usage error for anything else."""
        try:
            return Real(min=0, min_open=True).convert(value, param, ctx) * 60
        except click.BadParameter:
            return super().convert(value, param, ctx)


class TrialNumber(click.ParamType):
    """A trial's number, or `KNEE`."""

    name = "number|knee"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number or the word; a usage error for anything else."""
        if value == KNEE:
            return KNEE
        try:
            if str(value).isdecimal():
                return int(value)
        except ValueError:  # of too many digits
            pass
        self.fail(f"'{value}' is neither a trial's number nor {KNEE}.", param, ctx)


class Place(click.Path):
    """A file or folder to write; click's own type takes an empty path for the working folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; a usage error for an empty one."""
        if not str(value):
            self.fail("an empty path is not a place to write to.", param, ctx)
        return super().convert(value, param, ctx)


class Folder(click.ParamType):
    """A folder's path; ~ is the home folder, even if no shell has replaced it."""

    name = "directory"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path; a usage error for an empty one, an unknown user's home, or a file."""
        if not str(value):
            self.fail("an empty path is not a folder.", param, ctx)
        try:
            folder = Path(value).expanduser()
            if folder.exists() and not folder.is_dir():
                self.fail(f"'{folder}' is a file, not a folder.", param, ctx)
        except OSError as error:
            self.fail(f"'{value}' is not a folder: {error}.", param, ctx)
        except RuntimeError:
            self.fail(f"'{value}' is in a home folder that is not known: set HOME, or give another folder.", param, ctx)
        return folder
