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


#: Torch's defaults do not make this optimizer.
MADE: dict[str, dict[str, Any]] = {"sgd_nesterov": {"momentum": 0.9, "nesterov": True}}
#: Those that are one of torch's; tests/trainables/test_matrices.py has the others.
PLAIN = [name for name, entry in OPTIMIZERS.items() if entry.others is None]


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
        ("nadam", {"momentum_decay": 0.01}, {"betas": (0.9, 0.999), "momentum_decay": 0.01}),
        ("adadelta", {"rho": 0.8}, {"rho": 0.8}),
        ("sgd_nesterov", {"momentum": 0.99}, {"momentum": 0.99, "dampening": 0, "nesterov": True}),
    ],
)
def test_an_optimizer_has_the_arguments_given(name: str, arguments: dict[str, float], expected: dict[str, Any]) -> None:
    made = make_optimizer(OptimizerConfig(name, 0.02, 0.001, arguments), nn.Linear(3, 2).parameters())
    (group,) = made.param_groups
    assert {key: group[key] for key in expected} == expected
    assert (group["lr"], group["weight_decay"], len(group["params"])) == (0.02, 0.001, 2)


@pytest.mark.parametrize("name", PLAIN)
def test_the_defaults_are_torchs(name: str) -> None:
    layer = nn.Linear(3, 2)
    made = make_optimizer(OptimizerConfig(name, 0.02), layer.parameters())
    kind = getattr(torch.optim, OPTIMIZERS[name].torch_class)
    assert isinstance(made, kind)
    group = made.param_groups[0]
    theirs = kind(layer.parameters(), lr=0.02, weight_decay=0.0, **MADE.get(name, {}))
    expected = theirs.param_groups[0]
    # How torch carries a step out may differ, what it computes may not.
    carried_out = ("params", "fused", "foreach")
    assert {k: v for k, v in group.items() if k not in carried_out} == {
        k: v for k, v in expected.items() if k not in carried_out
    }


@pytest.mark.parametrize("name", PLAIN)
def test_weight_decay_pulls_weights_towards_zero(name: str) -> None:
    weight = nn.Parameter(torch.ones(4))
    optimizer = make_optimizer(OptimizerConfig(name, 0.01, weight_decay=0.1), [weight])
    weight.grad = torch.zeros(4)
    optimizer.step()
    assert ((weight < 1) & (weight > 0)).all()


@pytest.mark.parametrize("name", PLAIN)
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


@pytest.mark.parametrize("name", PLAIN)
def test_its_steps_are_torchs_to_the_bit(name: str) -> None:
    ours, theirs = (nn.Parameter(torch.linspace(-1, 1, 100)) for _ in range(2))
    made = make_optimizer(OptimizerConfig(name, 0.02, 0.001, own_arguments(name)), [ours])
    expected = reference(name, theirs, **{str(OPTIMIZERS[name].implementation): True})
    for _ in range(4):
        for weight, optimizer in ((ours, made), (theirs, expected)):
            optimizer.zero_grad()
            (weight**3).sum().backward()
            optimizer.step()
        made.load_state_dict(made.state_dict())
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", PLAIN)
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
    matrices = [torch.nn.Parameter(torch.ones(2, 2)) for _ in range(2)]
    optimizer = make_optimizer(OptimizerConfig(name, 0.1), [weight, *matrices])
    sum(each.sum() for each in (weight, *matrices)).backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def layers() -> nn.Module:
    """A convolution with a norm, and a dense layer."""
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def pulled(name: str, decayed: str) -> set[str]:
    """The names of the parameters that change when all gradients are zero."""
    model = layers()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
            parameter.grad = torch.zeros_like(parameter)
    arguments = {"keep_norms": 0} if name == "muon" else {}
    optimizer = make_optimizer(OptimizerConfig(name, 0.1, 0.5, arguments), model.parameters(), decayed)
    optimizer.step()
    return {key for key, value in model.named_parameters() if not torch.equal(value, torch.ones_like(value))}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    ("decayed", "expected"),
    [
        ("all", {"0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"}),
        ("weights", {"0.weight", "3.weight"}),
        ("conv", {"0.weight"}),
        ("dense", {"3.weight"}),
    ],
)
def test_weight_decay_pulls_what_is_asked_for(name: str, decayed: str, expected: set[str]) -> None:
    assert pulled(name, decayed) == expected


def test_adamw_decays_by_the_rate_alone_and_adam_by_its_gradient() -> None:
    """Loshchilov and Hutter 2019: w · (1 - lr · decay), whatever the gradients were."""
    weights = {name: nn.Parameter(torch.tensor([1.0, 10.0])) for name in ("adam", "adamw")}
    for name, weight in weights.items():
        weight.grad = torch.zeros(2)
        make_optimizer(OptimizerConfig(name, 0.1, 0.5), [weight]).step()
    torch.testing.assert_close(weights["adamw"].detach(), torch.tensor([0.95, 9.5]))
    torch.testing.assert_close(weights["adam"].detach(), torch.tensor([0.9, 9.9]))


@pytest.mark.parametrize("name", ["nadam", "adamw"])
def test_numbers_that_torch_keeps_on_the_host_stay_there_when_a_state_is_loaded(name: str) -> None:
    """The parameters to continue with are on another device: this one has no values and is on every machine."""
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.ones(2)
    first = make_optimizer(OptimizerConfig(name, 0.1), [weight])
    for _ in range(2):
        first.step()
    saved = first.state_dict()
    on_host = {key for key, value in saved["state"][0].items() if value.dim() == 0}
    continued = make_optimizer(OptimizerConfig(name, 0.1), [nn.Parameter(torch.ones(2, device="meta"))])
    continued.load_state_dict(saved)
    (loaded,) = continued.state.values()
    kept = {key: value for key, value in loaded.items() if value.device.type == "cpu"}
    assert kept == {key: saved["state"][0][key] for key in on_host - ({"step"} if name == "adamw" else set())}
    assert all(isinstance(value, torch.Tensor) for value in saved["state"][0].values())
