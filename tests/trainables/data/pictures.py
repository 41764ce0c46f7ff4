"""Small datasets of random pictures, in every format."""

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trainables.data.images import DatasetError
from trainables.data.load import load
from trainables.data.read import TEST_SEED, TEST_SHARE
from trainables.data.split import split


def picture(seed: int, size: tuple[int, int] = (6, 5), mode: str = "RGB") -> Image.Image:
    """Make a random image; size is (width, height)."""
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def encoded(image: Image.Image, file_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


def class_folders(root: Path, per_class: int = 5, classes: Sequence[str] = ("cat", "dog"), **kind: Any) -> Path:
    for number, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(per_class):
            picture(100 * number + i, **kind).save(root / name / f"{i}.png")
    return root


def parquet(
    file: Path,
    images: Sequence[bytes | None],
    labels: Sequence[Any],
    *,
    names: Sequence[str] = (),
    label_column: str = "label",
    plain: bool = False,
    **options: Any,
) -> Path:
    """Write a Parquet file of images as the `datasets` library does, or with a plain binary column."""
    column = list(images) if plain else [image and {"bytes": image, "path": "0.png"} for image in images]
    kind = pa.binary() if plain else pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"img": pa.array(column, kind), label_column: pa.array(labels)})
    if names:
        features = {"img": {"_type": "Image"}, label_column: {"_type": "ClassLabel", "names": list(names)}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, **options)
    return file


def refused(dataset: Path | str, data_dir: Path, part: Any = "train", **options: Any) -> str:
    with pytest.raises(DatasetError) as caught:
        load(str(dataset), part, data_dir=data_dir, **options)
    message = str(caught.value)
    assert "\n" not in message and "0x" not in message
    return message


def good(seed: int) -> bytes:
    return encoded(picture(seed))


def first_kept(root: Path) -> int:
    """The number of the first cat that is in the train part of class folders without a test part."""
    labels = np.repeat([0, 1], [len(list((root / name).iterdir())) for name in ("cat", "dog")])
    return int(split(labels, TEST_SHARE, TEST_SEED)[0][0])


def zipped(folder: Path, file: Path, names: str = "*") -> Path:
    """A zip file of what lies in a folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob(names)):
            archive.write(path, str(path.relative_to(folder)))
    return file


def tarred(folder: Path, file: Path, mode: Any = "w") -> Path:
    """A tar file of what lies in a folder."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
    return file


def shard(file: Path, members: Mapping[str, bytes | str], mode: Any = "w") -> Path:
    """A tar file with these members, in their order."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, mode) as archive:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file
