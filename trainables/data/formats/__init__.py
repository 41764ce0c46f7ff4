"""The formats of a user's own images, one file each."""

from dataclasses import replace
from pathlib import Path

from trainables.data.archive import Place, open_archive
from trainables.data.contents import beginning, kind_of
from trainables.data.formats.folders import FOLDERS
from trainables.data.formats.format import Columns, Files, Format
from trainables.data.formats.listing import (
    LeftOut,
    entries,
    first_of,
    is_called_archive,
    is_called_image,
    part_of,
    part_of_archive,
    printable,
)
from trainables.data.formats.metadata import METADATA
from trainables.data.formats.metadata import NAMES as METADATA_NAMES
from trainables.data.formats.npz import NPZ
from trainables.data.formats.parquet import PARQUET
from trainables.data.formats.webdataset import WEBDATASET
from trainables.data.images import DatasetError
from trainables.data.members import is_archive

#: In the order in which they are tried: a folder `data` with Parquet files could be taken for a class folder.
FORMATS: tuple[Format, ...] = (PARQUET, NPZ, WEBDATASET, METADATA, FOLDERS)

# Unpacking an archive leaves up to this many nested folders; more have another cause.
MOST_WRAPPINGS = 3


def find_files(root: Path, columns: Columns) -> tuple[Format, Files]:
    """The format of the dataset in `root`, a folder or a file, and its files; raises DatasetError if there is none.

    columns: those that the user named.
    """
    inside, beside = _unwrapped(root)
    for each in FORMATS:
        if files := each.find(inside, columns):
            return each, replace(files, left_out=(*beside.words(), *files.left_out))
    *most, last = (each.holds for each in reversed(FORMATS))
    known = f"{', '.join(most)} or {last}"
    if inside.is_dir():
        names = [printable(entry.name) for entry in entries(inside)]
        packed = [name for name in names if is_called_archive(name)]
        choice = f": give one of them, --dataset {printable(inside / packed[0])}" if packed else ""
        if not choice and any(map(is_called_image, names)):
            choice = f": images without labels. If {printable(inside.name)} is a class, give the folder above"
        raise DatasetError(f"{printable(inside)} must hold {known}; it holds {first_of(names) or 'nothing'}{choice}")
    raise DatasetError(
        f"a dataset is a folder, or a zip or tar file, with {known}, or one of these files; {root} is {_kind(root)}"
    )


def _unwrapped(root: Path) -> tuple[Place, LeftOut]:
    """The folder with the dataset, also if `root` has only one folder or archive in it, and what is beside that."""
    beside = LeftOut()
    inside: Place = open_archive(root).root if root.is_file() and is_archive(root) else root
    for _ in range(MOST_WRAPPINGS):
        visible = entries(inside)
        folders = [entry.name for entry in visible if entry.is_dir()]
        archives = [entry.name for entry in visible if is_called_archive(entry.name) and entry.is_file()]
        if any(_is_data(entry.name) for entry in visible):
            break
        if len(folders) == 1 and part_of(folders[0]) is None and _is_wrapped(inside / folders[0]):
            beside.archives += archives
            inside = inside / folders[0]
        elif isinstance(inside, Path) and not folders and len(archives) == 1 and part_of_archive(archives[0]) is None:
            file = inside / archives[0]
            if not is_archive(file):
                raise DatasetError(f"{file} must be the archive that its name says; it is {_kind(file)}")
            inside = open_archive(file).root
        else:
            break
    return inside, beside


def _is_wrapped(folder: Place) -> bool:
    """Whether a folder holds a dataset and is not a class."""
    names = [entry.name for entry in entries(folder)]
    if any(name.lower() in METADATA_NAMES for name in names):
        return True
    is_class = any(map(is_called_image, names))
    return not is_class and any(entry.is_dir() or _is_data(entry.name) for entry in entries(folder))


def _is_data(name: str) -> bool:
    return name.endswith(".parquet") or is_called_image(name) or name.lower() in METADATA_NAMES


def _kind(file: Path) -> str:
    return kind_of(beginning(file)) or f"something else, which begins with {beginning(file, 8)!r}"
