"""The contents of a folder of images: what is ignored, what is an image, and what is left out."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trainables.data.archive import ARCHIVE_SUFFIXES, START_BYTES, Packed, Place, open_archive
from trainables.data.decode import SUFFIXES
from trainables.data.formats.format import PART_NAMES, Part
from trainables.data.images import DatasetError

#: Names that systems and archives leave beside images; hidden files and folders are ignored as well.
PASSED_OVER = frozenset({"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin"})
# How files of the decoded formats begin. A text may also begin with BMP's two letters, so its zeros are compared too.
_BEGINNINGS = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|BM.{4}\0\0\0\0|RIFF.{4}WEBP|GIF8[79]a|II\*\0|MM\0\*|P[1-6]\s+[#0-9]", re.DOTALL
)
# Names of files that may begin like an image and are none to train on: raw files of cameras, which begin like TIFF, and
# their thumbnails lie beside the same pictures as JPEG; editors and downloads leave copies.
_NO_IMAGE = re.compile(
    r"\.(3fr|arw|cr2|dcr|dng|erf|fff|iiq|k25|kdc|mef|mos|nef|nrw|orf|pef|raw|rw2|rwl|sr2|srf|srw|thm"
    r"|bak|old|orig|tmp|temp|swp|part|crdownload)$|~$",
    re.IGNORECASE,
)
MOST_NAMED = 3


@dataclass
class LeftOut:
    """Counts of what a dataset's folders hold besides the images that are used."""

    others: Counter[str] = field(default_factory=Counter)
    """Files that are not images, by suffix."""
    loose: int = 0
    """Images outside class folders."""
    folders: int = 0
    """Folders inside class folders."""
    partless: list[str] = field(default_factory=list)
    """Names of folders beside `train` that are not a part."""
    archives: list[str] = field(default_factory=list)
    """Names of archives beside folders."""
    metadata: list[str] = field(default_factory=list)
    """Names of files of metadata that give no labels."""
    unnamed: int = 0
    """Images that a file of labels does not name."""
    samples: Counter[str] = field(default_factory=Counter)
    """Labelled samples without an image, by the suffixes of what they hold instead."""

    def words(self) -> tuple[str, ...]:
        """A phrase for each kind."""
        phrases = []
        if number := self.others.total():
            phrases.append(f"{_count(number, 'file')} that {_are(number)} ({_kinds(self.others)})")
        if self.loose:
            phrases.append(f"{_count(self.loose, 'image')} outside class folders")
        if self.folders:
            phrases.append(f"{_count(self.folders, 'folder')} inside class folders")
        if self.partless:
            phrases.append(f"{_count(len(self.partless), 'folder')} beside train ({first_of(self.partless)})")
        if self.archives:
            phrases.append(f"{_count(len(self.archives), 'archive')} beside folders ({first_of(self.archives)})")
        if self.metadata:
            phrases.append(f"{first_of(self.metadata)} without a column of labels")
        if self.unnamed:
            phrases.append(f"{_count(self.unnamed, 'image')} that the metadata {_do(self.unnamed)} not name")
        if number := self.samples.total():
            phrases.append(f"{_count(number, 'sample')} without an image that is read ({_kinds(self.samples)})")
        return tuple(phrases)


def first_of(names: Sequence[str]) -> str:
    """The first few names, as a list in a sentence."""
    return ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")


def _kinds(counts: Counter[str]) -> str:
    return first_of([f"{count} {kind}" for kind, count in counts.most_common()])


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _do(number: int) -> str:
    return "does" if number == 1 else "do"


def _are(number: int) -> str:
    return "is no image" if number == 1 else "are no images"


def entries(folder: Place) -> list[os.DirEntry[str] | Packed]:
    """The contents of a folder, by name, without hidden files and what systems leave; [] if the folder is absent."""
    if not folder.is_dir():
        return []
    found: list[os.DirEntry[str] | Packed]
    if isinstance(folder, Packed):
        found = [*folder.children()]
    else:
        with os.scandir(folder) as entered:
            found = [*entered]
    return sorted((each for each in found if not is_passed_over(each.name)), key=lambda each: each.name)


def is_passed_over(name: str) -> bool:
    """Whether a file or folder is hidden, or one that systems and archives leave beside images."""
    return name.startswith(".") or name.lower() in PASSED_OVER


def is_called_image(name: str) -> bool:
    """Whether a file has an image's suffix."""
    return Path(name).suffix.lower() in SUFFIXES


def is_called_archive(name: str) -> bool:
    """Whether a file has an archive's suffix."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def part_of_archive(name: str) -> Part | None:
    """The part whose class folders an archive of this name holds; None for other names, and for archives of arrays."""
    suffix = max((each for each in ARCHIVE_SUFFIXES if name.lower().endswith(each)), key=len, default=".npz")
    return None if suffix == ".npz" else part_of(name[: -len(suffix)])


def folders(folder: Place) -> list[Place]:
    """The folders in a folder, by name, without those that are ignored."""
    return [folder / each.name for each in entries(folder) if each.is_dir()]


def parts_of(root: Place) -> tuple[dict[Part, Place], list[Place]]:
    """The folders of a dataset's parts, and the other folders; raises DatasetError for two folders of one part.

    An archive that is named after a part counts as its folder if there is none.
    """
    found: dict[Part, list[Place]] = defaultdict(list)
    others = []
    for folder in folders(root):
        part = part_of(folder.name)
        if part is None:
            others.append(folder)
        else:
            found[part].append(folder)
    if isinstance(root, Path):
        for entry in entries(root):
            part = part_of_archive(entry.name)
            if part is not None and not any(isinstance(each, Path) for each in found[part]):
                found[part].append(_part_in(open_archive(root / entry.name).root))
    for part, several in found.items():
        if len(several) > 1:
            raise DatasetError(
                f"{root} must have one {part} part, not {' and '.join(folder.name for folder in several)}: "
                "move one of them away"
            )
    return {part: found[part][0] for part in PART_NAMES if found.get(part)}, others


def _part_in(root: Packed) -> Place:
    """The folder with classes in an archive of a part, which is often wrapped in a folder of its name."""
    inside = folders(root)
    return inside[0] if len(inside) == 1 and folders(inside[0]) else root


def part_of(name: str) -> Part | None:
    """The part that a folder of this name holds; None for other names."""
    return next((part for part, names in PART_NAMES.items() if name.lower() in names), None)


def is_image(file: Place) -> bool:
    """Whether a file has an image's suffix, or begins like an image and has no suffix that says something else."""
    if is_called_image(file.name):
        return True
    if _NO_IMAGE.search(file.name):
        return False
    if isinstance(file, Packed):
        return _BEGINNINGS.match(file.start()) is not None
    with file.open("rb") as opened:
        return _BEGINNINGS.match(opened.read(START_BYTES)) is not None


def printable(path: Place | str) -> str:
    """A path with the bytes that are not UTF-8 escaped."""
    return os.fsencode(str(path)).decode("utf-8", "backslashreplace")


def check_name(path: Place, what: str) -> None:
    """Raise DatasetError for a path whose name is not UTF-8, which no table could show."""
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise DatasetError(f"{what} must have a name in UTF-8, which {printable(path)} has not: rename it") from error
