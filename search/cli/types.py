"""Types that check the values of options, and the error of a wrong request."""

import math
from pathlib import Path
from typing import Any

import click

from architectures.errors import HpsearchError

MOST_EPOCHS = 1_000_000
MOST_PIXELS = 1024  # per side; all images of a dataset are held in memory at this size
MOST_SLOTS = 1024


class OptionError(HpsearchError):
    """A wrong request on the command line."""


class Count(click.IntRange):
    """A whole number within limits."""

    name = "integer"


class Real(click.FloatRange):
    """A finite number within limits; click's own lets NaN pass every one of them."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; a usage error for anything else."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is not a finite number.", param, ctx)
        return number


class Folder(click.ParamType):
    """A folder's path, with ~ for the home folder also where no shell has replaced it."""

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
