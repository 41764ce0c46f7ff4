"""Options that several commands share."""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from search.cli.types import Folder, OptionError, Ruled
from search.history.request import SCHEDULER_OPTIONS
from search.readable import command_line
from search.samplers import SAMPLERS
from search.schedulers import SCHEDULERS
from search.schedulers.scheduler import options_of
from trainables.caches import cache_home

DATA_DIR = str(cache_home())


def find_own_code() -> None:
    """Let a user's own spaces and networks (package.module:function) be found in the working folder, after all else.

    Raises OptionError if the folder is gone.
    """
    try:
        here = str(Path.cwd())
    except FileNotFoundError as error:
        raise OptionError("the working folder has been deleted; change to another one") from error
    if here not in sys.path:
        sys.path.append(here)


def data_dir(command: Any) -> Any:
    """--data-dir: where datasets are kept."""
    return click.option(
        "--data-dir",
        type=Folder(),
        default=DATA_DIR,
        envvar="HPSEARCH_DATA",
        show_default=True,
        show_envvar=True,
        help="Folder for downloads and the cache.",
    )(command)


def elsewhere(command: Any) -> Any:
    """--dataset and --data-dir for a search that has begun: where its images are now."""
    for option in (
        click.option(
            "--data-dir",
            type=Folder(),
            envvar="HPSEARCH_DATA",
            show_envvar=True,
            help=f"Folder for downloads and the cache.  [default: the launch's if it is usable here, else {DATA_DIR}]",
        ),
        click.option(
            "--dataset",
            metavar="PLACE",
            shell_complete=datasets,
            help="Where the same images are now.  [default: where they were]",
        ),
    ):
        command = option(command)
    return command


def of_schedulers(command: Any) -> Any:
    """The options of all schedulers; each scheduler takes its own: see `search.schedulers.scheduler`."""
    for name, ruled in reversed(SCHEDULER_OPTIONS.items()):
        option, rule = f"--{name.replace('_', '-')}", Ruled(ruled["rule"], ruled["fits"])
        help = f"{ruled['help']}; {ruled['rule']}.  [default: {_defaults(name)}]"
        command = click.option(option, type=rule, help=help)(command)
    return command


def _defaults(option: str) -> str:
    """The defaults of an option of schedulers, such as "1 with asha; 0.5 with halving", also those of some samplers."""
    own = {name: options_of(name)[option] for name in SCHEDULERS if option in options_of(name)}
    for sampler, kind in SAMPLERS.items():
        own |= {
            f"{name} and --sampler {sampler}": suits[option] for name, suits in kind.suits.items() if option in suits
        }
    takers = {value: ", ".join(name for name in own if own[name] == value) for value in own.values()}
    return "; ".join(f"{value:g} with {names}" for value, names in takers.items())


def changed_code(command: Any) -> Any:
    """--changed-code, for a search that has begun."""
    return click.option(
        "--changed-code",
        is_flag=True,
        help="Continue although your own space or networks have changed since the launch.",
    )(command)


def results_folder(given: Path | str | None) -> Path:
    """The folder for --results: the given one, else that in HPSEARCH_RESULTS, else `results`."""
    return Path(given or os.environ.get("HPSEARCH_RESULTS") or "results").expanduser()


def results(command: Any) -> Any:
    """--results: the folder of searches."""
    return click.option(
        "--results",
        type=Folder(),
        default="results",
        envvar="HPSEARCH_RESULTS",
        show_default=True,
        show_envvar=True,
        help="Folder that holds a folder for each search.",
    )(command)


def retrain_line(name: str, results: Path, storage: str | None) -> str:
    """The command that retrains the winners of a search of this results folder, or of the storage if one is given."""
    return command_line("retrain", name, results, *(("--storage", storage) if storage is not None else ()))


def search_argument(command: Any) -> Any:
    """The search, by default the newest."""
    return click.argument("search", required=False, shell_complete=searches)(command)


def searches(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """The searches whose names begin with `incomplete`, for shell completion."""
    from search.history import store

    folder = results_folder(ctx.params.get("results"))
    return [name for name in store.names(folder) if name.startswith(incomplete)]


def searches_or_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The searches whose names begin with `incomplete`, and files, for shell completion."""
    return [*map(CompletionItem, searches(ctx, param, incomplete)), CompletionItem(incomplete, type="file")]


def datasets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The known datasets whose names begin with `incomplete`, files and folders, for shell completion."""
    from trainables.data.known import DATASETS

    names = [CompletionItem(name) for name in DATASETS if name.startswith(incomplete)]
    return [*names, CompletionItem(incomplete, type="file")]


def from_names(names: Callable[[], Iterable[str]]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """A shell completion of names, which are looked up only when it is used."""
    return lambda _ctx, _param, incomplete: [name for name in names() if name.startswith(incomplete)]


def space_names() -> Iterable[str]:
    """The built-in spaces."""
    from search.spaces.space import SPACES

    return SPACES


def experiences(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The datasets whose recorded runs ship with hpsearch, and the searches."""
    from search.experience.recordings import datasets

    return [*(name for name in datasets() if name.startswith(incomplete)), *searches(ctx, param, incomplete)]


def spaces_and_studies() -> Iterable[str]:
    """The built-in spaces and studies."""
    return [*space_names(), *study_names()]


def study_names() -> Iterable[str]:
    """The built-in studies."""
    from search.studies import STUDIES

    return STUDIES


def network_names() -> Iterable[str]:
    """The families of networks."""
    from architectures.families import FAMILIES

    return FAMILIES


def _not_empty(ctx: click.Context, param: click.Parameter, place: str | None) -> str | None:
    """A storage; a usage error for an empty path, which would be the working folder."""
    if place == "":
        raise click.BadParameter("an empty path is not a storage.", ctx, param)
    return place


def storage(command: Any) -> Any:
    """--storage: a second place for the search."""
    return click.option(
        "--storage",
        metavar="PLACE",
        callback=_not_empty,
        help="A folder, s3://bucket/path or gs://bucket/path that all machines can reach; the record and checkpoints "
        "are copied there.",
    )(command)


def from_storage(command: Any) -> Any:
    """--storage of a command that only reads: where the searches are."""
    return click.option(
        "--storage",
        metavar="PLACE",
        callback=_not_empty,
        help="Read from this storage instead: a folder, s3://bucket/path or gs://bucket/path.",
    )(command)


_POINT = re.compile(r"-?(\d+\.|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)  # what JSON does not take


def setting(text: str, example: str) -> tuple[str, Any]:
    """A name and its value from KEY=VALUE: JSON, a number as people write it (.5 and 5.), or a plain word.

    example: one that the command takes, for the error.
    """
    key, mark, value = text.partition("=")
    if not mark:
        raise OptionError(f"--set takes KEY=VALUE, such as {example}; got '{text}'")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):  # not JSON, or nested too deeply
        return key, float(value) if _POINT.fullmatch(value) else value


def as_json(command: Any) -> Any:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)


def announce(line: str) -> None:
    """Print a line before something that takes seconds."""
    click.echo(line, err=True)


def emit(data: Any) -> None:
    """Print data as JSON."""
    from search.history.ledger import plain

    click.echo(json.dumps(plain(data), indent=1, default=str))
