"""The command that writes a search as a page: report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from search.cli import options
from search.cli.sessions import dataset_of
from search.cli.types import OptionError, Place

if TYPE_CHECKING:
    from search.page.view import View

FORMATS = ("html", "md")


@click.command()
@click.argument("searches", nargs=-1, shell_complete=options.searches)
@click.option("--out", type=Place(), help="Where to write.  [default: report.html in its folder]")
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="html",
    show_default=True,
    help="A page, or a table in Markdown on standard output.",
)
@click.option("--figures", type=Place(), metavar="DIR", help="Write the figures as SVG and PNG files instead.")
@click.option(
    "--examples",
    is_flag=True,
    help="Show test images that winners misclassify; this is recorded. Not for a search with a storage.",
)
@click.option(
    "--dataset",
    metavar="PLACE",
    shell_complete=options.datasets,
    help="Where the images of --examples are now.  [default: where they were]",
)
@options.from_storage
@options.results
def report(
    searches: tuple[str, ...],
    out: Path | None,
    form: str,
    figures: Path | None,
    examples: bool,
    dataset: str | None,
    storage: str | None,
    results: Path,
) -> None:
    """Write a search as one self-contained HTML page.

    The page opens anywhere, without a network. The search may still be running.

    \b
    hpsearch report                          the newest search, to results/NAME/report.html
    hpsearch report my-search --out page.html
    hpsearch report --examples               with images of the winners' mistakes
    hpsearch report one another --out both.html        side by side
    hpsearch report --format md >> pull-request.md
    hpsearch report --figures paper/         needs matplotlib (the extra figures)
    """
    from contextlib import ExitStack

    from search.page.page import as_file, page_of
    from search.page.view import View
    from search.storage.opening import opened

    if twice := {name for name in searches if searches.count(name) > 1}:
        raise OptionError(f"name each search once; '{min(twice)}' is named {searches.count(min(twice))} times")
    if figures is not None and (out is not None or form != "html"):
        raise OptionError("--figures writes a folder of files; leave out --out and --format")
    if examples and (len(searches) > 1 or storage is not None or form != "html" or figures is not None):
        raise OptionError(
            "--examples are on the page of one search of the results folder: name one, without --storage, --format and "
            "--figures"
        )
    if dataset is not None and not examples:
        raise OptionError("--dataset says where the images of --examples are: give both, or neither")
    with ExitStack() as stack:
        names = searches or (None,)
        views = [View(stack.enter_context(opened(results, name, storage))) for name in names]
        if form == "md":
            from search.page.markdown import markdown

            write_page(markdown(views), out, "--out")
            return
        if examples:
            views = [_with_examples(views[0], results, dataset)]
        page = page_of(views)
        if figures is not None:
            from search.page.drawing import write_figures

            click.echo(write_figures(page, figures))
            return
        if out is None:
            if len(views) > 1 or storage is not None:
                raise OptionError(
                    "several searches, or one of a storage, have no folder for their page: give --out FILE"
                )
            out = views[0].found.search.folder / "report.html"
        write_page(as_file(page), out, "--out")


def _with_examples(view: View, results: Path, dataset: str | None) -> View:
    """A search with the test images for its page, or with the reason for none; dataset: where they are now."""
    from dataclasses import replace

    from architectures.errors import HpsearchError, one_line
    from search.history.load import read_search
    from search.page.examples import wanted
    from search.page.view import UP_CLOSE, View
    from search.run.looks import look

    search, indices = view.found.search, wanted(view)
    if dataset is not None:
        search = replace(search, request=replace(search.request, dataset=dataset_of(dataset)))
    if not len(indices):
        return View(view.found, without="No test image was misclassified.")
    tested = [run.test.fingerprint for run in view.winners if run.test]
    try:
        if len({view.retrains[run.key]["test_set"] for run in view.winners[:UP_CLOSE]}) > 1:
            raise OptionError("its winners were tested on different images")
        images = look(search, indices, why="examples of mistakes on a page", expected=tested[0])
    except (HpsearchError, OSError) as error:
        reason = f"There are no examples of its mistakes: {one_line(error)}."
        click.echo(reason, err=True)
        return View(read_search(results, search.name), without=reason)
    pixels = dict(zip(indices.tolist(), images.pixels, strict=True))
    return View(read_search(results, search.name), pixels)


def check_place(out: Path, option: str) -> None:
    """Raise OptionError before long work if a file cannot be written after it; option: the one that names it."""
    try:
        reason = _why_not(out)
    except OSError as error:  # such as a name that is too long
        reason = error.strerror
    if reason is not None:
        raise OptionError(f"cannot write {out}: {reason}; give another {option}")


def _why_not(out: Path) -> str | None:
    """Why a file cannot be written; None if it can."""
    if out.is_dir():
        return "it is a folder"
    above = next(folder for folder in out.absolute().parents if folder.exists())
    if not above.is_dir():
        return f"{above} is a file"
    return None if os.access(above, os.W_OK) else f"{above} is read-only"


def write_page(text: str, out: Path | None, option: str, *, err: bool = False) -> None:
    """Write a file, whole or not at all, or to standard output; raises OptionError if it cannot be written.

    option: the one that names the file. err: report on standard error, as a program reads standard output.
    """
    from architectures.errors import one_line
    from trainables import files

    if out is None:
        click.echo(text, nl=False)
        return
    try:
        files.write(out, text.encode())
    except OSError as error:
        raise OptionError(f"cannot write {out}: {error.strerror or one_line(error)}; give another {option}") from error
    told = f"{out}: {out.stat().st_size / 1e6:.1f} MB; open it in a browser" if out.suffix == ".html" else str(out)
    click.echo(told, err=err)
