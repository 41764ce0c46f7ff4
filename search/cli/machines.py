"""The command that shows what machines offer: doctor."""

import sys
from pathlib import Path

import click

from search.cli import options


@click.command()
@click.option("--address", metavar="HOST:PORT", help="Check this Ray cluster too; auto: the one of this machine.")
@click.option("--storage", metavar="PLACE", help="Check this storage too: a folder, s3://… or gs://….")
@options.data_dir
@options.as_json
@options.results
def doctor(address: str | None, storage: str | None, data_dir: Path, as_json: bool, results: Path) -> None:
    """Check this machine and a cluster for problems.

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
