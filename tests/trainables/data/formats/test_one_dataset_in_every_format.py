"""The same images, whatever they are stored in: one fingerprint."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.pictures import class_folders, parquet, shard, tarred, zipped
from trainables.data.images import fingerprint
from trainables.data.load import load

PARTS = {"train": ("train", "train", 5), "validation": ("val", "validation", 3), "test": ("test", "test", 2)}


def files(root: Path, part: str) -> list[Path]:
    return sorted((root / PARTS[part][0]).glob("*/*.png"))


def as_npz(root: Path, to: Path) -> Path:
    arrays: dict[str, np.ndarray] = {}
    for part, (prefix, _, _) in PARTS.items():
        images = [np.asarray(Image.open(file)) for file in files(root, part)]
        arrays |= {f"{prefix}_images": np.stack(images)}
        arrays |= {f"{prefix}_labels": np.array([[file.parent.name] for file in files(root, part)])}
    np.savez_compressed(to / "set.npz", **arrays)
    return to / "set.npz"


def as_samples(root: Path, to: Path, *, kind: str, mode: str = "w") -> Path:
    for part, (_, name, _) in PARTS.items():
        members: dict[str, bytes | str] = {}
        for number, file in enumerate(files(root, part)):
            label = file.parent.name
            members[f"{number:05}.png"] = file.read_bytes()
            members[f"{number:05}.{kind}"] = label if kind == "cls" else json.dumps({"label": label})
        shard(to / f"{name}-000000.tar{'.gz' if mode == 'w:gz' else ''}", members, mode)
    return to


def as_metadata(root: Path, to: Path) -> Path:
    lines = ["file_name,label"]
    for part in PARTS:
        for file in files(root, part):
            name = f"{PARTS[part][0]}/{file.parent.name}-{file.name}"
            (to / name).parent.mkdir(exist_ok=True)
            (to / name).write_bytes(file.read_bytes())
            lines.append(f"{name},{file.parent.name}")
    (to / "metadata.csv").write_text("\n".join(lines))
    return to


def as_parquet(root: Path, to: Path) -> Path:
    for part, (_, name, _) in PARTS.items():
        labels = [file.parent.name for file in files(root, part)]
        parquet(to / f"{name}.parquet", [file.read_bytes() for file in files(root, part)], labels)
    return to


FORMS: dict[str, Callable[[Path, Path], Path]] = {
    "npz": as_npz,
    "zip": lambda root, to: zipped(root, to / "set.zip"),
    "tar": lambda root, to: tarred(root, to / "set.tar"),
    "tar.gz": lambda root, to: tarred(root, to / "set.tar.gz", "w:gz"),
    "WebDataset, cls": lambda root, to: as_samples(root, to, kind="cls"),
    "WebDataset, json": lambda root, to: as_samples(root, to, kind="json", mode="w:gz"),
    "metadata": as_metadata,
    "metadata in a zip": lambda root, to: zipped(as_metadata(root, to), to.parent / "set.zip"),
    "Parquet": as_parquet,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_fingerprint_of_class_folders(tmp_path: Path, form: str) -> None:
    root = tmp_path / "folders"
    for folder, _, count in PARTS.values():
        class_folders(root / folder, per_class=count, classes=("café", "dog", "emu"))
    (tmp_path / "form").mkdir()
    place = FORMS[form](root, tmp_path / "form")
    for part in PARTS:
        expected, found = (load(str(each), part, data_dir=tmp_path) for each in (root, place))
        assert found.classes == expected.classes == ("café", "dog", "emu")
        assert fingerprint(found) == fingerprint(expected)
