"""A user's own dataset before a picture is decoded: its files, and what they were taken for."""

from dataclasses import dataclass
from pathlib import Path

from trainables.data.formats import find_files
from trainables.data.formats.format import AS_NAMED, Columns, Part
from trainables.data.formats.listing import printable
from trainables.data.images import DatasetError
from trainables.data.known import DATASETS
from trainables.data.own import Own
from trainables.data.read import TEST_SHARE


@dataclass(frozen=True)
class Survey:
    """What a dataset's files were taken for."""

    labels: str
    """Where the labels come from."""
    num_classes: int
    """How many classes train has."""
    validation: str | None
    """Where the validation images lie; None where a share of train is held out."""
    test: str | None
    """Where the test images lie; None where a share of train is held out."""
    left_out: tuple[str, ...]
    """What is not used, in phrases."""
    bits: int | None = None
    """How many of the 16 bits of grey train uses, which are scaled to 8; None where no image has 16."""

    def line(self, share: float) -> str:
        """All of it in one line; `share` of train is held out where there are no validation images."""
        used = (
            f"labels from {self.labels} ({self.num_classes} classes)",
            f"validation from {self.validation or f'{share:.0%} of train'}",
            f"test from {self.test or f'{TEST_SHARE:.0%} of train'}",
        )
        used_bits = "16 bits" if self.bits == 16 else f"the lower {self.bits} of 16 bits"
        grey = (f"{used_bits} of grey scaled to 8",) if self.bits else ()
        return ", ".join((*used, *grey, *(f"{phrase} left out" for phrase in self.left_out)))


def find(dataset: str, columns: Columns) -> Own:
    """A user's own dataset; raises DatasetError if there is no such folder or file, or it is of no format."""
    try:
        root = Path(dataset).expanduser().resolve()
        found = root.is_dir() or root.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, a user who does not exist, a NUL
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
        return Own(root, *find_files(root), columns)
    except OSError as error:
        raise unreadable(root, error) from error


def unreadable(root: Path, error: OSError) -> DatasetError:
    """What is said of a folder with something in it that cannot be read."""
    return DatasetError(f"{root} and everything below it must be readable: {error}")


def survey(dataset: str, columns: Columns) -> Survey | None:
    """What a user's own dataset is taken for; None for a known dataset, which leaves nothing to guess."""
    own = find_own(dataset, columns)
    return survey_of(own) if own else None


def find_own(dataset: str, columns: Columns) -> Own | None:
    """A user's own dataset, None for a known one; raises DatasetError for columns of a dataset that has none."""
    if dataset not in DATASETS:
        return find(dataset, columns)
    if columns != AS_NAMED:
        raise DatasetError(f"--label and --image choose columns of your own Parquet files, and {dataset} has none")
    return None


def survey_of(own: Own) -> Survey:
    """What a dataset is taken for.

    Reads the labels of all parts and no picture. Raises DatasetError for labels that cannot be trained on or tested.
    """
    classes = own.numbers
    parts: tuple[Part, ...] = ("validation", "test")
    for part in parts:
        if own.files.of(part):
            own.labelled(part)
    return Survey(
        labels=own.train.labels_from,
        num_classes=len(classes),
        validation=own.files.validation_from or None,
        test=own.files.test_from or None,
        left_out=own.files.left_out,
    )
