"""The formats of a user's own images, one file each."""

from pathlib import Path

from trainables.data.formats.folders import FOLDERS
from trainables.data.formats.format import Files, Format
from trainables.data.formats.parquet import PARQUET
from trainables.data.images import DatasetError

#: In the order in which a folder is tried: a folder `data` with Parquet files could be taken for a class folder.
FORMATS: tuple[Format, ...] = (PARQUET, FOLDERS)


def find_files(root: Path) -> tuple[Format, Files]:
    """The format of the dataset in `root` and its files; raises DatasetError if there is none."""
    for each in FORMATS:
        if files := each.find(root):
            return each, files
    raise DatasetError(f"{root} must hold {' or '.join(each.holds for each in reversed(FORMATS))}")
