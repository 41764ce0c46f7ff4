"""The commands that show what there is to search: spaces, networks."""

import re

import click

from architectures.errors import instead
from search.cli import options
from search.cli.types import Count, OptionError


@click.command()
@click.argument("name", required=False, shell_complete=options.from_names(options.spaces_and_studies))
@options.as_json
def spaces(name: str | None, as_json: bool) -> None:
    """List the spaces and studies, or show one of them.

    For a space it shows the parameters and their ranges, for a study its arms. A parameter that several networks share
    is one row; --json has one for each network.

    \b
    hpsearch spaces
    hpsearch spaces cnn_all
    hpsearch spaces batch-norm
    """
    from search.show import catalogue
    from search.show.terminal import console, print_rows
    from search.studies import find_study, is_study

    if name is None:
        rows, asked = catalogue.spaces(), catalogue.studies()
        if as_json:
            options.emit(rows + asked)
            return
        print_rows(rows, "")
        print_rows(asked, "", "Studies, for launch --study:")
        return
    known = list(options.spaces_and_studies())
    if name not in known and ":" not in name and not name.endswith((".jsonl", ".toml")):
        raise OptionError(
            f"unknown space or study '{name}'{instead(name, known)}, a .jsonl or .toml "
            "file, or your own as package.module:function"
        )
    study = find_study(name) if is_study(name) else None
    name = study.space or name if study else name
    rows = catalogue.study(study) if study and study.arms else catalogue.space(name, each=as_json)
    if as_json:
        options.emit(rows)
        return
    print_rows(rows, "")
    if more := catalogue.remarks(name):
        console.print(more, soft_wrap=True)


@click.command()
@click.argument("name", required=False, shell_complete=options.from_names(options.network_names))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a hyperparameter: --set width=0.5")
@click.option("--input", "input_shape", default="3x32x32", show_default=True, help="Image shape CxHxW.")
@click.option("--classes", type=Count(min=2), default=100, show_default=True, help="Number of classes.")
@options.as_json
def networks(name: str | None, settings: tuple[str, ...], input_shape: str, classes: int, as_json: bool) -> None:
    """List the network families, or show one layer by layer.

    \b
    hpsearch networks
    hpsearch networks cnn6 --set width=0.5 --input 1x16x16 --classes 10
    """
    from architectures.families import FAMILIES
    from search.show import catalogue
    from search.show.terminal import console, print_rows

    shape = _shape(input_shape)
    if settings and name is None:
        raise OptionError(f"--set needs the network that it changes: hpsearch networks cnn6 --set {settings[0]}")
    try:
        if name is None:
            rows = catalogue.networks(shape, classes)
        else:
            changed = dict(options.setting(each, "width=0.5") for each in settings)
            rows = catalogue.network(name, changed, shape, classes)
    except (ValueError, TypeError) as error:
        raise OptionError(str(error)) from error
    if as_json:
        options.emit(rows)
        return
    print_rows([{key: value for key, value in row.items() if key != "misfit"} for row in rows], "")
    if name in FAMILIES:
        console.print(catalogue.hyperparameters(name), soft_wrap=True)
    for row in rows:
        if row.get("misfit"):
            console.print(f"{row['name']} does not take these images: {row['misfit']}")


def _shape(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"[1-9]\d{0,4}(x[1-9]\d{0,4}){2}", text.lower(), re.ASCII):
        raise OptionError(f"--input is CxHxW with three numbers from 1 to 99999, such as 3x32x32; got '{text}'")
    return tuple(int(part) for part in text.lower().split("x"))
