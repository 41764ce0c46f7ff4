"""The commands that use a retrained winner: predict, export."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from architectures.errors import did_you_mean
from search.cli import options
from search.cli.types import Count, OptionError, Place
from search.readable import count

if TYPE_CHECKING:
    from search.history.record import Run

FORMATS = ("onnx", "pt2", "safetensors", "card")


def rank(command: Any) -> Any:
    """--rank: which of the retrained winners."""
    return click.option(
        "--rank",
        type=Count(min=1),
        help="Rank of the winner: by cross-validation if the last retraining had finalists, otherwise by validation.  "
        "[default: 1]",
    )(command)


def student(command: Any) -> Any:
    """--student: the student of that winner."""
    return click.option("--student", is_flag=True, help="Use the winner's student instead (retrain --students).")(
        command
    )


def own_code(command: Any) -> Any:
    """--own-code: a network of the user's own is rebuilt by calling its function."""
    return click.option(
        "--own-code",
        is_flag=True,
        help="Allow calling the function of a network of your own; only for searches you trust.",
    )(command)


@click.command()
@click.argument("words", nargs=-1, metavar="[SEARCH] IMAGE...", shell_complete=options.searches_or_files)
@rank
@student
@click.option("--ensemble", is_flag=True, help="Use all winners of the last retrain, with its ensemble weights.")
@click.option("--flips", is_flag=True, help="Average the prediction for each image with that for its mirror image.")
@click.option("--out", type=Place(), metavar="FILE", help="Write all probabilities, as Parquet.")
@own_code
@options.from_storage
@options.as_json
@options.results
def predict(
    words: tuple[str, ...],
    rank: int | None,
    student: bool,
    ensemble: bool,
    flips: bool,
    out: Path | None,
    own_code: bool,
    storage: str | None,
    as_json: bool,
    results: Path,
) -> None:
    """Predict the classes of images with a retrained winner.

    It prints the five most probable classes of each image, or of each image in a folder. Images are prepared as in
    training: upright, on white, grey or colour, resized. An unreadable image is reported and skipped.

    \b
    hpsearch predict photo.jpg                    the newest search, its best winner
    hpsearch predict my-search a.png b.png --rank 2 --json
    hpsearch predict my-search photos/ --ensemble --out photos.parquet
    hpsearch predict photo.jpg --storage s3://bucket/searches      a search of another machine
    """
    from search.show.terminal import print_rows
    from search.storage.opening import opened
    from search.use import predict as using
    from search.use import winners
    from search.use.images import files_of

    search, places = _split(words, results, storage)
    if out is not None and as_json:
        raise OptionError("--out writes a file and --json prints; give one")
    if out is not None and out.suffix != ".parquet":
        raise OptionError(f"--out writes a Parquet file, whose name ends in .parquet; got {out}")
    if ensemble and rank is not None:
        raise OptionError(f"--ensemble is all winners of the last retrain, and --rank {rank} is one; give one")
    if ensemble and student:
        raise OptionError("--ensemble is all winners, and --student is one network; give one")
    images, device = files_of(places), using.device_here()
    with opened(results, search, storage, weights=True) as found:
        retrain = options.retrain_line(found.search.name, results, storage)
        if ensemble:
            members = winners.ensemble(found, retrain=retrain)
        else:
            members = (winners.Member(winners.pick(found, rank or 1, student=student, retrain=retrain), 1.0),)
        networks = [(winners.load(found, each.run, device, own_code=own_code), each.weight) for each in members]
        seen, who = winners.look_of(found, networks[0][0]), winners.in_words(found, members)
    who += "; predictions are averaged with those for the mirror images" if flips else ""
    said = using.judge(images, networks, seen, device, flips=flips, complain=lambda line: click.echo(line, err=True))
    if not said.paths:
        raise OptionError(
            f"none of these {len(images):,} images can be read" if images[1:] else "the image cannot be read"
        )
    if out is not None:
        _write(out, lambda: using.write(said, out))
        click.echo(f"{out}: {count(len(said.paths), 'image')}; {who}")
    elif as_json:
        options.emit(said.rows())
    else:
        print_rows([_row(row) for row in said.rows()], "", who)
    if said.failed:
        sys.exit(1)


