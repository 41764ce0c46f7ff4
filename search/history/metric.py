"""Metrics, by which trials are compared: their names, which of them are shown, and the majority-class baseline."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from search.readable import percent

ACCURACY, BALANCED = "accuracy", "balanced_accuracy"
METRICS = {ACCURACY: "val_accuracy", BALANCED: "val_balanced_accuracy"}
"""The field of a measurement that holds a metric's value, by the metric's name."""

UNEVEN = 1.5  # times an even share: if the largest class is larger, accuracy alone would mislead


@dataclass(frozen=True, kw_only=True)
class Guess:
    """The majority-class baseline on some images, in fractions of one: what guessing their largest class gives."""

    accuracy: float
    """The class's share of the images."""
    balanced_accuracy: float
    """One over the number of classes that occur: the share of each, if they were even."""

    @property
    def uneven(self) -> bool:
        """Whether the largest class is so large that accuracy alone would mislead."""
        return self.accuracy > UNEVEN * self.balanced_accuracy

    def line(self, metrics: Collection[str]) -> str:
        """A text with the values of the metrics that are shown."""
        balanced = f", or {percent(self.balanced_accuracy)} balanced accuracy" if BALANCED in metrics else ""
        return f"majority-class baseline: {percent(self.accuracy)}{balanced}"


def guess(labels: Iterable[int]) -> Guess:
    """The majority-class baseline on images with these labels, of which there is at least one."""
    counts = Counter(labels)
    return Guess(accuracy=max(counts.values()) / counts.total(), balanced_accuracy=1 / len(counts))


def shown(metric: str, found: Guess | None) -> tuple[str, ...]:
    """The metrics to show: the search's metric first; balanced accuracy beside accuracy only if classes are uneven.

    found: the majority-class baseline; None if it is not recorded.
    """
    if metric == ACCURACY and not (found and found.uneven):
        return (ACCURACY,)
    return (metric, *(each for each in METRICS if each != metric))


def words(metric: str) -> str:
    """A metric's name for people."""
    return metric.replace("_", " ")
