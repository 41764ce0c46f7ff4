"""The weights that a training begins with."""

import pytest
import torch
from torch import nn

from architectures.build import build
from architectures.checks import INITIALISATIONS
from architectures.families import FAMILIES
from architectures.initialise import initialise

SHAPE = (3, 32, 32)


def made(how: str | None) -> nn.Module:
    torch.manual_seed(3)
    module = build(FAMILIES["cnn8"](), SHAPE, 10)
    if how is not None:
        initialise(module, how)
    return module


def test_torchs_own_initialisation_changes_nothing_and_draws_nothing() -> None:
    before = made(None).state_dict()
    drawn = torch.rand(1)
    assert all(torch.equal(before[name], value) for name, value in made("torch").state_dict().items())
    assert torch.equal(drawn, torch.rand(1))


def test_kaiming_draws_weights_by_their_number_of_inputs_and_sets_biases_to_zero() -> None:
    layers = [part for part in made("kaiming").modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    assert layers
    for layer in layers:
        inputs = layer.weight[0].numel()
        if layer.weight.numel() > 10_000:
            assert layer.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.05)
        assert layer.bias is not None and not layer.bias.any()


def test_kaiming_is_the_same_for_the_same_seed() -> None:
    assert all(
        torch.equal(a, b) for a, b in zip(made("kaiming").parameters(), made("kaiming").parameters(), strict=True)
    )


def test_another_name_is_refused_with_the_known_ones() -> None:
    assert INITIALISATIONS == ("torch", "kaiming")
    with pytest.raises(ValueError, match=r"unknown initialisation 'zeros'; known: torch, kaiming"):
        initialise(nn.Linear(2, 2), "zeros")
