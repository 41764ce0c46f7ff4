"""What predictions say, against published figures, scikit-learn and torch."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from trainables.metrics import (
    balanced_accuracy,
    balanced_interval,
    class_accuracies,
    confusion,
    cross_entropy,
    ensemble,
    ensemble_weights,
    wilson,
)

labelled = st.integers(2, 6).flatmap(
    lambda classes: st.tuples(
        st.just(classes),
        st.lists(st.tuples(*[st.integers(0, classes - 1)] * 2), min_size=1, max_size=60),
    )
)


@pytest.mark.parametrize(
    ("correct", "interval"),
    # Report 5; its intervals are the normal approximation's, which differ by less than half a unit in the last digit.
    [(5352, (0.5254, 0.5450)), (4460, (0.4363, 0.4557)), (10_000 - 1197, (1 - 0.1262, 1 - 0.1134))],
)
def test_the_interval_is_the_published_one_at_ten_thousand_images(correct: int, interval: tuple[float, float]) -> None:
    assert wilson(correct, 10_000) == pytest.approx(interval, abs=1.5e-4)


def test_the_published_interval_of_an_error_is_that_of_its_accuracy_mirrored() -> None:
    low, high = wilson(8803, 10_000)
    assert (round(1 - high, 3), round(1 - low, 3)) == (0.113, 0.126)
    assert wilson(1197, 10_000) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("correct", "total", "interval"),
    # z² / (n + z²) at the edges; 8 of 10 from Wilson's formula by hand.
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (0, 1, (0.0, 0.7935)), (8, 10, (0.4902, 0.9433))],
)
def test_the_interval_holds_at_the_edges_and_for_few_images(
    correct: int, total: int, interval: tuple[float, float]
) -> None:
    assert wilson(correct, total) == pytest.approx(interval, abs=1e-4)


@given(data=st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_lies_in_zero_to_one_around_the_share(data: tuple[int, int]) -> None:
    correct, total = data
    low, high = wilson(correct, total)
    assert 0 <= low <= correct / total <= high <= 1
    assert low < high


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_an_impossible_count_is_refused_with_its_value(correct: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"got {correct} of {total}"):
        wilson(correct, total)


@given(data=labelled)
def test_confusion_is_scikit_learns_with_the_label_in_the_row(data: tuple[int, list[tuple[int, int]]]) -> None:
    classes, pairs = data
    labels, predicted = np.array(pairs, dtype=np.int64).T
    matrix = confusion(labels, predicted, classes)
    assert np.array_equal(matrix, confusion_matrix(labels, predicted, labels=range(classes)))


def test_class_accuracies_are_shares_of_each_class_and_nan_without_images() -> None:
    matrix = np.array([[3, 1, 0], [0, 0, 0], [2, 0, 0]])
    assert class_accuracies(matrix) == pytest.approx([0.75, np.nan, 0.0], nan_ok=True)


def test_an_ensemble_is_the_mean_of_probabilities() -> None:
    first, second = np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([[0.2, 0.8], [0.5, 0.5]])
    assert ensemble([first, second]) == pytest.approx(np.array([[0.55, 0.45], [0.5, 0.5]]))
    assert np.array_equal(ensemble([first]), first)


@given(seed=st.integers(0, 99))
def test_cross_entropy_is_torchs(seed: int) -> None:
    logits = torch.randn(20, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 5
    labels = torch.arange(20) % 7
    expected = torch.nn.functional.cross_entropy(logits, labels).item()
    assert cross_entropy(logits.softmax(1).numpy(), labels.numpy()) == pytest.approx(expected)


def test_cross_entropy_of_an_impossible_label_is_large_and_finite() -> None:
    assert 80 < cross_entropy(np.array([[1.0, 0.0]], dtype=np.float32), np.array([1])) < 100


@given(data=labelled)
def test_balanced_accuracy_is_scikit_learns(data: tuple[int, list[tuple[int, int]]]) -> None:
    classes, pairs = data
    labels, predicted = np.array(pairs, dtype=np.int64).T
    matrix = confusion(labels, predicted, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted and do not occur
        expected = balanced_accuracy_score(labels, predicted)
    assert balanced_accuracy(matrix.diagonal(), matrix.sum(axis=1)) == pytest.approx(expected)


@given(data=st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_balanced_interval_of_one_class_is_that_class_s(data: tuple[int, int]) -> None:
    recognised, images = data
    assert balanced_interval([recognised, 0], [images, 0]) == pytest.approx(wilson(recognised, images))


@given(
    counts=st.lists(st.integers(0, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=1).filter(
        lambda counts: any(of for _, of in counts)
    )
)
def test_the_balanced_interval_lies_in_zero_to_one_around_the_value(counts: list[tuple[int, int]]) -> None:
    recognised, images = zip(*counts, strict=True)
    low, high = balanced_interval(recognised, images)
    assert 0 <= low <= balanced_accuracy(recognised, images) <= high <= 1
    assert low < high


@pytest.mark.parametrize(
    ("sizes", "shares"),
    [
        ([800, 100, 100], [0.9, 0.5, 0.7]),
        ([1000, 20, 5, 5], [0.95, 0.6, 0.3, 0.9]),
        ([30] * 10, [0.98] * 10),
        ([10] * 100, [0.95] * 100),
        ([200, 200], [0.999, 0.999]),
    ],
)
def test_the_balanced_interval_covers_the_truth_about_as_often_as_it_says(
    sizes: list[int], shares: list[float]
) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.binomial(sizes, shares, size=(1000, len(sizes)))
    intervals = np.array([balanced_interval(recognised, sizes) for recognised in drawn])
    covered = (intervals[:, 0] <= np.mean(shares)) & (np.mean(shares) <= intervals[:, 1])
    assert covered.mean() > 0.93  # of 1000, three standard deviations below 0.95


def predictions_of(labels: np.ndarray, *, right: float, seed: int, sure: float = 0.64) -> np.ndarray:
    """Predictions (N, 10) that name the label in that share of the images, and another class in the rest."""
    rng = np.random.default_rng(seed)
    named = np.where(rng.random(len(labels)) < right, labels, (labels + rng.integers(1, 10, len(labels))) % 10)
    rest = (1 - sure) / 9
    return np.eye(10)[named] * (sure - rest) + rest


def test_members_that_help_are_weighed_and_one_that_harms_is_left_out() -> None:
    labels = np.arange(2000) % 10
    good, other = (predictions_of(labels, right=0.8, seed=seed) for seed in (0, 1))
    weak = predictions_of(labels, right=0.12, seed=2, sure=0.9)
    weights = ensemble_weights([weak, good, other], labels)
    assert weights[0] == 0 and sum(weights) == pytest.approx(1)
    assert 0.3 < weights[1] < 0.7 and 0.3 < weights[2] < 0.7
    right = [(ensemble([weak, good, other], each).argmax(1) == labels).mean() for each in (weights, None)]
    assert right[0] > right[1] + 0.03


def test_weights_that_are_no_better_than_equal_ones_beyond_chance_are_equal() -> None:
    labels = np.arange(2000) % 10
    alike = [predictions_of(labels, right=0.7, seed=seed, sure=sure) for seed, sure in enumerate((0.5, 0.64, 0.8))]
    assert ensemble_weights(alike, labels) == pytest.approx([1 / 3] * 3)


def test_where_no_image_tells_weights_apart_the_loss_does() -> None:
    labels = np.arange(500) % 10
    best = np.eye(10)[labels] * 0.9 + 0.01
    assert ensemble_weights([predictions_of(labels, right=0.3, seed=0), best], labels) == [0.0, 1.0]


def test_balanced_weights_go_by_classes_and_not_by_images() -> None:
    labels = np.repeat([0, 1], (900, 100))
    of_many, of_few = np.tile([0.95, 0.05], (1000, 1)), np.tile([0.05, 0.95], (1000, 1))
    assert ensemble_weights([of_many, of_few], labels)[0] > 0.8
    assert ensemble_weights([of_many, of_few], labels, balanced=True) == pytest.approx([0.5, 0.5])


def test_equal_weights_are_the_mean() -> None:
    found = [predictions_of(np.arange(50) % 10, right=0.5, seed=seed) for seed in range(3)]
    np.testing.assert_array_equal(ensemble(found), np.mean(np.stack(found), axis=0))
