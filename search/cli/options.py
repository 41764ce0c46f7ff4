"""Options that several verbs share, and the types that check their values."""

import json
import math
from pathlib import Path
from typing import Any

import click

MOST_EPOCHS = 1_000_000
MOST_PIXELS = 1024  # a side; a dataset is held in memory as it is trained on
MOST_SLOTS = 1024


class Mistake(click.ClickException):
    """A wrong request: one line on standard error and exit code 2."""

    exit_code = 2


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
            self.fail("an empty path is no folder.", param, ctx)
        try:
            folder = Path(value).expanduser()
            if folder.exists() and not folder.is_dir():
                self.fail(f"'{folder}' is a file, not a folder.", param, ctx)
        except (OSError, RuntimeError) as error:
            self.fail(f"'{value}' is no folder: {error}.", param, ctx)
        return folder


def data_dir(command: Any) -> Any:
    """--data-dir: where datasets are kept."""
    return click.option(
        "--data-dir",
        type=Folder(),
        default="~/.cache/hpsearch",
        envvar="HPSEARCH_DATA",
        show_default=True,
        show_envvar=True,
        help="Downloads and cache.",
    )(command)


def results(command: Any) -> Any:
    """--results: where searches lie."""
    return click.option(
        "--results",
        type=Folder(),
        default="results",
        show_default=True,
        help="Folder that holds a folder for each search.",
    )(command)


def search_argument(command: Any) -> Any:
    """The search, by default the newest."""
    return click.argument("search", required=False)(command)


def session(command: Any) -> Any:
    """How a session runs; the values are those that `session_options` takes."""
    for option in reversed(
        (
            click.option(
                "--parallel",
                type=Count(1, MOST_SLOTS),
                help="Trials at a time.  [default: one a core, at most 16 a GPU]",
            ),
            click.option(
                "--max-time",
                type=Real(min=0, min_open=True),
                help="Minutes after which trials pause at their epoch's end; resume goes on.",
            ),
            click.option(
                "--retries",
                type=Count(0, 100),
                default=2,
                show_default=True,
                help="Further attempts for a trial whose worker or machine fails, from its last checkpoint.",
            ),
            click.option(
                "--trial-timeout",
                type=Real(min=0, min_open=True),
                default=30,
                show_default=True,
                help="Minutes without progress after which a trial's worker ends itself.",
            ),
            click.option("--address", metavar="HOST:PORT", help="Train on this Ray cluster.  [default: this machine]"),
            click.option(
                "--engine",
                type=click.Choice(["tune", "inline"]),
                default="tune",
                show_default=True,
                help="Ray Tune, or one trial at a time in this process, without Ray.",
            ),
        )
    ):
        command = option(command)
    return command


def session_options(
    parallel: int | None,
    max_time: float | None,
    retries: int,
    trial_timeout: float,
    address: str | None,
    engine: str,
) -> Any:
    """The options of `session` as `search.run.session.Options`, in seconds."""
    from search.run.session import Options

    return Options(
        parallel=parallel,
        max_time=max_time * 60 if max_time is not None else None,
        retries=retries,
        trial_timeout=trial_timeout * 60,
        address=address,
        engine=engine,
    )


def storage(command: Any) -> Any:
    """--storage: where searches are kept as well."""
    return click.option(
        "--storage",
        metavar="PLACE",
        help="A folder or s3://bucket/path that all machines reach: records and checkpoints are kept there as well.",
    )(command)


def as_json(command: Any) -> Any:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="For programs: JSON on standard output.")(command)


def emit(data: Any) -> None:
    """Print data as JSON."""
    from search.history.ledger import plain

    click.echo(json.dumps(plain(data), indent=1, default=str))
