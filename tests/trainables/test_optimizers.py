"""The four optimizers are torch's, with the configuration's arguments."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from trainables.config import OPTIMIZERS, OptimizerConfig
from trainables.optimizers import make_optimizer

CASES: list[tuple[str, type, dict[str, float], dict[str, Any]]] = [
    ("adam", torch.optim.Adam, {"beta1": 0.8, "beta2": 0.95}, {"betas": (0.8, 0.95)}),
    ("rmsprop", torch.optim.RMSprop, {"alpha": 0.9, "momentum": 0.4}, {"alpha": 0.9, "momentum": 0.4}),
    (
        "adagrad",
        torch.optim.Adagrad,
        {"initial_accumulator_value": 0.3, "lr_decay": 0.1},
        {"initial_accumulator_value": 0.3, "lr_decay": 0.1},
    ),
    ("sgd", torch.optim.SGD, {"momentum": 0.4, "dampening": 0.3}, {"momentum": 0.4, "dampening": 0.3}),
]


def test_every_optimizer_is_covered() -> None:
    assert {case[0] for case in CASES} == set(OPTIMIZERS)


@pytest.mark.parametrize(("name", "kind", "arguments", "expected"), CASES)
def test_an_optimizer_is_torchs_with_the_arguments_given(
    name: str, kind: type, arguments: dict[str, float], expected: dict[str, Any]
) -> None:
    made = make_optimizer(OptimizerConfig(name, 0.02, 0.001, arguments), nn.Linear(3, 2).parameters())
    assert isinstance(made, kind)
    (group,) = made.param_groups
    assert {key: group[key] for key in expected} == expected
    assert (group["lr"], group["weight_decay"], len(group["params"])) == (0.02, 0.001, 2)


@pytest.mark.parametrize(("name", "kind"), [case[:2] for case in CASES])
def test_the_defaults_are_torchs(name: str, kind: type) -> None:
    layer = nn.Linear(3, 2)
    group = make_optimizer(OptimizerConfig(name, 0.02), layer.parameters()).param_groups[0]
    # How torch carries a step out may differ, what it computes may not.
    carried_out = ("params", "fused", "foreach")
    expected = kind(layer.parameters(), lr=0.02).param_groups[0]
    assert {k: v for k, v in group.items() if k not in carried_out} == {
        k: v for k, v in expected.items() if k not in carried_out
    }


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_pulls_weights_towards_zero(name: str) -> None:
    weight = nn.Parameter(torch.ones(4))
    optimizer = make_optimizer(OptimizerConfig(name, 0.01, weight_decay=0.1), [weight])
    weight.grad = torch.zeros(4)
    optimizer.step()
    assert ((weight < 1) & (weight > 0)).all()


@pytest.mark.parametrize(("name", "kind", "arguments", "expected"), CASES)
def test_steps_are_those_of_torchs_plain_implementation(
    name: str, kind: Any, arguments: dict[str, float], expected: dict[str, Any]
) -> None:
    ours, theirs = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5))
    pair = (
        (ours, make_optimizer(OptimizerConfig(name, 0.01, 0.1, arguments), [ours])),
        (theirs, kind([theirs], lr=0.01, weight_decay=0.1, foreach=False, fused=False, **expected))
        if name != "rmsprop"
        else (theirs, kind([theirs], lr=0.01, weight_decay=0.1, foreach=False, **expected)),
    )
    for step in range(5):
        for weight, optimizer in pair:
            weight.grad = (weight.detach() - step) * torch.arange(1.0, 6.0)
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(("name", "kind", "arguments", "expected"), CASES)
def test_its_steps_are_torchs_to_the_bit(
    name: str, kind: Any, arguments: dict[str, float], expected: dict[str, Any]
) -> None:
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 100)) for _ in range(2))
    made = make_optimizer(OptimizerConfig(name, 0.02, 0.001, arguments), [ours])
    carried_out = {key: made.param_groups[0][key] for key in ("fused", "foreach") if key in made.param_groups[0]}
    reference = kind([theirs], lr=0.02, weight_decay=0.001, **expected, **carried_out)
    for _ in range(4):
        for weight, optimizer in ((ours, made), (theirs, reference)):
            optimizer.zero_grad()
            (weight**3).sum().backward()
            optimizer.step()
        made.load_state_dict(made.state_dict())
    assert torch.equal(ours, theirs)


def test_training_does_not_import_the_compiler() -> None:
    code = """
import sys, torch
from trainables.config import OPTIMIZERS, OptimizerConfig
from trainables.optimizers import make_optimizer
for name in OPTIMIZERS:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = make_optimizer(OptimizerConfig(name, 0.1), [weight])
    weight.sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
