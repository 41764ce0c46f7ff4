"""The command that writes a search elsewhere: follow."""

import time
from pathlib import Path

import click

from search.cli import options
from search.follow import SINKS

STORED_SECONDS = 5.0  # between two reads of a storage


@click.command()
@click.argument("sink", type=click.Choice(list(SINKS)))
@options.search_argument
@click.option("--once", is_flag=True, help="Write the present results and end, even while the search runs.")
@click.option("--beside", is_flag=True, hidden=True, help="End when standard input does, as launch --follow wants it.")
@options.from_storage
@options.results
def follow(sink: str, search: str | None, once: bool, beside: bool, storage: str | None, results: Path) -> None:
    """Send results to TensorBoard, Optuna, MLflow or W&B.

    It runs until the search is finished, and prints the command or address of the viewer. The output is in the
    search's folder, in follow/SINK, unless the tool's own variables name a server. Ctrl-C ends it and changes nothing
    in the search; started again, it continues.

    \b
    hpsearch follow tensorboard                  curves, and hyperparameters in the HParams tab
    hpsearch follow optuna my-search --once      a study for optuna-dashboard
    hpsearch follow mlflow                       an experiment in a database, or at MLFLOW_TRACKING_URI
    WANDB_MODE=offline hpsearch follow wandb     runs for wandb sync; without it they go to the server
    hpsearch follow optuna --storage s3://bucket/searches      a search of another machine
    """
    from search.follow.loop import follow as write
    from search.follow.loop import sink_folder, wait, wait_for_input
    from search.history import store

    if storage is None:
        found = store.find(results, search)
        pause = wait_for_input if beside else wait
        write(found, sink, sink_folder(found.folder, sink), once=once, say=click.echo, pause=pause)
        return
    from search.storage.layout import StorageError
    from search.storage.takeover import open_growing_copy

    with open_growing_copy(storage, search) as (copy, bring):
        found = store.find(copy)
        folder = sink_folder(results / found.name, sink)
        is_away = False

        def fetch() -> bool:
            nonlocal is_away
            time.sleep(STORED_SECONDS)
            try:
                bring()
                is_away = False
            except StorageError as error:
                if not is_away:
                    click.echo(f"{error}; trying again every {STORED_SECONDS:g} s", err=True)
                is_away = True
            return True

        write(found, sink, folder, once=once, say=click.echo, pause=fetch)
