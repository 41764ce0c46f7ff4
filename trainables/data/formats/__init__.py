"""The formats of a user's own images, one file each."""

import os
from collections.abc import Sequence
from pathlib import Path

from trainables.data.formats.folders import FOLDERS
from trainables.data.formats.format import PART_NAMES, Files, Format
from trainables.data.formats.listing import SUFFIXES, entries, first_of, printable
from trainables.data.formats.parquet import PARQUET
from trainables.data.images import DatasetError

#: In the order in which a folder is tried: a folder `data` with Parquet files could be taken for a class folder.
FORMATS: tuple[Format, ...] = (PARQUET, FOLDERS)


ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
# A folder in a folder in a folder is what unpacking an archive leaves; more is something else.
MOST_WRAPPINGS = 3


def find_files(root: Path) -> tuple[Format, Files]:
    """The format of the dataset in `root` and its files; raises DatasetError if there is none."""
    inside = _unwrapped(root)
    for each in FORMATS:
        if files := each.find(inside):
            return each, files
    names = [printable(Path(entry.name)) for entry in entries(inside)]
    raise DatasetError(
        f"{inside} must hold {' or '.join(each.holds for each in reversed(FORMATS))}; it holds "
        f"{first_of(names) or 'nothing'}{_unpack(names)}"
    )


def _unpack(names: Sequence[str]) -> str:
    packed = [name for name in names if name.lower().endswith(ARCHIVES)]
    return f": unpack {packed[0]} first" if packed else ""


def _unwrapped(root: Path) -> Path:
    """The folder with the dataset, where `root` has nothing but one folder with folders or Parquet files in it."""
    parts = {name for names in PART_NAMES.values() for name in names}
    for _ in range(MOST_WRAPPINGS):
        visible = entries(root)
        inside = [entry for entry in visible if entry.is_dir()]
        if len(inside) != 1 or inside[0].name.lower() in parts or any(map(_is_data, visible)):
            return root
        within = entries(root / inside[0].name)
        if not any(entry.is_dir() or entry.name.endswith(".parquet") for entry in within):
            return root
        if any(Path(entry.name).suffix.lower() in SUFFIXES for entry in within):
            return root
        root /= inside[0].name
    return root


def _is_data(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".parquet") or Path(entry.name).suffix.lower() in SUFFIXES
