"""Tar files in WebDataset's format: `key.jpg` beside `key.cls`, or beside `key.json` with a field for the label.

One file, or a folder of shards: all of train, or of the parts given by the shards' names or folders.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainables.data.archive import Archive, Packed, Place, open_archive
from trainables.data.formats.format import Columns, Files, Format, Part, Table
from trainables.data.formats.images import images_of
from trainables.data.formats.labels import find_label, from_text
from trainables.data.formats.listing import first_of, folders, is_called_image, is_passed_over, part_of, printable
from trainables.data.formats.shards import check_parts, files_of, find_shards, shards_in
from trainables.data.images import DatasetError

SUFFIXES = (".tar", ".tar.gz", ".tgz")
_PARTS: dict[Part, re.Pattern[str]] = {
    "train": re.compile("(?<![a-z])train"),
    "validation": re.compile("(?<![a-z])val(id(ation)?)?(?![a-z])"),
    "test": re.compile("(?<![a-z])test"),
}
_LABELS = ("cls", "json")  # in this order


def find(root: Place, _: Columns) -> Files | None:
    """The shards in a folder, or one file that holds samples.

    Raises DatasetError when shards are absent, or when a name says that a file belongs to two parts.
    """
    if isinstance(root, Packed):
        return Files((root,), ()) if root.inside == "" and _is_of_samples(root) else None
    shards = find_shards(root, SUFFIXES, _PARTS, nameless=True)
    if not shards.train or not _are_shards(shards.train[0]):
        return None
    files = files_of(shards, "tar file")
    check_parts(files)
    return files


def _are_shards(first: Path) -> bool:
    """Whether a tar file and those beside it hold samples, and are not just beside class folders."""
    beside = [first.parent / folder.name for folder in folders(first.parent)]
    are_parts = all(shards_in(each, SUFFIXES) or (part_of(each.name) and not folders(each)) for each in beside)
    return are_parts and _is_of_samples(open_archive(first).root)


def _is_of_samples(root: Packed) -> bool:
    """Whether labels are beside images in one folder, which is neither one of classes nor one of parts."""
    samples = _samples(root.archive)
    labelled = [fields for fields in samples.values() if any(map(_is_image, fields)) and _is_labelled(fields)]
    if not labelled or any(part_of(each.name) for each in root.children() if each.is_dir()):
        return False
    places = {name.rpartition("/")[0] for fields in samples.values() for name in fields.values()}
    return len(places) == 1 or any(_label_of(fields, "cls") for fields in labelled)


def open_files(files: tuple[Place, ...], columns: Columns) -> Table:
    """The samples that have an image, in the order of the files; the label is None if a sample has none."""
    images: list[Place] = []
    values: list[Any] = []
    imageless: Counter[str] = Counter()
    field: str | None = None
    for file in files:
        archive = file.archive if isinstance(file, Packed) else Archive(Path(file))
        samples = _samples(archive)
        image_of = _images(samples, columns.image, archive.file)
        kinds = ("json",) if columns.label else _LABELS
        labels_of = [{name: key for key in image_of if (name := _label_of(samples[key], kind))} for kind in kinds]
        kind, of = next(((kind, of) for kind, of in zip(kinds, labels_of, strict=True) if of), ("", {}))
        if not of:
            raise DatasetError(
                f"a tar file of samples must hold key.jpg beside key.cls or key.json; {archive.file} holds "
                f"{first_of(list(archive.files)) or 'nothing'}: if it has class folders, give it alone, --dataset FILE"
            )
        found: dict[str, Any] = {of[name]: data for name, data in archive.read(of)}
        if kind == "json":
            objects = {key: _json(data, archive.root / key) for key, data in found.items()}
            field = field or find_label(list(next(iter(objects.values()), {})), columns.label, archive.root)
            found = {key: each.get(field) for key, each in objects.items()}
        else:
            found = {key: data.decode("utf-8", "replace") for key, data in found.items()}
        images += [archive.root / name for name in image_of.values()]
        values += [found.get(key) for key in image_of]
        without = [fields for key, fields in samples.items() if key not in image_of and _is_labelled(fields)]
        imageless.update(map(_held, without))
    labels, numbers = from_text(values, field or "cls", files[0], columns.numbers)
    said = f"field '{field}' of .json files" if field else ".cls files"
    return Table(labels, (), images_of(images), said, field, numbers, imageless)


def _samples(archive: Archive) -> dict[str, dict[str, str]]:
    """The files of each sample, by the part of the name after its key, in lower case.

    A key ends at the first dot of a name; or at the last one, as in 22.05.jpg and 22.05.cls, if each image then has its
    label.
    """
    by_last = _grouped(archive, str.rpartition)
    with_image = [fields for fields in by_last.values() if any(map(_is_image, fields))]
    if with_image and all(fields.keys() & set(_LABELS) for fields in with_image):
        return by_last
    return _grouped(archive, str.partition)


def _grouped(archive: Archive, cut: Callable[[str, str], tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    samples: dict[str, dict[str, str]] = defaultdict(dict)
    for name in archive.files:
        folder, _, last = name.rpartition("/")
        stem, _, field = cut(last, ".")
        if not any(map(is_passed_over, name.split("/"))) and stem and field:
            samples[f"{folder}/{stem}" if folder else stem][field.lower()] = name
    return samples


def _is_image(field: str) -> bool:
    return is_called_image(f"key.{field}")


def _label_of(fields: dict[str, str], kind: str) -> str | None:
    """The file of a sample's label: key.cls, or one such as key.output.cls."""
    return next((name for field, name in fields.items() if field.rpartition(".")[2] == kind), None)


def _is_labelled(fields: dict[str, str]) -> bool:
    return any(_label_of(fields, kind) for kind in _LABELS)


def _held(fields: dict[str, str]) -> str:
    """What a sample holds beside its label, as suffixes."""
    others = [field for field in fields if field.rpartition(".")[2] not in _LABELS]
    return " and ".join(f".{printable(field)}" for field in sorted(others or fields))


def _images(samples: dict[str, dict[str, str]], asked: str | None, file: Path) -> dict[str, str]:
    """The image of each sample that has one; raises DatasetError for a sample with several, unless one is asked for."""
    found = {}
    for key, fields in samples.items():
        names = [field for field in fields if _is_image(field)]
        if asked is not None:
            names = [asked] if asked in fields else []
        if len(names) > 1:
            raise DatasetError(
                f"{file}/{key} has {len(names)} images ({', '.join(names)}): choose one, --image {names[0]}"
            )
        if names:
            found[key] = fields[names[0]]
    if asked is not None and not found:
        raise DatasetError(f"{file} must hold the images that --image names, key.{asked}, and holds none")
    return found


def _json(data: bytes, where: Packed) -> dict[str, Any]:
    """What a .json file holds; raises DatasetError for anything but an object."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{where}.json must be JSON: {error}") from error
    if not isinstance(value, dict):
        raise DatasetError(f"{where}.json must hold an object with a field for the label, not {str(value)[:40]}")
    return value


WEBDATASET = Format(holds="tar files with key.jpg beside key.cls or key.json", find=find, open=open_files)
