"""Images in other formats than folders and Parquet: arrays, archives, samples in tar files, and files of labels."""

import csv
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rules.archives import archive, member
from rules.datasets import COMMAND
from rules.pictures import CLASSES, SIDE, column, encoded, picture, taken
from rules.rule import Done, Place, Rule

Files = dict[str, bytes]
"""Contents by name."""


def folders(**counts: int) -> Files:
    """Class folders of parts, each with so many pictures of a class."""
    found = {}
    for number, (part, count) in enumerate(counts.items()):
        for kind in CLASSES:
            for at in range(20 * number, 20 * number + count):
                found[f"{part}/{kind}/{at:02}.png"] = encoded(picture(kind, at))
    return found


def samples(count: int, label: Callable[[str], Files], start: int = 0) -> Files:
    """Pictures as WebDataset has them, `key.png` beside what `label` gives of a class."""
    found: Files = {}
    for number, (kind, data) in enumerate(zip(CLASSES * count, column(CLASSES * count, start), strict=True)):
        found[f"{number:06}.png"] = data
        found |= {f"{number:06}.{field}": content for field, content in label(kind).items()}
    return found


def cls(kind: str) -> Files:
    """The class's number in a file of its own."""
    return {"cls": str(CLASSES.index(kind)).encode()}


def described(kind: str) -> Files:
    """A JSON object with the class's name, and what is no label."""
    return {"json": json.dumps({"label": kind, "width": SIDE}).encode()}


def zipped(files: Files) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def tarred(files: Files, mode: str = "w:gz") -> bytes:
    """A tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as opened:  # type: ignore[call-overload]
        for name, content in files.items():
            info, data = member(name, content)
            opened.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def arrays(count: int = 5, **more: np.ndarray) -> bytes:
    """An .npz file as MedMNIST keeps it."""
    found: dict[str, np.ndarray] = {}
    for number, part in enumerate(("train", "val", "test")):
        made = [np.asarray(picture(kind, 20 * number + at)) for at, kind in enumerate(CLASSES * count)]
        found |= {f"{part}_images": np.stack(made), f"{part}_labels": np.array([[0], [1]] * count, np.uint8)}
    buffer = io.BytesIO()
    np.savez(buffer, **{name: array for name, array in (found | more).items() if array is not None})
    return buffer.getvalue()


def table(rows: Iterable[tuple[str, ...]], *names: str) -> bytes:
    """A CSV file."""
    text = io.StringIO()
    csv.writer(text).writerows([names, *rows])
    return text.getvalue().encode()


def metadata(*, label: str = "label", name: Callable[[str], str] = str, broken: bool = False) -> Files:
    """Images beside metadata.csv."""
    files = {f"{at:02}.png": data for at, data in enumerate(column(CLASSES * 5))}
    rows = [(name(file), kind) for file, kind in zip(files, CLASSES * 5, strict=True)]
    if broken:
        rows.append(("gone.png", "cat"))
    return files | {"metadata.csv": table(rows, "file_name", label)}


def placed(files: Files, folder: str = "images") -> Callable[[Place], None]:
    """Files in the dataset's folder."""

    def breaks(place: Place) -> None:
        for name, content in files.items():
            path = place.home / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return breaks


def read(rule: str, name: str, content: bytes, **expected: Any) -> list[Rule]:
    """A file that is the dataset, or lies alone in its folder."""
    return [
        taken(rule, name, placed({name: content}, "."), "--dataset", name, **expected),
        taken(f"{rule} where it lies alone", f"images/{name}", placed({name: content}), **expected),
    ]


def refused(rule: str, shown: str, name: str, content: bytes, *says: str) -> Rule:
    """A file that is no dataset, or no safe one: nothing of it is unpacked."""

    def unpacked(place: Place, _: Done) -> Iterable[str]:
        if evil := [*place.home.rglob("evil*"), *Path("/tmp").glob("evil")]:
            yield f"unpacked: {evil[0]}"

    command = (*COMMAND[:-1], name)
    return Rule(rule=rule, input=shown, command=command, breaks=placed({name: content}, "."), says=says, after=unpacked)


def other_arrays() -> bytes:
    """An .npz file of arrays of other names."""
    buffer = io.BytesIO()
    np.savez(buffer, x=np.zeros((4, 8, 8), np.uint8), y=np.array([0, 1, 0, 1]))
    return buffer.getvalue()


PARTS = folders(train=4, val=2, test=2)
SEEN = {"train": 8, "validation": 4}
LINK = archive(
    *(member(name, content) for name, content in PARTS.items()), member("evil", type=tarfile.SYMTYPE, linkname="/etc")
)
DEVICE = archive(*(member(name, content) for name, content in PARTS.items()), member("evil", type=tarfile.BLKTYPE))
UP = tarred(PARTS | {"../evil.png": b"evil"})
TWICE = archive(*(member(name, content) for name, content in (*PARTS.items(), *PARTS.items())))
ABSOLUTE = tarred(PARTS | {"/tmp/evil": b"evil"})
BOMB = tarred(PARTS | {"train/cat/bomb.png": bytes(1 << 20)})

