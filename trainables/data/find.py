"""A user's own dataset before any image is decoded: its files, and how they are interpreted."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from trainables.data.formats import find_files
from trainables.data.formats.format import AS_NAMED, Columns, Part
from trainables.data.formats.listing import LeftOut, printable
from trainables.data.images import DatasetError
from trainables.data.known import DATASETS
from trainables.data.own import Own
from trainables.data.read import TEST_SHARE


@dataclass(frozen=True)
class Survey:
    """How a dataset's files are interpreted."""

    labels: str
    """Where the labels come from."""
    num_classes: int
    """How many classes train has."""
    validation: str | None
    """Where the validation images are; None if a share of train is held out."""
    test: str | None
    """Where the test images are; None if a share of train is held out."""
    left_out: tuple[str, ...]
    """A phrase for each kind of content that is not used."""
    bits: int | None = None
    """How many bits the 16-bit grey images of train use, which are scaled to 8; None if no image has 16."""

    def line(self, share: float) -> str:
        """All of it in one line; `share` of train is held out if there are no validation images."""
        used = (
            f"labels from {self.labels} ({self.num_classes} classes)",
            f"validation from {self.validation or f'{share:.0%} of train'}",
            f"test from {self.test or f'{TEST_SHARE:.0%} of train'}",
        )
        used_bits = "16 bits" if self.bits == 16 else f"the lower {self.bits} of 16 bits"
        grey = (f"{used_bits} of grey scaled to 8",) if self.bits else ()
        return ", ".join((*used, *grey, *(f"{phrase} left out" for phrase in self.left_out)))


def find(dataset: str, columns: Columns) -> Own:
    """A user's own dataset; raises DatasetError if there is no such folder or file, or its format is unknown."""
    try:
        root = Path(dataset).expanduser().resolve()
        found = root.is_dir() or root.is_file()
    except (OSError, RuntimeError, ValueError):  # a path that is too long or has an unknown user or a NUL
        found = False
    if not found:
        raise DatasetError(
            f"a dataset is one of {', '.join(DATASETS)} or a folder or file that exists; {dataset!r} is none of these"
        )
    try:
        str(root).encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"a dataset's path must be in UTF-8, which {printable(root)} is not: rename the folder"
        ) from error
    try:
        return Own(root, *find_files(root, columns), columns)
    except OSError as error:
        raise unreadable(root, error) from error


def unreadable(root: Path, error: OSError) -> DatasetError:
    """The error for a folder with an entry that cannot be read."""
    return DatasetError(f"{root} and everything below it must be readable: {error}")


def survey(dataset: str, columns: Columns) -> Survey | None:
    """How a user's own dataset is interpreted; None for a known dataset, which needs no interpretation."""
    own = find_own(dataset, columns)
    return survey_of(own) if own else None


def find_own(dataset: str, columns: Columns) -> Own | None:
    """A user's own dataset, None for a known one; raises DatasetError for columns of a known one."""
    if dataset not in DATASETS:
        return find(dataset, columns)
    if columns != AS_NAMED:
        raise DatasetError(
            f"--label and --image choose columns or fields of your own dataset, and {dataset} has none; leave them out"
        )
    return None


def survey_of(own: Own) -> Survey:
    """How a dataset is interpreted.

    Reads the labels of all parts and no image. Raises DatasetError for labels that cannot be trained on or tested.
    """
    classes = own.numbers
    others: tuple[Part, ...] = ("validation", "test")
    tables = [own.train, *(own.labelled(part)[0] for part in others if own.files.of(part))]
    imageless = sum((table.imageless for table in tables), Counter())
    return Survey(
        labels=own.train.labels_from,
        num_classes=len(classes),
        validation=own.files.validation_from or None,
        test=own.files.test_from or None,
        left_out=(*own.files.left_out, *LeftOut(samples=imageless).words()),
    )
