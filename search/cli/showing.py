"""The verbs that show: status, list, top, spaces, networks, doctor."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from search.cli import options


@click.command()
@options.search_argument
@options.storage
@options.as_json
@options.results
def status(search: str | None, storage: str | None, as_json: bool, results: Path) -> None:
    """How far a search is, also while it runs.

    \b
    hpsearch status
    hpsearch status my-search --json
    hpsearch status --storage s3://bucket/searches      of a search on another machine
    """
    from search.show.status import print_status
    from search.show.status import status as status_of
    from search.storage.look import opened

    with opened(results, search, storage) as loaded:
        found = status_of(loaded)
    options.emit(found) if as_json else print_status(found)


@click.command("list")
@options.as_json
@options.results
def list_searches(as_json: bool, results: Path) -> None:
    """All searches, oldest first.

    \b
    hpsearch list
    """
    from search.history import store
    from search.history.load import read_search
    from search.show.status import summary
    from search.show.terminal import print_rows

    rows = [summary(read_search(results, found.name)) for found in store.find_all(results)]
    options.emit(rows) if as_json else print_rows(rows, f"no search in {results} yet; begin one with hpsearch launch")


@click.command()
@options.search_argument
@click.option("--number", "-n", type=options.Count(min=1), help="Rows to show.  [default: 10, or all with --json]")
@click.option("--all", "everything", is_flag=True, help="Every trial, with its state and reason.")
@click.option("--distinct", is_flag=True, help="Only the best of each network family.")
@options.storage
@options.as_json
@options.results
def top(
    search: str | None,
    number: int | None,
    everything: bool,
    distinct: bool,
    storage: str | None,
    as_json: bool,
    results: Path,
) -> None:
    """The best trials, by the best validation accuracy of each.

    \b
    hpsearch top
    hpsearch top my-search --distinct --json
    """
    from search.show import ranking
    from search.storage.look import opened

    if number is None and not as_json:
        number = 10
    with opened(results, search, storage) as found:
        frame = ranking.top(found, None if everything else number, distinct=distinct, everything=everything)
        if as_json:
            click.echo(frame.to_json(orient="records"))
        else:
            ranking.print_top(found, frame, everything=everything)


@click.command()
@click.argument("name", required=False)
@options.as_json
def spaces(name: str | None, as_json: bool) -> None:
    """The spaces, or one space's parameters with their conditions and ranges.

    \b
    hpsearch spaces
    hpsearch spaces cnn_all
    """
    from search.show import catalogue
    from search.show.terminal import print_rows

    rows = catalogue.spaces() if name is None else catalogue.space(name)
    options.emit(rows) if as_json else print_rows(rows, "")


@click.command()
@click.argument("name", required=False)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a hyperparameter: --set width=0.5")
@click.option("--input", "input_shape", default="3x32x32", show_default=True, help="Image shape CxHxW.")
@click.option("--classes", type=options.Count(min=2), default=100, show_default=True)
@options.as_json
def networks(name: str | None, settings: tuple[str, ...], input_shape: str, classes: int, as_json: bool) -> None:
    """The network families, or one network layer by layer.

    \b
    hpsearch networks
    hpsearch networks cnn6 --set width=0.5 --input 1x16x16 --classes 10
    """
    from search.show import catalogue
    from search.show.terminal import print_rows

    shape = _shape(input_shape)
    if settings and name is None:
        raise options.Mistake(
            f"--set needs the network that it changes, such as hpsearch networks cnn6 --set {settings[0]}"
        )
    try:
        if name is None:
            rows = catalogue.networks(shape, classes)
        else:
            rows = catalogue.network(name, dict(_setting(s) for s in settings), shape, classes)
    except (ValueError, TypeError) as error:
        raise options.Mistake(str(error)) from error
    options.emit(rows) if as_json else print_rows(rows, "")


@click.command()
@click.option("--address", metavar="HOST:PORT", help="Look at this Ray cluster too.")
@options.storage
@options.data_dir
@options.as_json
@options.results
def doctor(address: str | None, storage: str | None, data_dir: Path, as_json: bool, results: Path) -> None:
    """What this machine and a cluster offer, what is missing, and what to do.

    \b
    hpsearch doctor
    hpsearch doctor --address 10.0.0.5:6379 --storage s3://bucket/searches
    """
    from search.machines.doctor.examine import examine
    from search.show.terminal import print_rows

    rows = examine(results, data_dir, address=address, storage=storage)
    if as_json:
        options.emit([vars(row) for row in rows])
    else:
        columns = {"check": "check", "found": "found", "verdict": "verdict", "advice": "what to do"}
        print_rows([{title: getattr(row, name) for name, title in columns.items()} for row in rows], "")
    if any(row.verdict == "problem" for row in rows):
        sys.exit(1)


def _shape(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d{0,4}(x[1-9]\d{0,4}){2}", text.lower(), re.ASCII):
        raise options.Mistake(f"--input is CxHxW with three numbers from 1 to 99999, such as 3x32x32; got '{text}'")
    return tuple(int(part) for part in text.lower().split("x"))


def _setting(text: str) -> tuple[str, Any]:
    key, mark, value = text.partition("=")
    if not mark:
        raise options.Mistake(f"--set takes KEY=VALUE, such as width=0.5; got '{text}'")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):  # not JSON, or too much of it: a plain word
        return key, value
