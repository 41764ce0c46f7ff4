"""A user's own dataset before a picture is decoded: its files, and what they were taken for."""

from dataclasses import dataclass
from pathlib import Path

from trainables.data.formats import find_files
from trainables.data.formats.format import Columns, Files, Format
from trainables.data.formats.listing import printable
from trainables.data.images import DatasetError
from trainables.data.known import DATASETS
from trainables.data.read import TEST_SHARE, number_classes, read_labels


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

    def line(self, share: float) -> str:
        """All of it in one line; `share` of train is held out where there are no validation images."""
        used = (
            f"labels from {self.labels} ({self.num_classes} classes)",
            f"validation from {self.validation or f'{share:.0%} of train'}",
            f"test from {self.test or f'{TEST_SHARE:.0%} of train'}",
        )
        return ", ".join((*used, *(f"{phrase} left out" for phrase in self.left_out)))


def find(dataset: str) -> tuple[Path, Format, Files]:
    """The folder of a dataset, its format and its files; raises DatasetError if there is no such folder or dataset."""
    try:
        root = Path(dataset).expanduser().resolve()
        found = root.is_dir()
    except (OSError, RuntimeError, ValueError):  # too long, a user who does not exist, a NUL
        found = False
    if not found:
        raise DatasetError(f"a dataset is one of {', '.join(DATASETS)} or a folder that exists; {dataset!r} is neither")
    try:
        str(root).encode()
    except UnicodeEncodeError as error:
        raise DatasetError(
            f"a dataset's path must be in UTF-8, which {printable(root)} is not: rename the folder"
        ) from error
    try:
        return root, *find_files(root)
    except OSError as error:
        raise unreadable(root, error) from error


def unreadable(root: Path, error: OSError) -> DatasetError:
    """What is said of a folder with something in it that cannot be read."""
    return DatasetError(f"{root} and everything below it must be readable: {error}")


def survey(dataset: str, columns: Columns) -> Survey | None:
    """What a folder of images was taken for; None for a known dataset, which leaves nothing to guess.

    Reads the labels of all parts and no picture. Raises DatasetError for labels that cannot be trained on or tested.
    """
    if dataset in DATASETS:
        if columns.label or columns.image:
            raise DatasetError(f"--label and --image choose columns of your own Parquet files, and {dataset} has none")
        return None
    root, of, files = find(dataset)
    train = of.open(files.train, columns)
    classes = number_classes(train, root)
    if files.validation:
        read_labels(root, of, files, "validation", columns, train)
    if files.test:
        read_labels(root, of, files, "test", columns, train)
    return Survey(
        labels=f"column '{train.label_column}'" if train.label_column else "folder names",
        num_classes=len(classes),
        validation=files.validation_from or None,
        test=files.test_from or None,
        left_out=files.left_out,
    )
