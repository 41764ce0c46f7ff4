"""Class folders: `<class>/*.png`, alone or in `train/` and `test/`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trainables.data.decode import Encoded
from trainables.data.formats.format import Files, Format, Table
from trainables.data.images import DatasetError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp"})


def find(root: Path) -> Files | None:
    """The image files of a folder; raises DatasetError for a class folder without images, or test without train."""
    train, test = root / "train", root / "test"
    if _folders(train):
        return Files(_image_files(train), _image_files(test))
    if _folders(test):
        raise DatasetError(f"{root} has a folder test, so it must have a folder train with class folders as well")
    return Files(_image_files(root), ()) if _folders(root) else None


def open_files(files: tuple[Path, ...]) -> Table:
    """The files as a table; a file's label is the name of its folder."""

    def images(rows: np.ndarray) -> Iterator[Encoded]:
        for row in rows:
            yield str(files[row]), files[row]

    return Table([file.parent.name for file in files], (), images)


def _folders(root: Path) -> list[Path]:
    visible = root.iterdir() if root.is_dir() else ()
    return sorted(entry for entry in visible if entry.is_dir() and not entry.name.startswith("."))


def _image_files(root: Path) -> tuple[Path, ...]:
    """The image files in class folders, class by class."""
    files: list[Path] = []
    empty = []
    folders = _folders(root)
    for folder in folders:
        inside = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        files += inside
        if not inside:
            empty.append(folder)
    if empty:
        raise DatasetError(
            f"every class folder must hold images ({', '.join(sorted(SUFFIXES))}): {len(empty)} of {len(folders)} "
            f"in {root} have none, the first is {empty[0].name}"
        )
    return tuple(files)


FOLDERS = Format(holds="class folders with images", find=find, open=open_files)
