"""A user's own images: class folders and Parquet files."""

import io
import json
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rules.rule import READ_IMAGES, Place, Rule, powerless

COMMAND = (*READ_IMAGES, "--dataset", "images")
TABLE = (*READ_IMAGES, "--dataset", "table")


def png(size: int = 8, shade: int = 0, format_: str = "PNG") -> bytes:
    """A grey image."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (size, size), shade).save(buffer, format_)
    return buffer.getvalue()


def huge(side: int, channels: int = 1) -> bytes:
    """A PNG of side × side black pixels, which is small as a file."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    packer, row = zlib.compressobj(9), bytes(1 + side * channels)
    data = b"".join([*(packer.compress(row) for _ in range(side)), packer.flush()])
    head = struct.pack(">IIBBBBB", side, side, 8, 0 if channels == 1 else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def folders(**content: bytes | int | Callable[[], bytes]) -> Callable[[Place], None]:
    """Two classes of four images each, with other content in some: cat_1=b"no image", cat_1=9 for its size."""

    def breaks(place: Place) -> None:
        for name in ("cat", "dog"):
            (place.home / "images" / name).mkdir(parents=True)
            for number in range(4):
                given = content.get(f"{name}_{number}", 8)
                data = png(given, number) if isinstance(given, int) else given if isinstance(given, bytes) else given()
                (place.home / "images" / name / f"{number}.png").write_bytes(data)

    return breaks


def folder(rule: str, shown: str, breaks: Callable[[Place], object], *says: str, **more: Any) -> Rule:
    """A folder of class folders that is no clean dataset."""
    return Rule(rule=rule, input=shown, command=COMMAND, breaks=breaks, says=says, **more)


def made(*names: str) -> Callable[[Place], None]:
    """Empty folders."""
    return lambda place: [(place.home / "images" / name).mkdir(parents=True) for name in names]  # type: ignore[return-value]


def only(*kept: str) -> Callable[[Place], None]:
    """Two class folders, without the files that are not kept."""

    def breaks(place: Place) -> None:
        folders()(place)
        for path in sorted((place.home / "images").rglob("*.png")):
            if not any(str(path).endswith(name) for name in kept):
                path.unlink()
        for path in (place.home / "images").iterdir():
            if not any(name.startswith(path.name) for name in kept):
                path.rmdir()

    return breaks


def many_huge(place: Place) -> None:
    """400 images of 7,000 × 7,000 pixels in colour: 59 GB in memory, and one file on the disk."""
    first = place.home / "images" / "cat" / "0.png"
    for name in ("cat", "dog"):
        (place.home / "images" / name).mkdir(parents=True)
    first.write_bytes(huge(7000, 3))
    for number in range(1, 400):
        (place.home / "images" / ("cat", "dog")[number % 2] / f"{number}.png").hardlink_to(first)


def tested_alone(place: Place) -> None:
    """Class folders in a folder called test, and nothing else."""
    folders()(place)
    (place.home / "images").rename(place.home / "classes")
    (place.home / "images").mkdir()
    (place.home / "classes").rename(place.home / "images" / "test")


def unreadable_image(place: Place) -> None:
    """An image that may not be read."""
    folders()(place)
    (place.home / "images" / "dog" / "2.png").chmod(0)
    powerless(place)


def out_of_bounds_link(place: Place) -> None:
    """An image that is a link to a file outside which is none."""
    folders()(place)
    (place.home / "images" / "dog" / "2.png").unlink()
    (place.home / "images" / "dog" / "2.png").symlink_to(place.outside / "secret.txt")


# ---- Parquet


def write_table(place: Place, columns: dict[str, Any], name: str = "train.parquet", **options: Any) -> Path:
    """A Parquet file in the folder table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (place.home / "table").mkdir(exist_ok=True)
    path = place.home / "table" / name
    names = options.pop("names", None)
    table = pa.table(columns)
    if names is not None:
        features = {"label": {"_type": "ClassLabel", "names": names}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, **options)
    return path


def images(count: int = 6) -> list[bytes]:
    """Encoded images."""
    return [png(8, number) for number in range(count)]


def table(rule: str, shown: str, *says: str, columns: Callable[[Place], dict[str, Any]], **more: Any) -> Rule:
    """A Parquet file with these columns."""
    options = {key: more.pop(key) for key in ("names",) if key in more}
    return Rule(
        rule=rule,
        input=shown,
        command=TABLE,
        breaks=lambda place: write_table(place, columns(place), **options),
        says=says,
        **more,
    )


def labelled(labels: Sequence[Any], **columns: Any) -> Callable[[Place], dict[str, Any]]:
    """Images with these labels."""
    return lambda _: {"image": images(len(labels)), "label": list(labels), **columns}


def bytes_of_a_table(how: Callable[[bytes], bytes]) -> Callable[[Place], None]:
    """A good Parquet file, damaged."""

    def breaks(place: Place) -> None:
        path = write_table(place, labelled([0, 1] * 3)(place))
        path.write_bytes(how(path.read_bytes()))

    return breaks


def other_shard(place: Place) -> None:
    """Two shards with different columns."""
    write_table(place, labelled([0, 1] * 3)(place), "train-0.parquet")
    write_table(place, {"image": images(), "kind": [0, 1] * 3}, "train-1.parquet")


def paths(place: Place) -> None:
    """Rows that name files in place of images, and classes that are paths."""
    import pyarrow as pa

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": data, "path": f"../../evil{i}.png"} for i, data in enumerate(images())]
    rows[1] = {"bytes": None, "path": str(place.outside / "secret.txt")}
    write_table(place, {"image": pa.array(rows, kind), "label": [0, 1] * 3}, names=["../../evil", "/tmp/evil"])


def good_paths(place: Place) -> None:
    """The same with every image there."""
    import pyarrow as pa

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": data, "path": str(place.outside / f"evil{i}.png")} for i, data in enumerate(images())]
    names = [f"../../outside/evil{i}" for i in range(2)]
    write_table(place, {"image": pa.array(rows, kind), "label": [0, 1] * 3}, names=names)


def repeated(value: Any, count: int) -> Any:
    """A column of one value, which a Parquet file holds once."""
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([value]))


def image_bomb(place: Place) -> None:
    """1,000 images of 32 MiB each, all the same: 32 GB in a file of 100 KB."""
    value = bytes(32 * 2**20)
    write_table(place, {"image": repeated(value, 1000), "label": [0, 1] * 500}, store_schema=False)


def label_bomb(place: Place) -> None:
    """3,000 labels of 8 MiB each, all the same: 24 GB."""
    write_table(place, {"image": images(1) * 3000, "label": repeated("x" * 8 * 2**20, 3000)}, store_schema=False)


def row_bomb(place: Place) -> None:
    """20,000,000 rows of nothing."""
    import numpy as np
    import pyarrow as pa

    rows = 20_000_000
    write_table(place, {"image": pa.nulls(rows, pa.binary()), "label": np.zeros(rows, np.int8)})


RULES = [
    folder("a dataset holds class folders or Parquet files", "an empty folder", made(""), "class folders", "Parquet"),
    folder("a class folder holds images", "two empty ones", made("cat", "dog"), "2 of 2", "the first is cat"),
    folder("a dataset has two classes", "one", only("cat/0.png", "cat/1.png", "cat/2.png"), "at least two classes"),
    folder("a class has two images", "one each", only("cat/0.png", "dog/1.png"), "at least two images"),
    folder("a test part has a train part", "test/ alone", tested_alone, "folder train"),
    folder("images have one size", "8×8 and 9×9", folders(cat_1=9), "8×8, 9×9", "--image-size"),
    folder("a file called image is one", "text in 1.png", folders(cat_1=b"a cat"), "1.png", "not a PNG"),
    folder("an image is whole", "its first half", folders(dog_2=lambda: png(8)[:45]), "2.png"),
    folder(
        "an image is of a format that is decoded here", "a PCX", folders(dog_2=lambda: png(8, 0, "PCX")), "not a PNG"
    ),
    folder("an image can be read", "mode 000", unreadable_image, "Permission denied"),
    folder("a link leads to an image", "a link to a text outside", out_of_bounds_link, "not a PNG"),
    folder(
        "an image has a most of pixels",
        "12,000 × 12,000",
        folders(dog_2=lambda: huge(12000)),
        "2.png",
        "pixels",
        mib=1500,
    ),
    folder("images fit the memory", "400 of 7,000 × 7,000", many_huge, "GiB", "--image-size", mib=1500),
    Rule(
        rule="a dataset's name becomes no path",
        input="a folder called ..\\n;touch evil",
        command=(*READ_IMAGES, "--dataset", "..\n;touch evil"),
        breaks=lambda place: [folders()(place), (place.home / "images").rename(place.home / "..\n;touch evil")],
        says=("impossible for these images",),
    ),
    # Parquet
    Rule(
        rule="a Parquet file is one",
        input="text",
        command=TABLE,
        breaks=bytes_of_a_table(lambda _: b"image,label\na.png,0\n"),
        says=("whole Parquet file",),
    ),
    Rule(
        rule="a Parquet file is whole",
        input="its first half",
        command=TABLE,
        breaks=bytes_of_a_table(lambda data: data[: len(data) // 2]),
        says=("whole Parquet file",),
    ),
    Rule(
        rule="a Parquet page is what was written",
        input="50 bytes overwritten",
        command=TABLE,
        breaks=bytes_of_a_table(lambda data: data[:10] + b"\xff" * 50 + data[60:]),
    ),
    Rule(
        rule="a part's files are named train*.parquet",
        input="all.parquet",
        command=TABLE,
        breaks=lambda place: write_table(place, labelled([0, 1] * 3)(place), "all.parquet"),
        says=("train*.parquet", "all.parquet"),
    ),
    Rule(
        rule="shards have the same columns", input="label, kind", command=TABLE, breaks=other_shard, says=("train-1",)
    ),
    table("a table has images", "labels alone", "encoded images", columns=lambda _: {"label": [0, 1]}),
    table("a table has labels", "images alone", "labels", columns=lambda _: {"image": images()}),
    table(
        "one column is the label",
        "kind, sort",
        "kind",
        columns=lambda _: {"image": images(), "kind": [0] * 6, "sort": [1] * 6},
    ),
    table("a label is a number or a name", "0.5", "double", columns=labelled([0.5, 1.5] * 3)),
    table("an image has a label", "a null", "must have a label", "row 3", columns=labelled([0, 1, 0, None])),
    table("a label has a class name", "7 of 2", "0..1", columns=labelled([0, 1, 7]), names=["cat", "dog"]),
    table(
        "a row holds an image",
        "an empty one",
        "readable",
        columns=lambda _: {"image": [b"", *images(3)], "label": [0, 1] * 2},
    ),
    Rule(
        rule="a path beside an image is not opened",
        input="a null beside a path outside",
        command=TABLE,
        breaks=paths,
        says=("label must have an image",),
    ),
    Rule(
        rule="no name in a Parquet file becomes a path",
        input="paths and classes ../../outside/evil",
        command=TABLE,
        breaks=good_paths,
        says=("impossible for these images",),
    ),
    Rule(
        rule="a table has a most of rows",
        input="20,000,000 rows of nothing",
        command=TABLE,
        breaks=row_bomb,
        says=("images",),
        mib=2500,
    ),
    Rule(
        rule="a table's images take the room that images take",
        input="32 GB in 100 KB",
        command=TABLE,
        breaks=image_bomb,
        says=("unpacks to more than 100 times its size",),
        mib=3000,
        seconds=200,
    ),
    Rule(
        rule="a label is a name of a sensible length",
        input="24 GB of labels",
        command=TABLE,
        breaks=label_bomb,
        says=("label",),
        mib=3000,
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="datasets") for rule in RULES]
