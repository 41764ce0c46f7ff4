"""The commands that end and remove searches: stop, delete."""

import sys
from pathlib import Path

import click

from search.cli import options
from search.cli.types import OptionError
from search.readable import command_line, count


@click.command()
@options.search_argument
@options.results
def stop(search: str | None, results: Path) -> None:
    """End a running search from another terminal.

    It ends as with Ctrl-C there. No recorded result is lost, and hpsearch resume continues it.

    \b
    hpsearch stop my-search
    """
    from search.history.load import read_search
    from search.run import ending

    found = read_search(results, search)
    name = found.search.name
    again = command_line("resume", name, results)
    if found.retraining == "running":
        again = "the same hpsearch retrain"
    click.echo(f"{name} has ended: {ending.stop(found)}; {again} continues it")


@click.command()
@click.argument("search", shell_complete=options.searches)
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.results
def delete(search: str, yes: bool, results: Path) -> None:
    """Delete a search and all its files, after asking.

    This deletes its record, weights and predictions. A running search is not deleted: stop it first. A copy in a
    storage is not deleted.

    \b
    hpsearch delete my-search
    hpsearch delete my-search --yes
    """
    from search.run import ending

    found = ending.check_deletable(results, search)
    retrains = len(list(found.folder.glob("retrain/*/model.safetensors")))
    kept = f", with {count(retrains, 'retrained network')}" if retrains else ""
    if not yes and not _agrees(f"delete {found.folder}{kept}?"):
        click.echo("nothing was deleted")
        return
    place = ending.delete(ending.check_deletable(results, search))
    click.echo(f"{search} is deleted" + (f"; its copy in {place} stays" if place else ""))


def _agrees(question: str) -> bool:
    """Ask at the terminal, or read the answer from a pipe; raises OptionError if there is neither."""
    try:
        return click.confirm(question)
    except click.Abort as error:
        if sys.stdin.isatty():  # a Ctrl-C
            raise
        click.echo()  # ends the line of the question
        raise OptionError("no terminal to ask in: give --yes") from error
