"""Example images of a winner's most frequent mistakes, if they were looked up for the page."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from search.history.record import Run
from search.history.store import retrain_folder
from search.page.blocks import Pictures
from search.page.pictures import picture, shrunk
from search.page.view import UP_CLOSE, View, label
from search.readable import count, percent
from trainables.predictions import read_predictions

_MISTAKES = 8  # the most frequent ones of each winner
_EACH = 4  # images of each mistake


@dataclass(frozen=True, eq=False)
class Mistake:
    """Images of one class that are predicted as another class."""

    label: int
    """The number of the images' class."""
    predicted: int
    """The number of the predicted class."""
    images: np.ndarray
    """int64 (N,), their indices among the test images, the most confident mistake first."""


def mistakes(labels: np.ndarray, probabilities: np.ndarray) -> list[Mistake]:
    """The most frequent mistakes, most frequent first. labels: int (N,). probabilities: float (N, classes)."""
    predicted, sure = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != labels)
    pairs, places, numbers = np.unique(
        np.stack((labels[wrong], predicted[wrong]), 1), axis=0, return_inverse=True, return_counts=True
    )
    found = []
    for pair in np.argsort(-numbers, kind="stable")[:_MISTAKES]:
        images = wrong[places.ravel() == pair]
        found.append(
            Mistake(int(pairs[pair, 0]), int(pairs[pair, 1]), images[np.argsort(-sure[images], kind="stable")])
        )
    return found


def wanted(view: View) -> np.ndarray:
    """The indices of all test images that the page of a search would show: int64 (N,), each once."""
    found = [
        each.images[:_EACH]
        for run in view.winners[:UP_CLOSE]
        for each in mistakes(*read_predictions(retrain_folder(view.found.search.folder, run))[:2])
    ]
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)


def gallery(
    run: Run, labels: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...], pixels: Mapping[int, np.ndarray]
) -> Pictures:
    """The mistakes of a winner. pixels: uint8 (C, H, W) by index among the test images."""
    groups = []
    for each in mistakes(labels, probabilities):
        name, taken = classes[each.label], classes[each.predicted]
        pictures = tuple(
            picture(shrunk(pixels[int(i)]), f"test image {i}", percent(float(probabilities[i, each.predicted])))
            for i in each.images[:_EACH]
        )
        groups.append((f"{name} predicted as {taken}, {count(len(each.images), 'image')}", pictures))
    return Pictures(
        f"examples-{run.key[0]}-{run.key[1]}",
        f"Most frequent mistakes of {label(run)}",
        f"For each mistake, the test images with its highest probabilities for the wrong class, at most {_EACH}. A "
        "confident mistake may be a wrong label.",
        tuple(groups),
    )
