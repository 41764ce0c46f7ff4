"""Measures of predictions: accuracies with their intervals, cross-entropy, confusion, accuracy by class, ensembles."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from trainables.intervals import wilson as wilson
from trainables.intervals import wilson_of

MEMBERS = 20  # of an ensemble, at most; one that is in it twice counts as two


def balanced_accuracy(recognised: ArrayLike, images: ArrayLike) -> float:
    """Mean over the classes that occur of the share of their images classified correctly; counts (classes,)."""
    recognised, images = np.asarray(recognised), np.asarray(images)
    return float((recognised[images > 0] / images[images > 0]).mean())


def balanced_interval(recognised: ArrayLike, images: ArrayLike) -> tuple[float, float]:
    """The 95 % interval of a balanced accuracy; counts (classes,). For one class it is Wilson's interval.

    A balanced accuracy is a share that is estimated by strata, so this is Wilson's interval for the number of images
    that would give a plain share the same variance (as Franco, Little, Louis and Slud 2019 recommend in "Comparative
    study of confidence intervals for proportions in complex sample surveys"). For that variance each class's share is
    moved a little towards a half; otherwise a class whose images were all classified correctly would have none.
    """
    recognised, images = (np.asarray(counts)[np.asarray(images) > 0] for counts in (recognised, images))
    smoothed = (recognised + 0.5) / (images + 1)
    share, variance = smoothed.mean(), (smoothed * (1 - smoothed) / images).sum() / len(images) ** 2
    return wilson_of(balanced_accuracy(recognised, images), share * (1 - share) / variance)


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log probability of the label, in nats; probabilities (N, classes)."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(chosen, np.finfo(np.float32).tiny, None)).mean())


def confusion(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts (classes, classes): row the label, column the prediction."""
    return np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_accuracies(matrix: np.ndarray) -> np.ndarray:
    """Share of each class's images classified correctly, from a confusion matrix; NaN for a class without images."""
    totals = matrix.sum(axis=1)
    return np.divide(matrix.diagonal(), totals, out=np.full(len(matrix), np.nan), where=totals > 0)


def ensemble(probabilities: list[np.ndarray], weights: Sequence[float] | None = None) -> np.ndarray:
    """The mean of several networks' probabilities (N, classes) for the same images, by weight if there are weights."""
    return np.average(np.stack(probabilities), axis=0, weights=weights)


def ensemble_weights(probabilities: list[np.ndarray], labels: np.ndarray, *, balanced: bool = False) -> list[float]:
    """The weights of networks in an ensemble, which add up to one; all equal unless others are better.

    Others are found by forward selection with replacement (Caruana, Niculescu-Mizil, Crew, Ksikes 2004, "Ensemble
    selection from libraries of models"): each step adds the member with which the mean's cross-entropy is lowest, and
    the best of all these sets is taken. It replaces equal weights if it classifies more images correctly, by at least a
    standard error of the difference, as a smaller gain may be chance, or if both classify exactly the same images
    correctly, so that only the loss tells them apart. probabilities (N, classes) of each network and labels (N,) are of
    images that none of them was trained on. balanced: whether each class that occurs counts the same.
    """
    importance = 1 / np.bincount(labels)[labels] if balanced else np.ones(len(labels))
    selected, equal = _selected(probabilities, labels, importance), np.full(len(probabilities), 1 / len(probabilities))
    ours, theirs = (ensemble(probabilities, each.tolist()).argmax(1) == labels for each in (selected, equal))
    gains = (ours.astype(np.float64) - theirs) * importance
    best = selected if gains.mean() >= gains.std() / sqrt(len(labels)) else equal
    return [float(each) for each in best]


def _selected(probabilities: list[np.ndarray], labels: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """The weights of forward selection; importance (N,) of each image in the loss."""
    chosen = [probability[np.arange(len(labels)), labels].astype(np.float64) for probability in probabilities]
    counts, total = np.zeros(len(chosen)), np.zeros(len(labels))
    best, lowest = counts, np.inf
    for size in range(1, MEMBERS + 1):
        tried = [-np.log(np.clip((total + each) / size, np.finfo(np.float32).tiny, None)) for each in chosen]
        losses = [np.average(each, weights=importance) for each in tried]
        added = int(np.argmin(losses))
        counts[added] += 1
        total += chosen[added]
        if losses[added] < lowest:
            best, lowest = counts / size, losses[added]
    return best
