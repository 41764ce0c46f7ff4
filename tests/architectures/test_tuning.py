"""Parameters that are trained in a way of their own."""

import pytest
import torch
from torch import nn

from architectures.blocks import Dense, Head, Network, Residual, Tuned, Unit
from architectures.build import FrozenNorm, build
from architectures.families import FAMILIES
from architectures.families.published import PUBLISHED
from architectures.layers import frozen
from architectures.tuning import Tuning, tunings

SHAPE = (3, 8, 8)


@pytest.mark.parametrize("name", [*PUBLISHED, "resnet", "resnet9", "model2", "mlp"])
def test_an_ordinary_network_has_no_parameter_that_is_tuned(name: str) -> None:
    network = FAMILIES[name]()
    assert tunings(network, build(network, (3, 32, 32), 10), (3, 32, 32), 10) == {}


def test_a_module_of_a_users_own_has_none_either() -> None:
    module = nn.Linear(2, 2)
    assert tunings(module, module, SHAPE, 2) == {}


def test_a_penalty_is_on_weights_and_not_on_biases_and_norms() -> None:
    network = Network(blocks=(Unit(channels=4, norm=True, l2=0.1),), head=Head(hidden=(Dense(width=5, l2=0.2),)))
    module = build(network, SHAPE, 2)
    names = {parameter: name for name, parameter in module.named_parameters()}
    found = {names[parameter]: tuning for parameter, tuning in tunings(network, module, SHAPE, 2).items()}
    assert found == {"0.weight": Tuning(l2=0.1), "4.weight": Tuning(l2=0.2)}


def test_a_factor_is_on_everything_in_the_block_also_behind_sums() -> None:
    block = Residual(body=(Unit(channels=4, norm=True),), shortcut=(Unit(channels=4, kernel=1, padding=0),))
    network = Network(blocks=(Tuned(block, 0.1), Unit(channels=3)))
    module = build(network, SHAPE, 2)
    found = tunings(network, module, SHAPE, 2)
    assert set(found) == set(module[0].parameters())
    assert set(found.values()) == {Tuning(lr_factor=0.1)}


def test_a_factor_of_zero_freezes_weights_and_statistics() -> None:
    network = Network(blocks=(Tuned(Unit(channels=4, norm=True), 0.0),), head=Head(hidden=(Dense(width=5),)))
    walked = network.walk(SHAPE, 2)
    assert [frozen(node) for node in walked[:3]] == [True] * 3 and not any(map(frozen, walked[3:]))
    module = build(network, SHAPE, 2)
    assert tunings(network, module, SHAPE, 2) == {}
    assert [p.requires_grad for p in module.parameters()] == [False] * 4 + [True] * 4
    assert isinstance(module[1], FrozenNorm)
    assert not module.train()[1].training and module[0].training


def test_a_frozen_norm_takes_vectors_as_well() -> None:
    network = Network(head=Head(hidden=(Tuned(Dense(width=8, norm=True), 0.0),)))
    module = build(network, SHAPE, 2).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module(torch.rand(5, *SHAPE)).sum().backward()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_negative_factor_is_refused() -> None:
    with pytest.raises(ValueError, match=r"lr_factor must be a number of at least 0, got -1"):
        Tuned(Unit(channels=2), -1)
