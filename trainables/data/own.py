"""A user's own dataset: its files, and the labels in them, each read once."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.archive import Packed, Place
from trainables.data.formats.format import AS_NAMED, Columns, Files, Format, Part, Table
from trainables.data.images import DatasetError


@dataclass(frozen=True)
class Own:
    """A user's dataset in a folder or file; raises DatasetError if labels cannot be trained on or tested."""

    root: Path
    """The folder or file."""
    format: Format
    """Its format, which was recognised."""
    files: Files
    """The files of its parts."""
    columns: Columns
    """The columns that the user named."""
    _parts: dict[Part, tuple[Table, np.ndarray]] = field(default_factory=dict)

    @cached_property
    def train(self) -> Table:
        """All images of train, with those that are held out if there is no test part."""
        return self.format.open(self.files.train, self.columns)

    @cached_property
    def numbers(self) -> dict[Any, int]:
        """The class number of each label of train."""
        return _number_classes(self.train, self.root)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names by number."""
        return self.train.names or tuple(str(label) for label in self.numbers)

    def labelled(self, part: Part) -> tuple[Table, np.ndarray]:
        """A part that has files, and its labels as int64 (N,), numbered by name like train's."""
        if part not in self._parts:
            self._parts[part] = self._open(part)
        return self._parts[part]

    def _open(self, part: Part) -> tuple[Table, np.ndarray]:
        if part == "train":
            return self.train, np.array([self.numbers[label] for label in self.train.labels], dtype=np.int64)
        if not self.files.of(part):
            raise DatasetError(f"{self.root} holds no {part} images")
        # Train's label column and type, so that no other column is taken for it, and no text for another class.
        train = self.train
        columns = Columns(train.label_column, self.columns.image, train.numbers)
        asked = self.format.open(self.files.of(part), columns)
        _check_labelled(asked, part, self.root)
        if not asked.labels:
            raise DatasetError(
                f"the {part} files in {self.root} must hold images, or be left out to hold out a share of train"
            )
        own = asked.names or train.names
        names = {label: str(own[label] if label in range(len(own)) else label) for label in set(asked.labels)}
        occurring = set(train.labels)
        numbers = {
            str(train.names[label] if train.names else label): number
            for label, number in self.numbers.items()
            if label in occurring
        }
        unknown = sorted(name for name in names.values() if name not in numbers)
        if unknown:
            hidden = ", which stands for a label that is not shared: move the file away" if unknown[0] == "-1" else ""
            raise DatasetError(
                f"every {part} class must occur in train: {len(unknown)} in {self.root} do not, the first is "
                f"{unknown[0]}{hidden}"
            )
        return asked, np.array([numbers[names[label]] for label in asked.labels], dtype=np.int64)

    def sources(self, part: Part) -> list[Any]:
        """Everything that decides the content of a part, as JSON; raises OSError for files that cannot be accessed."""
        # Classes, size and colour of the other parts come from train.
        needed = self.files.train if part == "train" else self.files.train + self.files.of(part)
        asked = [] if self.columns == AS_NAMED else [self.columns.label, self.columns.image]
        # Without a test part, train lacks the images that are held out. For test itself, its own files say as much.
        held_out = [] if part == "test" else [f"test part: {bool(self.files.test)}"]
        return [str(self.root), *map(_state, needed), *asked, *held_out]


def _state(file: Place) -> tuple[str, int, int]:
    found = file.archive.state if isinstance(file, Packed) else file.stat()
    return str(file), found.st_size, found.st_mtime_ns


def _number_classes(train: Table, root: Path) -> dict[Any, int]:
    """Class number of each label; raises DatasetError if a label is missing or out of range, or there is only one."""
    _check_labelled(train, "train", root)
    found = set(train.labels)
    if len(found) < 2:
        raise DatasetError(f"a classifier needs at least two classes; {root} has {len(found)} in its train part")
    for name in train.names or [label for label in found if isinstance(label, str)]:
        if name.encode(errors="replace").decode() != name:
            raise DatasetError(f"a class must have a name in UTF-8, which {name!a} in {root} is not")
    if not train.names:
        return {label: number for number, label in enumerate(sorted(found))}
    outside = sorted(label for label in found if not 0 <= label < len(train.names))
    if outside:
        raise DatasetError(
            f"labels in {root} must lie in 0..{len(train.names) - 1}, one a class name, not {outside[0]}"
        )
    return {number: number for number in range(len(train.names))}


def _check_labelled(table: Table, part: Part, root: Path) -> None:
    missing = [row for row, label in enumerate(table.labels) if label is None]
    if missing:
        raise DatasetError(
            f"every image must have a label: {len(missing)} of {len(table.labels)} in the {part} part of {root} "
            f"have none, the first is row {missing[0]}"
        )
