"""A search's images: found on disk when it begins, and found again, unchanged, when it continues."""

from pathlib import Path

from search.history.store import Request, Search
from trainables.data.find import find_own
from trainables.data.formats.format import Columns, Part
from trainables.data.images import DatasetError, Images, fingerprint
from trainables.data.known import DATASETS
from trainables.data.load import load, load_own
from trainables.data.own import Own
from trainables.data.split import subset


def part_images(request: Request, part: Part, own: Own | None = None, *, download: bool = True) -> Images:
    """All images of a part of the dataset, in its order. own: the user's dataset, if it has been found already.

    download: whether a known dataset that is not here is downloaded; otherwise it raises DatasetError.
    """
    if own is not None:
        return load_own(own, part, data_dir=Path(request.data_dir), image_size=request.image_size)
    return load(
        request.dataset,
        part,
        data_dir=Path(request.data_dir),
        image_size=request.image_size,
        columns=Columns(request.label, request.image),
        download=download,
    )


def own_dataset(request: Request) -> Own | None:
    """The user's own dataset of a request; None for a known one."""
    return find_own(request.dataset, Columns(request.label, request.image))


def training_images(request: Request, own: Own | None = None) -> Images:
    """Every image the search may train on, in the dataset's order; the test set is not read."""
    images = part_images(request, "train", own)
    if request.limit_train is not None:
        images = images.take(subset(images.labels, request.limit_train, request.seed))
    return images


def found_again(search: Search) -> Own | None:
    """A search's own dataset, None for a known one; raises DatasetError when it is gone."""
    place = search.request.dataset
    if place not in DATASETS and not Path(place).exists():
        raise DatasetError(
            f"the images of {search.name} were in {place}, which is not here: say with --dataset where they are now"
        )
    return own_dataset(search.request)


def unchanged_images(search: Search, own: Own | None) -> Images:
    """The images that the search trains on; raises DatasetError if they are not those that it began with."""
    return _unchanged(search, training_images(search.request, own), search.facts["data"]["fingerprint"])


def unchanged_validation(search: Search, own: Own | None) -> Images | None:
    """The images of the dataset's own validation part, None for a search that began without one.

    Raises DatasetError if they are not those that it began with.
    """
    expected = search.facts["data"].get("validation_fingerprint")
    return None if expected is None else _unchanged(search, part_images(search.request, "validation", own), expected)


def _unchanged(search: Search, images: Images, expected: str) -> Images:
    if fingerprint(images) != expected:
        raise DatasetError(
            f"the dataset {search.request.dataset} has changed since {search.name} began, or is another one (its "
            "fingerprint differs); restore it, say with --dataset where it is, or launch a new search"
        )
    return images
