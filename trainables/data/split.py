"""Stratified shares of a labelled dataset, which depend on the labels and the seed alone."""

import numpy as np

from trainables.data.images import DatasetError


def subset(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """The sorted indices of `size` images, drawn so that each class keeps its share (largest remainder).

    A class's count is its exact share rounded down or up, and never zero: if many classes are so small that
    this takes more than `size`, the others get fewer. Raises DatasetError if `size` is less than the number of classes
    or more than the number of images.
    """
    members = _members(labels)
    counts = np.array([len(indices) for indices in members])
    total = int(counts.sum())
    if not len(members) <= size <= total:
        raise DatasetError(
            f"a subset takes at least one image of each class and at most all of them, "
            f"here {len(members)} to {total}, not {size}"
        )
    taken = np.maximum(counts * size // total, 1)
    # In units of 1 / total, so that everything is an integer and equal remainders are equal.
    while taken.sum() < size:
        taken[np.argmax(counts * size - taken * total)] += 1
    while taken.sum() > size:
        surplus = np.where(taken > 1, taken * total - counts * size, np.iinfo(np.int64).min)
        taken[np.argmax(surplus)] -= 1
    return _draw(members, taken, seed)


def split(labels: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorted (train indices, validation indices); validation takes `share` of each class, within one image.

    Each class keeps at least one image on the train side, and validation gets at least one image in all. Raises
    DatasetError if `share` is not inside (0, 1), or if no class has two images.
    """
    if not 0 < share < 1:
        raise DatasetError(f"the share that is split off must lie between 0 and 1, both excluded, not {share}")
    members = _members(labels)
    counts = np.array([len(indices) for indices in members], dtype=np.int64)
    if not (counts > 1).any():
        raise DatasetError(f"a split needs a class with at least two images; the largest of {len(members)} has fewer")
    exact = counts * share
    taken = np.minimum(np.floor(exact).astype(np.int64), counts - 1)
    remainder = np.where(taken < counts - 1, exact - taken, 0)
    missing = max(round(share * len(labels)), 1) - int(taken.sum())
    order = np.argsort(-remainder, kind="stable")[: max(missing, 0)]
    taken[order[remainder[order] > 0]] += 1
    validation = _draw(members, taken, seed)
    return np.setdiff1d(np.arange(len(labels)), validation, assume_unique=True), validation


def fold(labels: np.ndarray, number: int, of: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Sorted (train indices, indices left out) of a fold, numbered from 1; every image is left out in one of them.

    Each class is spread over the folds as evenly as possible. Raises DatasetError if a class that occurs has fewer
    images than there are folds.
    """
    members = _members(labels)
    smallest = min(map(len, members))
    if smallest < of:
        raise DatasetError(f"folds cannot exceed the size of the smallest class: {smallest}, got {of}")
    generator = np.random.Generator(np.random.PCG64(seed))
    dealt = np.concatenate([generator.permutation(indices) for indices in members])
    left_out = np.sort(dealt[number - 1 :: of])
    return np.setdiff1d(np.arange(len(labels)), left_out, assume_unique=True), left_out


def _members(labels: np.ndarray) -> list[np.ndarray]:
    """Indices of each class that occurs, ascending, in the order of the labels."""
    order = np.argsort(labels, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(order) else []


def _draw(members: list[np.ndarray], counts: np.ndarray, seed: int) -> np.ndarray:
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = [generator.permutation(indices)[:count] for indices, count in zip(members, counts, strict=True)]
    return np.sort(np.concatenate(drawn))
