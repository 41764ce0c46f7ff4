"""Mixup, held against torchvision's at the same shares."""

import numpy as np
import pytest
import torch
from scipy.stats import beta, kstest
from torchvision.transforms.v2 import MixUp

from trainables.transforms.mixup import mix_up
from trainables.transforms.transform import Batch


def batch(n: int = 64) -> Batch:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand(n, 3, 6, 5, generator=generator) * 2 - 1
    return Batch(inputs.contiguous(memory_format=torch.channels_last), torch.arange(n) % 4, 4)


def drawn(alpha: float, n: int, seed: int = 0) -> torch.Tensor:
    """The shares that a stream of this seed gives, on images and labels that show them."""
    inputs = torch.arange(n).remainder(2).float().view(n, 1, 1, 1)
    mixed = mix_up(Batch(inputs, inputs.flatten().long(), 2), alpha, np.random.default_rng(seed))
    own = mixed.labels[torch.arange(n), inputs.flatten().long()]
    assert torch.allclose(mixed.inputs.flatten(), torch.where(inputs.flatten() == 1, own, 1 - own), atol=1e-6)
    return own


def test_each_image_and_label_is_mixed_as_torchvision_mixes_a_batch() -> None:
    given = batch()
    result = mix_up(given, 0.4, np.random.default_rng(3))
    shares = drawn(0.4, len(given.labels), seed=3)
    theirs = MixUp(num_classes=4)
    for i, share in enumerate(shares.tolist()):
        params = {"labels": given.labels, "batch_size": len(shares), "lam": share}
        torch.testing.assert_close(result.inputs[i], theirs.transform(given.inputs, params)[i])
        torch.testing.assert_close(result.labels[i], theirs.transform(given.labels, params)[i])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_an_images_own_share_is_from_the_beta_distribution(alpha: float) -> None:
    assert kstest(drawn(alpha, 4000).numpy(), beta(alpha, alpha).cdf).pvalue > 0.01


def test_labels_become_shares_of_each_class_that_sum_to_one() -> None:
    labels = mix_up(batch(), 1.0, np.random.default_rng(0)).labels
    assert labels.shape == (64, 4) and labels.dtype == torch.float32
    torch.testing.assert_close(labels.sum(1), torch.ones(64))
    assert ((labels > 0).sum(1) == 2).float().mean() > 0.95


def test_labels_that_are_shares_already_are_mixed_too() -> None:
    first, second = (mix_up(batch(), 1.0, np.random.default_rng(seed)) for seed in (0, 1))
    again = mix_up(first, 1.0, np.random.default_rng(1))
    assert torch.allclose(again.labels.sum(1), torch.ones(64)) and not torch.equal(again.labels, second.labels)


def test_the_given_batch_stays_as_it_was_and_keeps_its_layout() -> None:
    given = batch()
    result = mix_up(given, 1.0, np.random.default_rng(0))
    assert torch.equal(given.inputs, batch().inputs) and given.labels.dtype == torch.int64
    assert result.inputs.is_contiguous(memory_format=torch.channels_last)
