"""A launch that is sent to a cluster as a job, with the options that were given."""

from pathlib import Path

import click
from click.core import ParameterSource

from search.cli.types import OptionError
from search.history.request import Request

#: Options of `launch` that `job.submit` sets itself, and `quiet`, as it reads what the search says when it begins.
_CHANGED = ("space", "name", "address", "submit", "storage", "results", "quiet")


def submitted(url: str, request: Request, name: str | None, *, storage: str | None, results: Path) -> None:
    """Send a search, with the options of the present command, to the cluster whose dashboard is at `url`."""
    from search.run import job
    from search.run.launch import default_name

    words = given(click.get_current_context())
    name = name or default_name(request, is_shared=True)
    job.submit(url, words, request, name, storage=storage, results=results, say=click.echo)


def given(context: click.Context) -> list[str]:
    """The options that were given on the command line, as words, without those in `_CHANGED`.

    Raises OptionError for a folder that is not an absolute path, as the head would look for it.
    """
    found = []
    for option in context.command.params:
        name = option.name or ""
        if name in _CHANGED or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        if isinstance(value, Path) and not value.is_absolute():
            raise OptionError(f"with --submit {option.opts[0]} is a folder on the head, /a/path; got '{value}'")
        if value is True:
            found.append(option.opts[0])
            continue
        for each in value.split(",") if option.multiple else [value]:  # such values are joined by commas
            found += [option.opts[0], str(each)]
    return found
