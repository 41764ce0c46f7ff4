"""The command that shows searches live in a browser: serve."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from search.cli import options
from search.cli.types import Count

PORT = 8760


@click.command()
@click.option("--port", type=Count(0, 65535), default=PORT, show_default=True, help="0 for any free port.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@options.from_storage
@options.results
def serve(port: int, host: str, storage: str | None, results: Path) -> None:
    """Show all searches in a browser, live while they run.

    It prints the address to open, which holds a token. It changes nothing; Ctrl-C ends it.

    \b
    hpsearch serve
    hpsearch serve --port 8000 --results /data/results
    hpsearch serve --storage s3://bucket/searches      searches of other machines
    ssh -L 8760:127.0.0.1:8760 machine                 from your own machine, then open the address there
    """
    import secrets

    from search.page import server
    from search.page.library import Library, ResultsLibrary, StorageLibrary

    listening = server.listen(host, port)
    if storage is None:
        searches: Library = ResultsLibrary(results)
    else:
        from search.storage import layout
        from search.storage.opening import opened

        searches = StorageLibrary(partial(layout.searches, storage), lambda name: opened(results, name, storage))
        with layout.reported(storage):
            searches.rows()  # raises now if the storage cannot be reached
    token = secrets.token_urlsafe(24)
    click.echo(f"searches of {storage or results}: {server.address_of(listening, host, token)}")
    click.echo("Ctrl-C ends the server; searches continue.", err=True)
    sys.stdout.flush()
    server.serve(searches, listening, host, token)


@contextmanager
def beside(results: Path) -> Iterator[None]:
    """Within this context, a server in its own process shows the searches of a folder; its address is printed first."""
    words = [sys.executable, "-m", "search", "serve", "--port", "0", "--results", str(results)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().rstrip()
            click.echo(address or "the page could not be served; run hpsearch serve to see why")
            yield
        finally:
            process.terminate()
