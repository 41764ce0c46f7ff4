"""Shares of a labelled dataset: complete, disjoint, stratified, and a function of the seed alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.data.images import DatasetError
from trainables.data.split import fold, split, subset

seeds = st.integers(0, 2**63 - 1)


@st.composite
def labelled(draw: st.DrawFn) -> np.ndarray:
    """Shuffled labels of one to eight classes with 1..40 images each; not every class number need occur."""
    counts = draw(st.dictionaries(st.integers(0, 20), st.integers(1, 40), min_size=1, max_size=8))
    labels = np.repeat(np.array(list(counts), dtype=np.int64), list(counts.values()))
    return np.random.default_rng(draw(st.integers(0, 9))).permutation(labels)


def counts_of(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    return np.array([(labels == label).sum() for label in classes])


@given(labels=labelled(), share=st.floats(0.01, 0.99), seed=seeds)
def test_split_is_complete_disjoint_and_within_one_image_of_the_share(
    labels: np.ndarray, share: float, seed: int
) -> None:
    classes, counts = np.unique(labels, return_counts=True)
    if counts.max() == 1:
        with pytest.raises(DatasetError, match="two images"):
            split(labels, share, seed)
        return
    train, validation = split(labels, share, seed)
    assert np.array_equal(np.sort(np.concatenate([train, validation])), np.arange(len(labels)))
    assert np.array_equal(train, np.sort(train)) and np.array_equal(validation, np.sort(validation))
    taken = counts_of(labels[validation], classes)
    assert (np.abs(taken - share * counts) <= 1).all()
    assert (taken < counts).all()
    assert len(validation) >= 1


@given(labels=labelled(), seed=seeds, data=st.data())
def test_a_subset_has_exactly_the_asked_size_and_every_class(
    labels: np.ndarray, seed: int, data: st.DataObject
) -> None:
    classes, counts = np.unique(labels, return_counts=True)
    size = data.draw(st.integers(len(classes), len(labels)))
    chosen = subset(labels, size, seed)
    assert len(chosen) == len(set(chosen.tolist())) == size
    assert np.array_equal(chosen, np.sort(chosen))
    taken = counts_of(labels[chosen], classes)
    assert (taken >= 1).all() and (taken <= counts).all()
    exact = counts * size / len(labels)
    if (exact >= 1).all():
        assert (np.abs(taken - exact) < 1).all()


@given(labels=labelled(), seed=seeds)
def test_the_same_seed_draws_the_same_images(labels: np.ndarray, seed: int) -> None:
    size = len(np.unique(labels))
    assert np.array_equal(subset(labels, size, seed), subset(labels.copy(), size, seed))


def test_another_seed_draws_other_images() -> None:
    labels = np.repeat(np.arange(4), 50)
    assert not np.array_equal(subset(labels, 40, 1), subset(labels, 40, 2))
    assert not np.array_equal(split(labels, 0.2, 1)[1], split(labels, 0.2, 2)[1])


def test_equal_classes_give_equal_shares() -> None:
    labels = np.repeat(np.arange(10), 500)
    assert (np.bincount(labels[split(labels, 0.29, 3)[1]]) == 145).all()
    assert (np.bincount(labels[subset(labels, 1000, 3)]) == 100).all()


def test_the_draw_is_the_same_on_every_machine_and_day() -> None:
    labels = np.repeat(np.arange(3), [5, 7, 9])
    assert split(labels, 0.25, 7)[1].tolist() == [2, 5, 10, 14, 15]
    assert subset(labels, 6, 7).tolist() == [2, 5, 10, 14, 15, 20]


def test_small_classes_keep_one_image_at_the_cost_of_large_ones() -> None:
    labels = np.repeat(np.arange(5), [1, 1, 1, 1, 96])
    assert np.bincount(labels[subset(labels, 6, 0)]).tolist() == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("size", [2, 22, 0, -1])
def test_an_impossible_subset_is_refused_with_what_is_possible(size: int) -> None:
    with pytest.raises(DatasetError, match=f"here 3 to 21, not {size}$"):
        subset(np.repeat(np.arange(3), 7), size, 0)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_a_share_outside_zero_and_one_is_refused(share: float) -> None:
    with pytest.raises(DatasetError, match="between 0 and 1"):
        split(np.repeat(np.arange(3), 7), share, 0)


@given(labels=labelled(), of=st.integers(2, 5), seed=seeds)
def test_every_image_is_left_out_of_one_fold_and_every_class_of_each(labels: np.ndarray, of: int, seed: int) -> None:
    labels = np.concatenate([labels] * of)  # so many of each class at least
    found = [fold(labels, number, of, seed) for number in range(1, of + 1)]
    assert np.array_equal(np.sort(np.concatenate([left_out for _, left_out in found])), np.arange(len(labels)))
    assert max(len(left_out) for _, left_out in found) - min(len(left_out) for _, left_out in found) <= 1
    for others, left_out in found:
        assert np.array_equal(np.sort(np.concatenate([others, left_out])), np.arange(len(labels)))
        for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
            assert count // of <= (labels[left_out] == label).sum() <= -(-count // of)


def test_more_folds_than_the_smallest_class_has_images_are_refused() -> None:
    with pytest.raises(DatasetError, match="folds cannot exceed the size of the smallest class: 2, got 3"):
        fold(np.repeat(np.arange(2), (9, 2)), 1, 3, 0)
