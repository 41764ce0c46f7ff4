"""Pictures that are nearly the same."""

import numpy as np
import pytest

from trainables.data import near
from trainables.data.duplicates import Copy
from trainables.data.images import Images
from trainables.data.near import MOST_DIFFERENCE, find_near


def images(pixels: np.ndarray) -> Images:
    return Images(pixels, np.zeros(len(pixels), np.int64), ("a", "b"))


def smooth(count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Images whose blocks are alike, so that thumbnails of many are candidates and few of them are near."""
    random = np.random.default_rng(seed)
    return (random.integers(100, 112, (count, 1, 1, 1)) + random.integers(-14, 15, (count, *shape))).astype(np.uint8)


@pytest.mark.parametrize("shape", [(3, 6, 5), (1, 2, 9)])
def test_they_are_all_pairs_whose_pixels_differ_little(shape) -> None:
    train, test = smooth(60, shape, 0), smooth(20, shape, 1)
    for place, change in ((3, 1), (4, 5), (5, 30), (6, 0)):
        test[place] = train[place + 10]
        test[place, 0] += change
    found = find_near({"train": images(train), "test": images(test)})
    both = np.concatenate((train, test)).astype(float)
    rms = np.sqrt(np.square(both[:, None] - both[None]).mean(axis=(2, 3, 4)))
    copies = [*(Copy("train", n) for n in range(60)), *(Copy("test", n) for n in range(20))]
    expected = {(copies[i], copies[j]) for i, j in np.argwhere((rms > 0) & (rms <= MOST_DIFFERENCE)) if i < j}
    assert found is not None and set(found) == expected
    assert found[0] == (Copy("train", 13), Copy("test", 3)), "the most alike comes first"
    assert (Copy("train", 14), Copy("test", 4)) in expected
    assert not {(Copy("train", 15), Copy("test", 5)), (Copy("train", 16), Copy("test", 6))} & expected


def test_where_all_look_alike_nothing_is_compared(monkeypatch) -> None:
    monkeypatch.setattr(near, "_MOST_PAIRS", 40)
    assert find_near({"train": images(np.full((20, 1, 4, 4), 7, np.uint8))}) is None
    assert find_near({"train": images(smooth(2, (1, 4, 4), 0) * np.array([[[[0]]], [[[1]]]], np.uint8))}) == ()
