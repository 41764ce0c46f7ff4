"""Built networks held against modules that were written by hand."""

import torch
from torch import nn


def assert_alike(built: nn.Module, by_hand: nn.Module) -> None:
    """The same weights in the same order give the same logits and gradients, in training and in evaluation."""
    torch.manual_seed(0)
    ours, theirs = list(built.parameters()), list(by_hand.parameters())
    assert [p.shape for p in ours] == [p.shape for p in theirs]
    with torch.no_grad():
        for mine, other in zip(ours, theirs, strict=True):
            mine.copy_(torch.rand_like(mine) - 0.5)
            other.copy_(mine)
    images = torch.rand(4, 3, 32, 32)
    for mode in (True, False):  # training first, so that evaluation has the running statistics of both
        logits, expected = built.train(mode)(images), by_hand.train(mode)(images)
        torch.testing.assert_close(logits, expected)
    logits.square().sum().backward()
    expected.square().sum().backward()
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-4)
