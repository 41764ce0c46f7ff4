"""What lies in a folder of images: what is passed over, what is an image, and what is left out."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainables.data.formats.format import PART_NAMES, Part
from trainables.data.images import DatasetError

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
)
#: What systems and archives leave beside images; hidden files and folders are passed over as well.
PASSED_OVER = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})
# How files of the formats that are decoded begin. BMP's two letters also begin a text, so its zeros are compared too.
_BEGINNINGS = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|BM.{4}\0\0\0\0|RIFF.{4}WEBP|GIF8[79]a|II\*\0|MM\0\*|P[1-6]\s+[#0-9]", re.DOTALL
)
MOST_NAMED = 3


@dataclass
class LeftOut:
    """What a dataset's folders hold beside the images that are used, counted."""

    others: Counter[str] = field(default_factory=Counter)
    """Files that are no images, by suffix."""
    loose: int = 0
    """Images outside class folders."""
    folders: int = 0
    """Folders inside class folders."""
    partless: list[str] = field(default_factory=list)
    """Names of folders beside `train` that are no part."""

    def words(self) -> tuple[str, ...]:
        """A phrase for each kind."""
        phrases = []
        if number := self.others.total():
            kinds = [f"{count} {suffix}" for suffix, count in self.others.most_common()]
            phrases.append(f"{_count(number, 'file')} that {_are(number)} ({first_of(kinds)})")
        if self.loose:
            phrases.append(f"{_count(self.loose, 'image')} outside class folders")
        if self.folders:
            phrases.append(f"{_count(self.folders, 'folder')} inside class folders")
        if self.partless:
            phrases.append(f"{_count(len(self.partless), 'folder')} beside train ({first_of(self.partless)})")
        return tuple(phrases)


def first_of(names: Sequence[str]) -> str:
    """The first few names, as people read a list."""
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _are(number: int) -> str:
    return "is no image" if number == 1 else "are no images"


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name, without hidden files and what systems leave; [] for a folder that is absent."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as found:
        visible = [each for each in found if not each.name.startswith(".") and each.name.lower() not in PASSED_OVER]
    return sorted(visible, key=lambda each: each.name)


def folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name, without those that are passed over."""
    return [folder / each.name for each in entries(folder) if each.is_dir()]


def parts_of(root: Path) -> tuple[dict[Part, Path], list[Path]]:
    """The folders of a dataset's parts, and the other folders; raises DatasetError for two folders of one part."""
    found: dict[Part, list[Path]] = defaultdict(list)
    others = []
    for folder in folders(root):
        part = next((part for part, names in PART_NAMES.items() if folder.name.lower() in names), None)
        if part is None:
            others.append(folder)
        else:
            found[part].append(folder)
    for part, several in found.items():
        if len(several) > 1:
            raise DatasetError(
                f"{root} must have one {part} part, not {' and '.join(folder.name for folder in several)}: "
                "move one of them away"
            )
    return {part: found[part][0] for part in PART_NAMES if part in found}, others


def is_image(file: Path) -> bool:
    """Whether a file is called an image, or begins as one."""
    if file.suffix.lower() in SUFFIXES:
        return True
    with file.open("rb") as opened:
        return _BEGINNINGS.match(opened.read(32)) is not None


def printable(path: Path) -> str:
    """A path with the bytes that are not UTF-8 escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def check_name(path: Path, what: str) -> None:
    """Raise DatasetError for a path whose name is not UTF-8, which no table could show."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(f"{what} must have a name in UTF-8, which {printable(path)} has not: rename it") from error
