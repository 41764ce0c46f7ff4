"""The command that shows what a dataset holds: dataset."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from search.cli import options
from search.cli.reporting import check_place, write_page
from search.cli.sessions import dataset_of
from search.cli.types import MOST_PIXELS, Count, OptionError, Place

if TYPE_CHECKING:
    from trainables.data.decode import Progress
    from trainables.data.description import Begin


@click.command()
@click.argument("name", shell_complete=options.datasets)
@click.option("--label", metavar="NAME", help="Column or field of labels.  [default: as in launch]")
@click.option("--image", metavar="NAME", help="Column or field of images.  [default: the only one]")
@click.option("--image-size", type=Count(1, MOST_PIXELS), help="Resize every image to this many pixels a side.")
@options.data_dir
@click.option("--near", is_flag=True, help="Also find near-duplicates, which takes longer.")
@click.option("--html", type=Place(), metavar="FILE", help="Also write a page with pictures.")
@click.option("--show-test", is_flag=True, help="Also show test images on the page; they are hashed in any case.")
@options.as_json
def dataset(
    name: str,
    label: str | None,
    image: str | None,
    image_size: int | None,
    data_dir: Path,
    near: bool,
    html: Path | None,
    show_test: bool,
    as_json: bool,
) -> None:
    """Show what a dataset holds: classes, images, colours, duplicates.

    NAME is the same as for launch --dataset: a known name, or a folder or file with your own images. Nothing is
    trained. Test images are counted, averaged in colour, and hashed to find those that are also in train. The page has
    pictures of train alone.

    \b
    hpsearch dataset cifar100                       its classes and superclasses
    hpsearch dataset ~/pictures --image-size 64     your own
    hpsearch dataset cifar10 --html cifar10.html    an average image of each class, and examples
    hpsearch dataset cifar100 --near                also near-duplicates
    hpsearch dataset digits --json
    """
    from search.show import dataset as show
    from trainables.data.description import describe
    from trainables.data.formats.format import Columns

    if show_test and html is None:
        raise OptionError("--show-test is for the pictures of a page: give --html FILE as well")
    if html is not None:
        check_place(html, "--html")
    name = dataset_of(name)
    with _progress() as begin:
        columns = Columns(label, image)
        found = describe(name, columns, data_dir=data_dir, image_size=image_size, near=near, begin=begin)
    if near and found.near is None:
        click.echo("note: too many images look alike to tell which are nearly the same", err=True)
    if as_json:
        options.emit(show.as_json(found))
    else:
        show.show(found)
    if html is not None:
        from search.page.dataset import page_of_dataset
        from search.page.page import as_file

        write_page(as_file(page_of_dataset(found, show_test=show_test)), html, "--html", err=as_json)


@contextmanager
def _progress() -> "Iterator[Begin]":
    """Show on a terminal how far each step has come."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    with Bars(console=console, transient=True, disable=not console.is_terminal) as bars:

        def begin(step: str) -> "Progress":
            for before in bars.task_ids:
                bars.remove_task(before)
            task = bars.add_task(step, total=None)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield begin
