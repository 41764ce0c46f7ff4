"""Counts, colours and average images."""

import numpy as np
import pytest

from trainables.data import statistics as module
from trainables.data.images import Images
from trainables.data.statistics import statistics


@pytest.mark.parametrize("block", [1, 1 << 25])
def test_they_are_those_of_all_pixels_whatever_the_blocks(monkeypatch, block) -> None:
    monkeypatch.setattr(module, "_BLOCK_BYTES", block)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 3, 4, 5), dtype=np.uint8)
    labels = np.arange(40) % 3
    heard: list[tuple[int, int]] = []
    found = statistics(Images(pixels, labels, ("a", "b", "c", "none")), lambda *done: heard.append(done))
    assert found.counts.tolist() == [14, 13, 13, 0]
    np.testing.assert_allclose(found.mean, pixels.mean(axis=(0, 2, 3)) / 255)
    np.testing.assert_allclose(found.deviation, pixels.std(axis=(0, 2, 3)) / 255)
    for label in range(3):
        own = pixels[labels == label]
        np.testing.assert_allclose(found.class_means[label], own.mean(axis=(0, 2, 3)) / 255)
        np.testing.assert_allclose(found.averages[label], own.mean(axis=0), atol=0.5)
    assert np.isnan(found.class_means[3]).all() and not found.averages[3].any()
    assert heard[-1] == (40, 40)


def test_one_colour_has_no_deviation() -> None:
    found = statistics(Images(np.full((5, 1, 2, 2), 51, np.uint8), np.array([0, 0, 0, 1, 1]), ("a", "b")))
    assert found.mean.tolist() == [pytest.approx(0.2)] and found.deviation.tolist() == [pytest.approx(0)]
