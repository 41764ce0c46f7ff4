"""What a user's own images are taken for: columns, parts, classes, and what lies beside them."""

import io
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rules.datasets import COMMAND, TABLE, folder, folders, images, labelled, table, write_table
from rules.rule import Place, Rule

NAMES = ["cat", "dog"]


def parts(*names: str) -> Callable[[Place], None]:
    """Class folders in each of these parts."""

    def breaks(place: Place) -> None:
        for name in names:
            folders()(place)
            (place.home / "images").rename(place.home / name)
        (place.home / "images").mkdir()
        for name in names:
            (place.home / name).rename(place.home / "images" / name)

    return breaks


def flat(place: Place) -> None:
    """A test folder whose images lie in no class folder."""
    parts("train", "test")(place)
    for number, image in enumerate(list((place.home / "images" / "test").glob("*/*.png"))):
        image.rename(place.home / "images" / "test" / f"{number}.png")
    for name in NAMES:
        (place.home / "images" / "test" / name).rmdir()


def nested(place: Place) -> None:
    """Two kinds, and classes in each of them."""
    for kind in ("birds", "mammals"):
        folders()(place)
        (place.home / "images").rename(place.home / kind)
    (place.home / "images").mkdir()
    for kind in ("birds", "mammals"):
        (place.home / kind).rename(place.home / "images" / kind)


def dead_link(place: Place) -> None:
    """A link to an image that was moved away."""
    folders()(place)
    (place.home / "images" / "dog" / "gone.png").symlink_to("moved-away.png")


def latin_1(place: Place) -> None:
    """A class folder from an old archive."""
    folders()(place)
    (place.home / "images" / "dog").rename(place.home / "images" / os.fsdecode(b"caf\xe9"))


def tested(content: bytes) -> Callable[[Place], None]:
    """A test image with other content."""

    def breaks(place: Place) -> None:
        parts("train", "test")(place)
        (place.home / "images" / "test" / "dog" / "3.png").write_bytes(content)

    return breaks


def float_tiff() -> bytes:
    """Pixels of which nobody knows what is white."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("F", (8, 8), 0.5).save(buffer, "TIFF")
    return buffer.getvalue()


def tables(**files: dict[str, Any]) -> Callable[[Place], None]:
    """Parquet files by name, `_` for `-`, with columns and names of classes."""

    def breaks(place: Place) -> None:
        for name, columns in files.items():
            arrays = {column: values for column, values in columns.items() if column != "names"}
            write_table(place, arrays, f"{name.replace('_', '-')}.parquet", names=columns["names"])

    return breaks


def of(labels: list[Any], names: list[str] | None = None) -> dict[str, Any]:
    """Columns of images with these labels."""
    return {"image": images(len(labels)), "label": labels, "names": names}


def rows(rule: str, shown: str, breaks: Callable[[Place], None], *says: str) -> Rule:
    """A folder of Parquet files that is no clean dataset."""
    return Rule(rule=rule, input=shown, command=TABLE, breaks=breaks, says=says)


def asked(rule: Rule, *options: str) -> Rule:
    """A rule about class folders, with more options of the command."""
    return replace(rule, command=(*COMMAND, *options))


def chosen(rule: str, option: str, value: str, *says: str) -> Rule:
    """A column that is chosen and cannot be."""
    columns = labelled([0, 1] * 3, mean=[0.5] * 6)
    breaks = table("", "", columns=columns).breaks
    return Rule(rule=rule, input=f"{option} {value}", command=(*TABLE, option, value), breaks=breaks, says=says)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 12345\n"

RULES = [
    table("a label is no list", "lists", "'label'", "list", columns=labelled([[0], [1]] * 3, image_id=[0, 1] * 3)),
    table("a label is no truth value", "bools", "'label'", "bool", columns=labelled([True, False] * 3)),
    table("a label in floating point is whole", "NaN", "'label'", columns=labelled([0.0, float("nan"), 1.0] * 2)),
    table(
        "what tells images apart is no label",
        "image_id alone",
        "image_id (int64)",
        "--label",
        columns=lambda _: {"image": images(), "image_id": [0, 1] * 3},
    ),
    table(
        "one column is called a label",
        "class, target",
        "--label class",
        columns=lambda _: {"image": images(), "class": [0, 1] * 3, "target": [1, 0] * 3},
    ),
    table("one column is the images", "image, mask", "--image image", columns=labelled([0, 1] * 3, mask=images())),
    chosen("a chosen label is a column", "--label", "lable", "'lable'", "label (int64)"),
    chosen("a chosen label holds labels", "--label", "mean", "'mean'", "double"),
    chosen("a chosen image is a column", "--image", "picture", "'picture'", "image (binary)"),
    chosen("a chosen image holds images", "--image", "label", "'label'", "int64"),
    asked(folder("class folders have no columns", "--label kind", folders(), "--label"), "--label", "kind"),
    rows("every shard is there", "1 of 2", tables(train_00001_of_00002=of([0, 1] * 3)), "1 of 2", "00000"),
    rows(
        "shards name the same classes",
        "cat, dog and cat, emu",
        tables(train_0=of([0, 1] * 3, NAMES), train_1=of([0, 1] * 3, ["cat", "emu"])),
        "emu",
    ),
    rows("test labels are shared", "-1", tables(train=of([0, 1] * 3), test=of([-1, -1])), "test", "-1"),
    rows("a validation class occurs in train", "2", tables(train=of([0, 1] * 3), val=of([0, 2])), "validation", "is 2"),
    rows(
        "a class name is UTF-8",
        "half of a surrogate pair",
        tables(train=of([0, 1] * 3, ["cat", "\ud800"])),
        "UTF-8",
        "ud800",
    ),
    folder("a test part has class folders", "images alone", flat, "images/test", "no labels"),
    folder("a dataset has one validation part", "val, valid", parts("train", "val", "valid"), "val and valid"),
    asked(
        folder("a share is held out, or images are given", "--validation, val/", parts("train", "val"), "in val/"),
        *("--validation", "0.3"),
    ),
    folder("images lie in class folders", "folders in folders", nested, "folders alone", "birds/cat"),
    folder("a link leads to a file", "a dead link", dead_link, "gone.png"),
    folder("a class folder's name is UTF-8", "Latin-1", latin_1, "caf\\xe9"),
    folder("an image is here", "a Git LFS pointer", folders(dog_2=POINTER), "Git LFS pointer"),
    folder("pixels have a known range", "floats", folders(dog_2=float_tiff), "2.png", "32 bits"),
    folder("a test image has a header", "text in 3.png", tested(b"a dog"), "test/dog/3.png"),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="taken") for rule in RULES]
