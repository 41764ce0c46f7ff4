"""Files that hold many images each, one or more per part: by their names, or in folders of the parts."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainables.data.archive import Place
from trainables.data.formats.format import PART_NAMES, Files, Part
from trainables.data.formats.listing import entries, first_of, part_of, part_of_archive, printable
from trainables.data.images import DatasetError

# The Hub once put a hash behind the number of shards.
_SHARD = re.compile(r"(.+)-(\d+)-of-(\d+)(-[0-9a-f]+)?(\.[a-z.]+)")


@dataclass(frozen=True)
class Group:
    """Files of a part that lie together."""

    place: Path
    """The part's folder; where names say the part, the only file, or else the folder that holds them."""
    said: str
    """The place in words."""
    files: tuple[Path, ...]
    """The files; a part's folder may hold none."""


@dataclass(frozen=True)
class Shards:
    """The shards of a dataset's parts, wherever they lie."""

    groups: dict[Part, list[Group]]
    """The places where shards of each part were found, or would be expected."""
    others: list[Path]
    """Files that are not in a part's folder, and whose names say no part."""

    @property
    def train(self) -> tuple[Path, ...]:
        """The files of the first place with training images."""
        return next((group.files for group in self.groups["train"] if group.files), ())


def shards_in(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder with one of these suffixes."""
    return [folder / each.name for each in entries(folder) if each.name.lower().endswith(suffixes) and each.is_file()]


def find_shards(
    root: Path, suffixes: tuple[str, ...], names: Mapping[Part, re.Pattern[str]], *, nameless: bool = False
) -> Shards:
    """The files in a folder and in its folder `data`, by the part that their names or the folders in these say.

    nameless: whether all files are train if no name says a part.
    """
    groups: dict[Part, list[Group]] = {part: [] for part in PART_NAMES}
    others: list[Path] = []
    for folder in (root, root / "data"):
        files = shards_in(folder, suffixes)
        for part in PART_NAMES:
            if named := [file for file in files if names[part].search(file.name.lower())]:
                groups[part].append(_group(named))
        others += [file for file in files if not any(names[part].search(file.name.lower()) for part in PART_NAMES)]
    is_named = any(groups.values())
    for folder in (root, root / "data"):
        for entry in entries(folder):
            said = part_of(entry.name) if entry.is_dir() else part_of_archive(entry.name)
            if said is not None:
                place = folder / entry.name
                groups[said].append(Group(place, f"{entry.name}/", tuple(shards_in(place, suffixes))))
    if nameless and others and not is_named and not any(group.files for group in groups["train"]):
        groups["train"].append(_group(others))
        others = []
    return Shards(groups, others)


def _group(files: Sequence[Path]) -> Group:
    """Files of one folder."""
    if len(files) == 1:
        return Group(files[0], files[0].name, (files[0],))
    return Group(files[0].parent, f"{len(files)} files", tuple(files))


def files_of(shards: Shards, what: str) -> Files:
    """The files of the parts; there are some of train.

    Raises DatasetError for a part that is in two places or whose folder holds no shards, and when shards are absent.
    """
    found: dict[Part, Group] = {}
    for part, groups in shards.groups.items():
        full = [group for group in groups if group.files]
        if len(full) > 1:
            raise DatasetError(
                f"a dataset has one {part} part, and not both {printable(full[0].place)} and "
                f"{printable(full[1].place)}: move one of them away"
            )
        if groups and not full:
            raise DatasetError(
                f"every part must hold {what}s as train does, which is {printable(found['train'].place)}; "
                f"{printable(groups[0].place)}, the {part} part, holds none: move one of them away"
            )
        if full:
            check_shards(full[0].files)
            found[part] = full[0]
    others = shards.others
    left_out = f"{len(others)} {what}{'s' * (len(others) > 1)} of no part ({first_of([file.name for file in others])})"
    return Files.in_folders(
        {part: group.files for part, group in found.items()},
        {part: group.said for part, group in found.items()},
        (left_out,) if others else (),
    )


def check_parts(files: Files) -> None:
    """Raise DatasetError for a file whose name says that it belongs to more than one part."""
    parts: dict[Place, list[Part]] = defaultdict(list)
    for part in PART_NAMES:
        for file in files.of(part):
            parts[file].append(part)
    for file, several in parts.items():
        if len(several) > 1:
            raise DatasetError(
                f"a file's name must say which one part it belongs to, which {printable(file)} does not: it says "
                f"{' and '.join(several)}; rename it"
            )


def check_shards(files: Sequence[Path]) -> None:
    """Raise DatasetError if shards whose names say how many there are, -00000-of-00003, are incomplete."""
    found: dict[tuple[Path, str, int, str], set[int]] = defaultdict(set)
    for file in files:
        if match := _SHARD.fullmatch(file.name):
            found[file.parent, match[1], int(match[3]), match[5]].add(int(match[2]))
    for (folder, name, count, suffix), numbers in found.items():
        if len(numbers) < count:
            first = next(number for number in range(count) if number not in numbers)
            raise DatasetError(
                f"every shard must be there: {folder} holds {len(numbers)} of {count} files {name}-*-of-{count:05}"
                f"{suffix}, and the first that is not there has the number {first:05}"
            )
