"""Cutout, held against torchvision's erasing on photographs."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision.transforms.v2.functional import erase

from trainables.transforms.cutout import cut_out
from trainables.transforms.transform import Batch


@pytest.fixture(scope="module")
def batch() -> Batch:
    photograph = torch.from_numpy(np.array(load_sample_images().images[0])).permute(2, 0, 1)
    tiles = photograph.unfold(1, 24, 24).unfold(2, 32, 32).permute(1, 2, 0, 3, 4).flatten(0, 1)[:200]
    return Batch(tiles / 127.5 - 1.001, torch.arange(200) % 7, 7)  # no pixel is 0


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def rectangle(changed: Tensor) -> tuple[int, int, int, int]:
    """Top, left, height and width of what is true in (H, W)."""
    rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
    return int(rows[0]), int(columns[0]), len(rows), len(columns)


@pytest.mark.parametrize("side", [1, 8, 9, 24])
def test_a_rectangle_of_each_image_is_erased_as_torchvision_erases_it(batch: Batch, side: int) -> None:
    result = cut_out(batch, side, stream())
    assert torch.equal(result.labels, batch.labels)
    for before, after in zip(batch.inputs, result.inputs, strict=True):
        place = rectangle((before != after).any(0))
        assert max(place[2:]) <= side
        assert torch.equal(after, erase(before, *place, torch.zeros(3, 1, 1)))


def test_squares_are_whole_inside_and_cut_at_the_borders(batch: Batch) -> None:
    places = [rectangle(p) for p in (cut_out(batch, 8, stream()).inputs == 0).all(1)]
    inside = [p for p in places if p[0] > 0 and p[0] + p[2] < 24 and p[1] > 0 and p[1] + p[3] < 32]
    assert {p[2:] for p in inside} == {(8, 8)}
    assert min(p[2] for p in places) == 4 and min(p[3] for p in places) == 4


def test_each_image_has_its_own_square_and_every_pixel_may_be_its_centre(batch: Batch) -> None:
    inputs = torch.ones(6000, 1, 5, 4)
    holes = cut_out(Batch(inputs, torch.zeros(6000, dtype=torch.int64), 2), 1, stream()).inputs == 0
    assert (holes.flatten(1).sum(1) == 1).all()
    assert holes.flatten(1).sum(0).min() > 6000 / 20 * 0.8


def test_the_given_batch_stays_as_it_was_and_keeps_its_layout(batch: Batch) -> None:
    inputs = batch.inputs.contiguous(memory_format=torch.channels_last)
    before = inputs.clone()
    result = cut_out(Batch(inputs, batch.labels, 7), 8, stream())
    assert torch.equal(inputs, before)
    assert result.inputs.is_contiguous(memory_format=torch.channels_last)
