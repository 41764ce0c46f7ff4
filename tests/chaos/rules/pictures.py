"""Small pictures of two classes in the layouts that people keep them in, and launches that take them as they are meant.

Every picture is another one. Cats are dark and dogs are bright, so that labels on the wrong pictures are noticed.
"""

import io
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from rules.rule import Done, Place, Rule

CLASSES = ("cat", "dog")
SIDE = 8
IMAGES = (
    *("launch", "--data-dir", "data", "--space", "small:space", "--samples", "1", "--epochs", "1", "--augment", "none"),
    *("--engine", "inline", "--name", "new", "--dataset", "images"),
)
"""A search of a few seconds on the folder `images`."""


def picture(kind: str, number: int, side: int = SIDE) -> Any:
    """A grey picture of a cat or a dog, with one pixel that tells its number."""
    from PIL import Image

    made = Image.new("L", (side, side), 40 if kind == CLASSES[0] else 200)
    made.putpixel((number % side, number // side % side), 120)
    return made


def encoded(image: Any, kind: str = "PNG", **options: Any) -> bytes:
    """An image as a file of some kind holds it."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write_part(folder: Path, count: int, start: int = 0, classes: Sequence[str] = CLASSES) -> None:
    """So many pictures of each class, in class folders."""
    for kind, name in zip(CLASSES, classes, strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(start, start + count):
            (folder / name / f"{number:02}.png").write_bytes(encoded(picture(kind, number)))


def parts(**counts: int) -> Callable[[Place], None]:
    """Class folders with so many pictures of each class in each of these parts."""

    def breaks(place: Place) -> None:
        for number, (name, count) in enumerate(counts.items()):
            write_part(place.home / "images" / name, count, 20 * number)

    return breaks


def classes(count: int = 5) -> Callable[[Place], None]:
    """Class folders without parts."""
    return lambda place: write_part(place.home / "images", count)


def beside(*paths: str, content: bytes = b"no image") -> Callable[[Place], None]:
    """Files with this content in the dataset's folder, which is there already."""

    def breaks(place: Place) -> None:
        for path in paths:
            file = place.home / "images" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)

    return breaks


def write_rows(file: Path, columns: dict[str, Any], names: Sequence[str] | None = None) -> None:
    """A Parquet file of columns; names: those that its labels have in the metadata of the `datasets` library."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(columns)
    if names is not None:
        features = {"label": {"_type": "ClassLabel", "names": list(names)}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)


def column(kinds: Sequence[str], start: int = 0) -> list[bytes]:
    """Pictures of these classes, encoded."""
    return [encoded(picture(kind, start + number)) for number, kind in enumerate(kinds)]


def shards(*names: str, count: int = 5) -> Callable[[Place], None]:
    """Parquet files of these names, with so many pictures of each class in each."""

    def breaks(place: Place) -> None:
        for number, name in enumerate(names):
            images = column(CLASSES * count, 20 * number)
            write_rows(place.home / "images" / name, {"image": images, "label": [0, 1] * count}, CLASSES)

    return breaks


def taken(
    rule: str,
    shown: str,
    breaks: Callable[[Place], object],
    *options: str,
    line: str = "",
    train: int | None = None,
    validation: int | None = None,
    classes: Sequence[str] = CLASSES,
    **found: Any,
) -> Rule:
    """A launch that takes a dataset as it is meant.

    options: of the command, more than `IMAGES`. line: what it says of it. train, validation, classes, found: what it
    records, the last as `taken` in search.json.
    """
    return Rule(
        rule=rule,
        input=shown,
        command=(*IMAGES, *options),
        breaks=breaks,
        code=0,
        says=(line,),
        lines=None,
        may_change=("results/new", "results/new/*"),
        after=lambda place, done: _recorded(place, done, train, validation, classes, found),
    )


def _recorded(
    place: Place,
    done: Done,
    train: int | None,
    validation: int | None,
    classes: Sequence[str],
    found: dict[str, Any],
) -> Iterable[str]:
    if done.code != 0:
        return
    data = json.loads((place.search("new") / "search.json").read_text())["data"]
    expected = {"classes": list(classes), "num_train": train, "num_validation": validation}
    for name, value in expected.items():
        if value is not None and data[name] != value:
            yield f"{name} is {data[name]}, not {value}"
    for name, value in found.items():
        if data["taken"][name] != value:
            yield f"{name} was taken from {data['taken'][name]}, not {value}"
    yield from mislabelled(place)


def mislabelled(place: Place) -> Iterable[str]:
    """Parts in the cache of a place whose cats are not called cats."""
    import numpy as np

    for file in (place.home / "data" / "cache").glob("images-*.pixels.npy"):
        pixels, labels = np.load(file), np.load(str(file).replace(".pixels.", ".labels."))
        if not np.array_equal(labels == 1, pixels.mean(axis=(1, 2, 3)) > 100):
            yield f"pictures have the labels of others in {file.name}"
