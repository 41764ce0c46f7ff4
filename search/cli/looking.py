"""The commands that show searches: status, list, top."""

import sys
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from architectures.errors import HpsearchError, one_line
from search.cli import options
from search.cli.types import Count, OptionError
from search.history.pareto import COSTS, front, knee


class WithColumns(click.Command):
    """A command whose help ends with the columns of `trials`."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the columns; they are imported here, as only the help needs them."""
        from search.history.columns import TRIALS
        from search.history.hyperparameters import hyperparameter_columns

        own = [(column.name, column.meaning) for column in TRIALS if column.name not in hyperparameter_columns()]
        with formatter.section("Columns of --json and of trials.parquet"):
            formatter.write_dl([*own, ("hyperparameters", f"{', '.join(hyperparameter_columns())}.")])


@click.command()
@options.search_argument
@click.option(
    "--watch", "is_watched", is_flag=True, help="Keep showing it until the search ends; not with --json or --storage."
)
@options.from_storage
@options.as_json
@options.results
def status(search: str | None, is_watched: bool, storage: str | None, as_json: bool, results: Path) -> None:
    """Show the progress of a search, even while it runs.

    \b
    hpsearch status
    hpsearch status my-search --json
    hpsearch status --watch             what its own terminal shows, until it ends
    hpsearch status --storage s3://bucket/searches      a search on another machine
    """
    from search.show.status import print_status
    from search.show.status import status as status_of
    from search.storage.opening import opened

    for option, given in (("--json", as_json), ("--storage", storage is not None)):
        if is_watched and given:
            raise OptionError(f"--watch shows a search of this machine to people; leave out {option}")
    if is_watched:
        from search.show.watch import watch

        try:
            search = watch(results, search)
        except KeyboardInterrupt:
            sys.exit(130)
    with opened(results, search, storage) as loaded:
        found = status_of(loaded)
    options.emit(found) if as_json else print_status(found)


@click.command("list")
@options.from_storage
@options.as_json
@options.results
def list_searches(storage: str | None, as_json: bool, results: Path) -> None:
    """List all searches, oldest first.

    Searches that cannot be read come before the others, with the reason; the exit code is then 2.

    \b
    hpsearch list
    hpsearch list --storage s3://bucket/searches      those of other machines
    """
    from search.history import store
    from search.show.overview import in_words, summary, unreadable
    from search.show.terminal import print_rows
    from search.storage import layout
    from search.storage.opening import opened

    if storage is None:
        names = store.names(results)
    else:
        with layout.reported(storage):
            names = layout.searches(storage)
    read: list[tuple[float, dict[str, Any]]] = []
    damaged = []
    for name in names:
        try:
            with opened(results, name, storage) as found:
                read.append((found.search.created, summary(found)))
        except (HpsearchError, OSError) as error:
            damaged.append(unreadable(name, one_line(error)))
    rows = [*damaged, *(row for _, row in sorted(read, key=itemgetter(0)))]
    if as_json:
        options.emit(rows)
    else:
        empty = f"there is no search in {storage} yet" if storage is not None else store.none_yet(results)
        print_rows(list(map(in_words, rows)), empty)
    for row in damaged:
        click.echo(f"hpsearch: {row['name']}: {row['reason']}", err=True)
    if damaged:
        sys.exit(2)


@click.command(cls=WithColumns)
@options.search_argument
@click.option("--number", "-n", type=Count(min=1), help="Rows to show.  [default: 10, or all with --json]")
@click.option("--all", "everything", is_flag=True, help="Every trial, with its state and reason.")
@click.option("--distinct", is_flag=True, help="Only the best of each network family.")
@click.option(
    "--pareto",
    type=click.Choice(tuple(COSTS)),
    multiple=True,
    help="Only Pareto-optimal trials by this cost. Repeatable.",
)
@options.from_storage
@options.as_json
@options.results
def top(
    search: str | None,
    number: int | None,
    everything: bool,
    distinct: bool,
    pareto: tuple[str, ...],
    storage: str | None,
    as_json: bool,
    results: Path,
) -> None:
    """Show the best trials, each at its best epoch.

    The best epoch has the highest validation accuracy, or the highest value of the launch's --metric.

    \b
    hpsearch top
    hpsearch top my-search --distinct --json
    hpsearch top --pareto parameters        the Pareto front of accuracy and parameters
    """
    from search.show import ranking
    from search.storage.opening import opened

    if everything and (distinct or pareto or number is not None):
        some = "--distinct" if distinct else "--pareto" if pareto else "--number"
        raise OptionError(f"--all shows every trial, and {some} only some of them")
    if number is None and not as_json:
        number = 10
    with opened(results, search, storage) as found:
        costs = tuple(dict.fromkeys(pareto))
        objectives = costs or found.search.request.costs
        ranked = ranking.top(found, None, distinct=distinct, everything=everything)
        unbeaten = front(ranking.top(found, None, distinct=distinct), objectives) if objectives else []
        best = unbeaten if costs else ranked
        runs = best if everything else best[:number]
        if as_json:
            marks = {"knee": knee(unbeaten, objectives)} if objectives else {}
            options.emit(ranking.rows(found, runs, **marks))
        else:
            ranking.print_top(found, runs, everything=everything)
            if objectives:
                ranking.print_front(
                    found, unbeaten, objectives, options.retrain_line(found.search.name, results, storage)
                )
