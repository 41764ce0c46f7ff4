"""Measures of predictions: accuracy's interval, cross-entropy, confusion, accuracy by class, ensembles."""

from math import sqrt

import numpy as np

Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson(correct: int, total: int, z: float = Z95) -> tuple[float, float]:
    """The 95 % interval of a share `correct / total` (Wilson 1927), which is right at 0, at 1 and for few images too.

    z: the normal distribution's point. Raises ValueError for counts that are not 0 <= correct <= total, total >= 1.
    """
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"needs 0 <= correct <= total and total >= 1, got {correct} of {total}")
    share = correct / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    # At 0 and 1 rounding could leave the share outside the interval.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative log probability of the label, in nats; probabilities (N, classes)."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(chosen, np.finfo(np.float32).tiny, None)).mean())


def confusion(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts (classes, classes): row the label, column the prediction."""
    return np.bincount(labels * num_classes + predicted, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_accuracies(matrix: np.ndarray) -> np.ndarray:
    """Share of each class's images that were recognised, from a confusion matrix; NaN for a class without images."""
    totals = matrix.sum(axis=1)
    return np.divide(matrix.diagonal(), totals, out=np.full(len(matrix), np.nan), where=totals > 0)


def ensemble(probabilities: list[np.ndarray]) -> np.ndarray:
    """The mean of several networks' probabilities (N, classes) for the same images."""
    return np.mean(np.stack(probabilities), axis=0)
