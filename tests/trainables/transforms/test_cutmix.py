"""CutMix, held against torchvision's at the same rectangles."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import CutMix

from trainables.transforms.cutmix import cut_mix
from trainables.transforms.transform import Batch


def batch(n: int = 64) -> Batch:
    """Images of one value each, so that every pixel says which image it is of."""
    inputs = torch.linspace(-1, 1, n).view(n, 1, 1, 1).expand(n, 3, 12, 10).contiguous()
    return Batch(inputs.contiguous(memory_format=torch.channels_last), torch.arange(n) % 4, 4)


def rectangle(pasted: torch.Tensor) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is true in (H, W); all zero where nothing is."""
    rows, columns = pasted.any(1).nonzero().flatten(), pasted.any(0).nonzero().flatten()
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_each_image_and_label_is_cut_and_mixed_as_torchvision_does_it_to_a_batch() -> None:
    given = batch()
    result = cut_mix(given, 1.0, np.random.default_rng(3))
    theirs = CutMix(num_classes=4)
    for i in range(64):
        box = rectangle((result.inputs[i] != given.inputs[i]).all(0))
        area = (box[2] - box[0]) * (box[3] - box[1])
        params = {"labels": given.labels, "batch_size": 64, "box": box, "lam_adjusted": 1 - area / 120}
        assert torch.equal(result.inputs[i], theirs.transform(given.inputs, params)[i])
        torch.testing.assert_close(result.labels[i], theirs.transform(given.labels, params)[i])


@pytest.mark.parametrize("probability", [0.25, 0.5, 1.0])
def test_so_many_images_are_changed_and_the_others_keep_their_labels(probability: float) -> None:
    given = batch(4000)
    result = cut_mix(given, probability, np.random.default_rng(0))
    changed = (result.inputs != given.inputs).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(0.9 * probability, abs=0.1)  # small ones have no pixel
    assert (result.labels[~changed].max(1).values == 1).all()


def test_the_pasted_share_is_about_uniform_and_every_image_has_its_own() -> None:
    given = batch(4000)
    result = cut_mix(given, 1.0, np.random.default_rng(0))
    shares = (result.inputs != given.inputs)[:, 0].flatten(1).float().mean(1)
    assert 0.2 < shares.mean() < 0.35  # below a half, as rectangles are cut off at the borders
    assert shares.min() == 0 and shares.max() > 0.6 and len(shares.unique()) > 30


def test_labels_that_are_shares_already_are_mixed_too() -> None:
    once = cut_mix(batch(), 1.0, np.random.default_rng(0))
    twice = cut_mix(once, 1.0, np.random.default_rng(1))
    torch.testing.assert_close(twice.labels.sum(1), torch.ones(64))
    assert ((twice.labels > 0).sum(1) > 2).any()


def test_the_given_batch_stays_as_it_was_and_keeps_its_layout() -> None:
    given = batch()
    result = cut_mix(given, 1.0, np.random.default_rng(0))
    assert torch.equal(given.inputs, batch().inputs) and given.labels.dtype == torch.int64
    assert result.inputs.is_contiguous(memory_format=torch.channels_last)
