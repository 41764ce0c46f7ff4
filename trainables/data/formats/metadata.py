"""Images beside `metadata.csv` or `metadata.jsonl`, with a column `file_name` and one of labels.

The file is in the dataset's folder and may name images of `train/…`, `val/…` and `test/…`, or a part's folder has one
of its own: the layouts of an imagefolder on the Hugging Face Hub.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from architectures.errors import one_line
from trainables.data.archive import Place
from trainables.data.formats.format import Columns, Files, Format, Part, Table
from trainables.data.formats.images import images_of
from trainables.data.formats.labels import called_label, find_label, from_text
from trainables.data.formats.listing import (
    LeftOut,
    entries,
    folders,
    is_called_image,
    part_of,
    parts_of,
    printable,
)
from trainables.data.images import DatasetError

NAMES = ("metadata.csv", "metadata.jsonl")
FILE_NAME = "file_name"
# Columns, in any spelling, of a table that is meant to give labels to images; others may lie beside class folders.
_MEANT = re.compile("file|image|path|label|class|target|category", re.IGNORECASE)

Row = dict[str, Any]


def find(root: Place, columns: Columns) -> Files | None:
    """The metadata, then the images that they name; raises DatasetError for one that is absent or named twice.

    None if images are in several class folders and no column of the metadata is named as a label, or chosen by the
    user.
    """
    left_out = LeftOut()
    file = _metadata(root)
    parts = _by_part(_named(file, left_out), root, file) if file is not None else {}
    inside, _ = parts_of(root)
    own = {part: found for part in inside if part not in parts and (found := _metadata(inside[part])) is not None}
    if "train" not in (*parts, *own):
        return None
    parts |= {part: (f"{inside[part].name}/", found, _named(found, left_out)) for part, found in own.items()}
    for part, (_, each, images) in parts.items():
        _check_split(each, part, images)
    in_folders = _has_classes(root) and all(map(_is_in_class_folders, parts.values()))
    if in_folders and not any(_is_labelled(each, columns.label) for _, each, _ in parts.values()):
        return None
    for part, folder in inside.items():
        if part not in parts:
            advice = f"name its images in {file}, or move" if file is not None else "move"
            raise DatasetError(
                f"every part must hold metadata as train does, and {folder}, the {part} part, holds none: {advice} the "
                "folder away"
            )
    files = {part: (file, *images) for part, (_, file, images) in parts.items()}
    places = {part: place for part, (place, _, _) in parts.items()}
    return Files.in_folders(files, places, left_out.words())


def open_files(files: tuple[Place, ...], columns: Columns) -> Table:
    """The images as a table, in the order of the metadata."""
    file, *images = files
    if columns.image is not None:
        raise DatasetError(f"--image chooses a column of images; {file} names files, in its column {FILE_NAME}")
    rows = _rows(file)
    label = find_label([name for name in rows[0] if name != FILE_NAME], columns.label, file)
    value_of = {_place(file, row): row.get(label) for row in rows}
    labels, numbers = from_text([value_of.get(image) for image in images], label, file, columns.numbers)
    return Table(labels, (), images_of(images), f"column '{label}' of {file.name}", label, numbers)


def _metadata(folder: Place) -> Place | None:
    """The file of metadata in a folder; None if there is none, or one that names no files beside class folders.

    Raises DatasetError for one that is meant to name files and does not.
    """
    there = metadata_in(folder)
    columns = {file: [name for name in next(iter(_rows(file)), {}) if name is not None] for file in there}
    found = [file for file in there if FILE_NAME in columns[file]]
    if len(found) > 1:
        raise DatasetError(f"{folder} must hold one file of metadata, not {' and '.join(file.name for file in found)}")
    if found:
        return found[0]
    for file in there:
        if not _has_classes(folder) or any(map(_MEANT.search, columns[file])):
            raise DatasetError(_nameless(file, columns[file]))
    return None


def metadata_in(folder: Place) -> list[Place]:
    """The files in a folder that are called metadata, whatever they hold."""
    return [folder / each.name for each in entries(folder) if each.name.lower() in NAMES and each.is_file()]


def _nameless(file: Place, columns: Sequence[str]) -> str:
    """The message for metadata that name no files."""
    if not columns:
        return f"{file} needs a column {FILE_NAME} and a row for each image, and has no row; fill it, or move it away"
    away = "move the file away to take folder names as labels"
    shown = ", ".join(map(repr, columns))  # which escapes what would break the line
    if len(columns) == 1:
        advice = "separate columns with commas" if re.search(r"[;\t|]", columns[0]) else "add it"
        return f"{file} needs a column {FILE_NAME} (its only column: {shown}); {advice}, or {away}"
    return f"{file} needs a column {FILE_NAME} (its columns: {shown}); rename the one that names the images, or {away}"


def _check_split(file: Place, part: Part, images: Sequence[Place]) -> None:
    """Raise DatasetError if a column `split` says that an image belongs to another part than its folder."""
    rows = _rows(file)
    column = next((name for name in rows[0] if name.lower() == "split"), None)
    if column is None:
        return
    said = {_place(file, row): str(row.get(column)).strip() for row in rows}
    for image in images:
        if part_of(said[image]) not in (None, part):
            raise DatasetError(
                f"parts are folders (train/, val/, test/), not a column: '{column}' of {file} says {said[image]} of "
                f"{printable(image)}, which is in the {part} part; move images into such folders, or remove the column"
            )


def _is_labelled(file: Place, asked: str | None) -> bool:
    names = {name: name for name in _rows(file)[0]}
    return asked in names or called_label(names, file) is not None


def _has_classes(root: Place) -> bool:
    """Whether train, or else the folder itself, holds several folders, which may be classes."""
    return len(folders(parts_of(root)[0].get("train", root))) > 1


def _is_in_class_folders(part: tuple[str, Place, Sequence[Place]]) -> bool:
    place, file, images = part
    own = {str(file.parent), f"{file.parent}/{place}".rstrip("/")}
    return all(str(image.parent) not in own for image in images)


def _by_part(images: Sequence[Place], root: Place, file: Place) -> dict[Part, tuple[str, Place, list[Place]]]:
    """The images by the part whose folder they are in: all of train if none is in a folder of a part."""
    beginning = len(str(root)) + 1
    folder_of = {image: str(image)[beginning:].rpartition("/")[0].partition("/")[0] for image in images}
    said = {image: part_of(folder) for image, folder in folder_of.items()}
    if not any(said.values()):
        return {"train": ("", file, list(images))}
    parts: dict[Part, list[Place]] = defaultdict(list)
    for image, part in said.items():
        if part is None:
            raise DatasetError(
                f"every image must lie in a part's folder as others do, which {image} of {file} does not"
            )
        parts[part].append(image)
    if "train" not in parts:
        raise DatasetError(f"{file} must name images in a folder train, and names some in {folder_of[images[0]]} alone")
    return {part: (f"{folder_of[some[0]]}/", file, some) for part, some in parts.items()}


def _named(file: Place, left_out: LeftOut) -> list[Place]:
    """The images that metadata name; other images beside them are counted."""
    rows = _rows(file)
    for number, row in enumerate(rows, start=1):
        if None in row:  # where `csv` puts the fields that have no column
            raise DatasetError(
                f"a row of {file} must have at most as many fields as its header, and row {number} after the header "
                f"has more, {row.get(FILE_NAME)!a}: put a field that holds a comma in double quotes"
            )
    images = [_place(file, row) for row in rows]
    if len(set(images)) < len(images):
        first = next(image for number, image in enumerate(images) if image in images[:number])
        raise DatasetError(f"an image must be named once, for it has one label; {file} names {first} more than once")
    by_folder: dict[Place, set[str]] = defaultdict(set)
    for image in images:
        by_folder[image.parent].add(image.name)
    there = {folder: {each.name for each in entries(folder) if not each.is_dir()} for folder in by_folder}
    absent = [image for image in images if image.name not in there[image.parent]]
    if absent:
        raise DatasetError(
            f"every image that is named must be there: {len(absent)} of {len(images)} in {file} are not, the first is "
            f"{printable(absent[0])}"
        )
    left_out.unnamed += sum(sum(map(is_called_image, there[folder] - named)) for folder, named in by_folder.items())
    return images


def _place(file: Place, row: Row) -> Place:
    """Where the image of a row is; raises DatasetError for a name that leads out of the metadata's folder."""
    name = row.get(FILE_NAME)
    path = PurePosixPath(str(name).replace("\\", "/"))
    if not isinstance(name, str) or not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise DatasetError(
            f"every {FILE_NAME} must name an image below {file.parent}, which {name!a} in {file} does not"
        )
    place = file.parent
    for part in path.parts:
        place = place / part
    return place


def _rows(file: Place) -> list[Row]:
    """The rows of metadata; raises DatasetError if it is not a table."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
        if file.suffix.lower() == ".csv":
            return list(csv.DictReader(io.StringIO(text, newline="")))
        # Not `splitlines`, which also splits at characters that a string may hold, such as U+2028.
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
    except (UnicodeDecodeError, csv.Error, ValueError, RecursionError) as error:
        if isinstance(error, DatasetError):
            raise
        reason = f"byte {error.start} is not" if isinstance(error, UnicodeDecodeError) else one_line(error)
        raise DatasetError(f"{file} must be a table in UTF-8, a row an image: {reason}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f"every line of {file} must be a JSON object")
    return rows


METADATA = Format(holds="metadata.csv or metadata.jsonl beside images", find=find, open=open_files)