RULES = [
    *read("a zip of class folders is read", "pets.zip", zipped(PARTS), test="test/", **SEEN),
    *read("a tar of class folders is read", "pets.tar", tarred(PARTS, "w"), test="test/", **SEEN),
    *read("a packed tar of class folders is read", "pets.tar.gz", tarred(PARTS), test="test/", **SEEN),
    *read(
        "arrays as MedMNIST has them are read",
        "pets.npz",
        arrays(),
        classes=("0", "1"),
        train=10,
        validation=10,
    ),
    taken(
        "a tar of samples is read",
        "train.tar, key.cls",
        placed({"train.tar": tarred(samples(5, cls), "w")}),
        line="labels from .cls files (2 classes)",
        classes=("0", "1"),
        train=6,
    ),
    taken(
        "a folder of tars of samples is read",
        "train-00000.tar, …, key.json",
        placed({f"train-{n:05}.tar": tarred(samples(3, described, 20 * n), "w") for n in range(2)}),
        line="labels from field 'label' of .json files (2 classes)",
    ),
    taken(
        "tars of samples have parts",
        "train-0.tar, val-0.tar, test-0.tar",
        placed(
            {f"{part}-0.tar": tarred(samples(4, cls, 20 * n), "w") for n, part in enumerate(("train", "val", "test"))}
        ),
        classes=("0", "1"),
        train=8,
        validation=8,
    ),
    taken(
        "images beside metadata.csv are read",
        "file_name, label",
        placed(metadata()),
        line="column 'label' of metadata.csv",
        train=6,
    ),
    taken(
        "metadata of parts are read",
        "train/metadata.csv, test/metadata.csv",
        placed({f"{part}/{name}": content for part in ("train", "test") for name, content in metadata().items()}),
        test="test/",
    ),
    refused("a zip is whole", "its first half", "pets.zip", zipped(PARTS)[:2000], "pets.zip"),
    refused("a tar is whole", "its first half", "pets.tar", tarred(PARTS, "w")[:3000], "pets.tar"),
    refused(
        "a packed tar is whole",
        "its first half",
        "pets.tar.gz",
        tarred(PARTS)[: len(tarred(PARTS)) // 2],
        "pets.tar.gz",
    ),
    refused("a download that is a page is called so", "pets.zip", "pets.zip", b"<!DOCTYPE html><p>404", "web page"),
    refused(
        "an archive's Git LFS pointer is called so",
        "pets.zip",
        "pets.zip",
        b"version https://git-lfs.github.com/spec/v1\n",
        "Git LFS",
    ),
    refused("an archive that is empty is called so", "pets.tar", "pets.tar", b"", "empty"),
    refused("no link in an archive of images is followed", "a link to /etc", "pets.tar.gz", LINK, "link"),
    refused("no device in an archive of images is made", "a block device", "pets.tar.gz", DEVICE, "device"),
    refused("no name in an archive of images leads out of it", "../evil.png", "pets.tar.gz", UP, "inside"),
    refused("no name in an archive of images is absolute", "/tmp/evil", "pets.tar.gz", ABSOLUTE, "inside"),
    refused("a picture in an archive is one", "1 MiB of zeros", "pets.tar.gz", BOMB, "bomb.png"),
    refused("a name stands once in an archive", "the same twice", "pets.tar.gz", TWICE, "more than once"),
    refused("a pickle is not read", "pets.pkl", "pets.pkl", b"\x80\x05]", "pickle"),
    refused(
        "arrays of objects are not read",
        "labels as objects",
        "pets.npz",
        arrays(train_labels=np.array([{}] * 10, object)),
        "train_labels",
    ),
    refused("arrays have a label an image", "9 of 10", "pets.npz", arrays(train_labels=np.zeros(9, np.uint8)), "label"),
    refused(
        "an image in arrays has one label",
        "10 × 3",
        "pets.npz",
        arrays(train_labels=np.zeros((10, 3), np.uint8)),
        "10 × 3",
    ),
    refused(
        "pixels in arrays have 8 bits",
        "float32",
        "pets.npz",
        arrays(train_images=np.zeros((10, 8, 8), np.float32)),
        "uint8",
        "float32",
    ),
    refused("arrays are called as MedMNIST's", "x, y", "pets.npz", other_arrays(), "train_images"),
    Rule(
        rule="a named image is there",
        input="gone.png",
        command=COMMAND,
        breaks=placed(metadata(broken=True)),
        says=("gone.png",),
    ),
    Rule(
        rule="no name in metadata leads out of the folder",
        input="../outside/secret.txt",
        command=COMMAND,
        breaks=placed(metadata(name=lambda _: "../../outside/secret.txt")),
        says=("file_name", "metadata.csv"),
    ),
    Rule(
        rule="metadata have a column that is called a label",
        input="file_name, kind",
        command=COMMAND,
        breaks=placed(metadata(label="kind")),
        says=("--label",),
    ),
    taken(
        "--label chooses a column of metadata",
        "--label kind",
        placed(metadata(label="kind")),
        "--label",
        "kind",
        labels="column 'kind' of metadata.csv",
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="other formats") for rule in RULES]
