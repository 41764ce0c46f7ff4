"""Every registered optimizer is torch's, with the configuration's arguments."""

import inspect
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from trainables.config import OptimizerConfig
from trainables.optimizers import OPTIMIZERS
from trainables.torch_optimizers import make_optimizer


def own_arguments(name: str) -> dict[str, float]:
    """A value inside its bounds, and not torch's default, for each argument."""
    return {argument: 0.1 * (i + 3) for i, argument in enumerate(OPTIMIZERS[name].arguments)}


def reference(name: str, weight: nn.Parameter, **carried_out: Any) -> torch.optim.Optimizer:
    """Torch's own optimizer with those arguments."""
    kind = getattr(torch.optim, OPTIMIZERS[name].torch_class)
    return kind([weight], lr=0.02, weight_decay=0.001, **OPTIMIZERS[name].keywords(own_arguments(name)), **carried_out)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("adam", {"beta1": 0.8, "beta2": 0.95}, {"betas": (0.8, 0.95)}),
        ("rmsprop", {"alpha": 0.9, "momentum": 0.4}, {"alpha": 0.9, "momentum": 0.4}),
        ("adagrad", {"lr_decay": 0.1}, {"initial_accumulator_value": 0.0, "lr_decay": 0.1}),
        ("sgd", {"momentum": 0.4, "dampening": 0.3}, {"momentum": 0.4, "dampening": 0.3}),
    ],
)
def test_an_optimizer_has_the_arguments_given(name: str, arguments: dict[str, float], expected: dict[str, Any]) -> None:
    made = make_optimizer(OptimizerConfig(name, 0.02, 0.001, arguments), nn.Linear(3, 2).parameters())
    (group,) = made.param_groups
    assert {key: group[key] for key in expected} == expected
    assert (group["lr"], group["weight_decay"], len(group["params"])) == (0.02, 0.001, 2)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_defaults_are_torchs(name: str) -> None:
    layer = nn.Linear(3, 2)
    made = make_optimizer(OptimizerConfig(name, 0.02), layer.parameters())
    kind = getattr(torch.optim, OPTIMIZERS[name].torch_class)
    assert isinstance(made, kind)
    group, expected = made.param_groups[0], kind(layer.parameters(), lr=0.02, weight_decay=0.0).param_groups[0]
    # How torch carries a step out may differ, what it computes may not.
    carried_out = ("params", "fused", "foreach")
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


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_torchs_plain_implementation(name: str) -> None:
    ours, theirs = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5))
    known = inspect.signature(getattr(torch.optim, OPTIMIZERS[name].torch_class)).parameters
    plain = {key: False for key in ("foreach", "fused") if key in known}
    pairs = (
        (ours, make_optimizer(OptimizerConfig(name, 0.02, 0.001, own_arguments(name)), [ours])),
        (theirs, reference(name, theirs, **plain)),
    )
    for step in range(5):
        for weight, optimizer in pairs:
            weight.grad = (weight.detach() - step) * torch.arange(1.0, 6.0)
            optimizer.step()
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_its_steps_are_torchs_to_the_bit(name: str) -> None:
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 100)) for _ in range(2))
    made = make_optimizer(OptimizerConfig(name, 0.02, 0.001, own_arguments(name)), [ours])
    expected = reference(name, theirs, **{OPTIMIZERS[name].implementation: True})
    for _ in range(4):
        for weight, optimizer in ((ours, made), (theirs, expected)):
            optimizer.zero_grad()
            (weight**3).sum().backward()
            optimizer.step()
        made.load_state_dict(made.state_dict())
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_its_state_has_the_size_that_the_registry_says(name: str) -> None:
    weight = nn.Parameter(torch.ones(7))
    made = make_optimizer(OptimizerConfig(name, 0.02, 0.001, own_arguments(name)), [weight])
    weight.grad = torch.ones(7)
    made.step()
    tensors = [value for value in made.state[weight].values() if torch.is_tensor(value) and value.shape == weight.shape]
    assert len(tensors) == OPTIMIZERS[name].state_tensors


def test_training_does_not_import_the_compiler() -> None:
    code = """
import sys, torch
from trainables.config import OptimizerConfig
from trainables.optimizers import OPTIMIZERS
from trainables.torch_optimizers import make_optimizer
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