def _split(words: tuple[str, ...], results: Path, storage: str | None) -> tuple[str | None, list[Path]]:
    """The search, if the first word is the name of one, and the images."""
    is_search = bool(words) and Path(words[0]).name == words[0] and words[0] in _searches(results, storage)
    images = words[is_search:]
    if not images:
        raise OptionError("say which images: hpsearch predict [SEARCH] IMAGE..., where an image may be a folder")
    if "" in words:
        raise OptionError("an empty path is neither an image nor a folder")
    if not is_search and len(words) > 1 and not _may_exist(Path(words[0])):
        near = did_you_mean(words[0], _searches(results, storage))
        raise OptionError(f"'{words[0]}' is neither a search in {storage or results} nor an image{near}")
    return words[0] if is_search else None, [Path(word) for word in images]


def _may_exist(place: Path) -> bool:
    """Whether there may be a file or folder; `files_of` says why one cannot be looked at."""
    try:
        return place.exists()
    except OSError:
        return True


def _searches(results: Path, storage: str | None) -> list[str]:
    """The names of the searches in the results folder, or in the storage if one is given."""
    if storage is None:
        from search.history import store

        return store.names(results)
    from search.storage import layout

    with layout.reported(storage):
        return layout.searches(storage)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """An image's row of the table for people."""
    ranked = (f"{each['class']} {each['probability']:.1%}" for each in row["top"])
    return {"image": row["path"], **{str(place): each for place, each in enumerate(ranked, 1)}}


@click.command()
@options.search_argument
@rank
@student
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="What to write; see above.")
@click.option("--out", type=Place(), help="File or folder.  [default: beside the winner's weights]")
@own_code
@options.from_storage
@options.results
def export(
    search: str | None,
    rank: int | None,
    student: bool,
    form: str,
    out: Path | None,
    own_code: bool,
    storage: str | None,
    results: Path,
) -> None:
    """Export a retrained winner (ONNX, torch.export, safetensors).

    \b
    onnx          for any ONNX runtime; needs the extra onnx
    pt2           for torch.export.load
    safetensors   a folder with weights, config.json and model card, for timm too
    card          the model card again

    onnx and pt2 take uint8 images (N, C, H, W), with any N, and return probabilities: they include normalisation,
    softmax and the names of the classes. Before they are written, their output is compared with torch's on training
    images, or on noise if the dataset is not here. Without onnxruntime an onnx file is not compared.

    \b
    hpsearch export --format onnx --out winner.onnx
    hpsearch export my-search --rank 2 --format safetensors --out folder
    hpsearch export my-search --student --format onnx --out small.onnx
    hpsearch export --format onnx --storage s3://bucket/searches --out winner.onnx
    """
    from search.storage.opening import opened
    from search.use import winners

    if storage is not None and out is None:
        raise OptionError("a search in a storage has no folder here to write to: give --out")
    with opened(results, search, storage, weights=True) as found:
        retrain = options.retrain_line(found.search.name, results, storage)
        _export(found, winners.pick(found, rank or 1, student=student, retrain=retrain), form, out, own_code=own_code)


def _export(found: Any, run: "Run", form: str, out: Path | None, *, own_code: bool) -> None:
    """Write a winner or a student, by default beside its weights, and print where."""
    from search.history import card
    from search.history.store import retrain_folder
    from search.use import winners
    from trainables import files

    folder, who = retrain_folder(found.search.folder, run), winners.in_words(found, (winners.Member(run, 1.0),))
    if form == "card":
        target, text = out or folder / card.CARD, card.card(found, run)
        _write(target, lambda: files.write(target, text.encode()))
        click.echo(f"{target}: {who}")
    elif form == "safetensors":
        target, contents = out or folder, winners.contents(found, run)
        for name, data in contents.items():
            _write(target, partial(files.write, target / name, data))
        click.echo(f"{target}: {', '.join(card.FILES)} of {who}")
    else:
        from search.use import export as using

        target = out or folder / f"model.{form}"
        data, told = using.export(found, run, form, own_code=own_code)
        _write(target, lambda: files.write(target, data))
        click.echo(f"{target}: {len(data) / 1e6:.1f} MB, {told}; {who}")


def _write(out: Path, write: Callable[[], object]) -> None:
    """Write to a place; raises OptionError if that is not possible."""
    from architectures.errors import one_line

    try:
        write()
    except OSError as error:
        raise OptionError(f"cannot write {out}: {error.strerror or one_line(error)}; give another --out") from error
