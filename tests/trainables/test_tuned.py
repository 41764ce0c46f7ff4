"""Layers that are trained in a way of their own: frozen, at a slower rate, or with a penalty."""

import pytest
import torch
from torch import nn

from architectures.blocks import Dense, Head, Network, Unit
from architectures.build import build
from architectures.tuning import Tuning, tunings
from tests.trainables.trainings import Make
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.torch_optimizers import make_optimizer

SHAPE = (3, 8, 8)


def config(**hyperparameters: object) -> Config:
    network = NetworkConfig("resnet50", {"weights": "random", "size": 32, **hyperparameters})
    return Config(network, OptimizerConfig("sgd", 0.05, 0.001), TrainingConfig(batch_size=40, epochs=2, augment="none"))


def test_a_frozen_body_is_the_same_after_an_epoch_and_the_head_is_not(make: Make) -> None:
    training = make(config(body_lr=0.0), num_images=40)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    measured = training.run_segment()
    changed = {name for name, value in training.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name, p in training.model.named_parameters() if p.requires_grad} and len(changed) == 2
    assert measured.finite and measured.learning_rate == 0.05


def test_a_body_with_a_rate_of_its_own_learns_at_that_share_of_the_heads_and_goes_on_alike(make: Make) -> None:
    training = make(config(body_lr=0.1), num_images=40)
    assert training.run_segment().learning_rate == 0.05
    assert [group["lr"] for group in training.optimizer.param_groups] == [0.05, pytest.approx(0.005)]
    assert [len(group["params"]) for group in training.optimizer.param_groups] == [2, 159]
    resumed = make(config(body_lr=0.1), num_images=40)
    resumed.restore(training.state())
    assert resumed.run_segment().train_loss == training.run_segment().train_loss


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop", "adagrad"])
def test_a_penalty_is_what_its_term_in_the_loss_gives(name: str) -> None:
    network = Network(blocks=(Unit(channels=3, l2=0.1),), head=Head(hidden=(Dense(width=4, l2=0.02),)))

    def step(penalised: bool) -> list[torch.Tensor]:
        torch.manual_seed(0)
        module = build(network, SHAPE, 2)
        tuned = tunings(network, module, SHAPE, 2) if penalised else None
        optimizer = make_optimizer(OptimizerConfig(name, 0.1), module.parameters(), tuned=tuned)
        loss = module(torch.rand(4, *SHAPE)).square().mean()
        if not penalised:
            (conv, dense, _) = (part for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear))
            loss = loss + 0.1 * conv.weight.square().sum() + 0.02 * dense.weight.square().sum()
        loss.backward()
        optimizer.step()
        return [parameter.detach() for parameter in module.parameters()]

    for ours, expected in zip(step(penalised=True), step(penalised=False), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_parameters_that_are_tuned_alike_are_one_group_and_the_ordinary_ones_come_first() -> None:
    layers = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tuned = {parameter: Tuning(lr_factor=0.5, l2=0.1) for parameter in layers[0].parameters()}
    ordinary, slower = make_optimizer(OptimizerConfig("sgd", 0.1, 0.01), layers.parameters(), tuned=tuned).param_groups
    assert [id(p) for p in ordinary["params"]] == [id(p) for p in layers[1].parameters()]
    assert (ordinary["weight_decay"], slower["weight_decay"]) == (0.01, pytest.approx(0.21))
    assert (ordinary["lr"], slower["lr"]) == (0.1, 0.05)
