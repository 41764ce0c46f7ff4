"""Class folders: `<class>/*.png`, alone or in `train/`, `val/` and `test/`."""

from trainables.data.archive import Packed, Place
from trainables.data.decode import SUFFIXES
from trainables.data.formats.format import AS_NAMED, Columns, Files, Format, Table
from trainables.data.formats.images import images_of
from trainables.data.formats.listing import (
    LeftOut,
    check_name,
    entries,
    first_of,
    folders,
    is_called_archive,
    is_called_image,
    is_image,
    parts_of,
    printable,
)
from trainables.data.formats.metadata import metadata_in
from trainables.data.images import DatasetError


def find(root: Place, _: Columns) -> Files | None:
    """The image files of a folder; raises DatasetError for a part or a class folder that cannot be used."""
    left_out = LeftOut()
    parts, others = parts_of(root)
    archives = [entry.name for entry in entries(root) if is_called_archive(entry.name) and entry.is_file()]
    left_out.metadata += [file.name for folder in (root, *parts.values()) for file in metadata_in(folder)]
    for entry in entries(root):
        left_out.loose += is_called_image(entry.name) and entry.is_file()
    if "train" not in parts and any(map(folders, parts.values())):
        part, folder = next((part, folder) for part, folder in parts.items() if folders(folder))
        raise DatasetError(
            f"{root} has a folder {folder.name}, its {part} part, so it must have a folder train with class folders "
            "as well"
        )
    if "train" in parts and (folders(parts["train"]) or not others):
        for part, folder in parts.items():
            if not folders(folder):
                raise DatasetError(
                    f"every part must hold class folders, which {folder}, the {part} part, does not: its images have "
                    "no labels. Sort them into class folders, or move the folder away"
                )
        left_out.partless += [printable(folder.name) for folder in others]
        used = {folder.archive.file for folder in parts.values() if isinstance(folder, Packed)}
        left_out.archives += [printable(name) for name in archives if root / name not in used]
        for folder in parts.values():
            left_out.loose += sum(is_called_image(each.name) and each.is_file() for each in entries(folder))
        files = {part: _image_files(folder, left_out) for part, folder in parts.items()}
        places = {part: f"{folder.name}/" for part, folder in parts.items()}
        return Files.in_folders(files, places, left_out.words())
    left_out.archives += map(printable, archives)
    return Files(_image_files(root, left_out), (), left_out=left_out.words()) if folders(root) else None


def open_files(files: tuple[Place, ...], columns: Columns) -> Table:
    """The files as a table; a file's label is the name of its folder."""
    if columns != AS_NAMED:
        raise DatasetError(
            f"--label and --image choose columns or fields; {files[0].parent.parent} holds class folders, whose "
            "names are the labels"
        )
    return Table([file.parent.name for file in files], (), images_of(files), "folder names")


def _image_files(root: Place, left_out: LeftOut) -> tuple[Place, ...]:
    """The image files in class folders, class by class; other files and folders there are counted."""
    files: list[Place] = []
    empty, dead = [], []
    classes = folders(root)
    for folder in classes:
        check_name(folder, "a class folder")
        before = len(files)
        for entry in entries(folder):
            file = folder / entry.name
            if entry.is_dir():
                left_out.folders += 1
            elif entry.is_symlink() and not file.exists():
                dead.append(file)
            elif entry.is_file() and is_image(file):
                files.append(file)
            else:
                left_out.others[printable(file.suffix) if file.suffix else "without a suffix"] += 1
        if len(files) == before:
            empty.append(folder)
    if dead:
        raise DatasetError(
            f"every link must lead to a file: {len(dead)} in {root} lead nowhere, the first is {printable(dead[0])}"
        )
    if len(empty) == len(classes) and all(map(folders, empty)):
        raise DatasetError(
            f"every class folder must hold images; those in {root} ({first_of([folder.name for folder in empty])}) "
            f"hold folders alone, such as {empty[0].name}/{folders(empty[0])[0].name}: which of them are the classes "
            "is not clear, so let images lie in one folder a class"
        )
    if empty:
        raise DatasetError(
            f"every class folder must hold images ({', '.join(sorted(SUFFIXES))}): {len(empty)} of {len(classes)} "
            f"in {root} have none, the first is {empty[0].name}"
        )
    return tuple(files)


FOLDERS = Format(holds="class folders with images", find=find, open=open_files)
