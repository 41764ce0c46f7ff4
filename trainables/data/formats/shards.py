"""Files that hold many images each, one or more per part: by their names, or in folders of the parts."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from trainables.data.archive import Place
from trainables.data.formats.format import PART_NAMES, Files, Part
from trainables.data.formats.listing import entries, first_of, parts_of, printable
from trainables.data.images import DatasetError

_SHARD = re.compile(r"(.+)-(\d+)-of-(\d+)(\.[a-z.]+)")


def shards_in(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a folder with one of these suffixes."""
    return [folder / each.name for each in entries(folder) if each.name.lower().endswith(suffixes) and each.is_file()]


def by_name(found: Sequence[Path], names: Mapping[Part, re.Pattern[str]], what: str) -> Files | None:
    """Files of one folder, whose names say which part they belong to; None if none belongs to train."""
    parts = {part: [file for file in found if names[part].search(file.name.lower())] for part in PART_NAMES}
    if not parts["train"]:
        return None
    others = [file.name for file in found if not any(file in some for some in parts.values())]
    places = {part: some[0].name if len(some) == 1 else f"{len(some)} files" for part, some in parts.items()}
    left_out = f"{len(others)} {what}{'s' * (len(others) > 1)} of no part ({first_of(others)})"
    return files_of(parts, places, (left_out,) if others else ())


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


def by_folder(root: Path, suffixes: tuple[str, ...], what: str) -> Files | None:
    """Files in folders train, validation and test; None if there are none in train."""
    folders, _ = parts_of(root)
    parts = {part: shards_in(root / folder.name, suffixes) for part, folder in folders.items()}
    if not parts.get("train"):
        return None
    for part, found in parts.items():
        if not found:
            raise DatasetError(
                f"every part must hold {what}s as train does, and {folders[part]}, the {part} part, holds none: "
                "move the folder away"
            )
    return files_of(parts, {part: f"{folder.name}/" for part, folder in folders.items()}, ())


def files_of(parts: Mapping[Part, Sequence[Path]], places: Mapping[Part, str], left_out: tuple[str, ...]) -> Files:
    """The files of the parts; raises DatasetError when shards are absent."""
    for files in parts.values():
        check_shards(files)
    validation, test = parts.get("validation", ()), parts.get("test", ())
    return Files(
        tuple(parts["train"]),
        tuple(test),
        tuple(validation),
        test_from=places["test"] if test else "",
        validation_from=places["validation"] if validation else "",
        left_out=left_out,
    )


def check_shards(files: Sequence[Path]) -> None:
    """Raise DatasetError if shards whose names say how many there are, -00000-of-00003, are incomplete."""
    found: dict[tuple[Path, str, int, str], set[int]] = defaultdict(set)
    for file in files:
        if match := _SHARD.fullmatch(file.name):
            found[file.parent, match[1], int(match[3]), match[4]].add(int(match[2]))
    for (folder, name, count, suffix), numbers in found.items():
        if len(numbers) < count:
            first = next(number for number in range(count) if number not in numbers)
            raise DatasetError(
                f"every shard must be there: {folder} holds {len(numbers)} of {count} files {name}-*-of-{count:05}"
                f"{suffix}, and the first that is not there has the number {first:05}"
            )
