"""The verb that writes a search elsewhere: follow."""

from pathlib import Path

import click

from search.cli import options
from search.follow import SINKS


@click.command()
@click.argument("sink", type=click.Choice(list(SINKS)))
@options.search_argument
@click.option("--once", is_flag=True, help="Write what is there and end, also while the search runs.")
@options.results
def follow(sink: str, search: str | None, once: bool, results: Path) -> None:
    """Show a search in another tool, until it is finished.

    The output lies in the search's folder, in follow/SINK. Ctrl-C ends it and changes nothing in the search.

    \b
    hpsearch follow tensorboard                  curves, and hyperparameters in the HParams tab
    hpsearch follow optuna my-search --once      a study for optuna-dashboard
    """
    from search.follow.following import follow as write
    from search.history import store

    write(store.find(results, search), sink, once=once, say=click.echo)
