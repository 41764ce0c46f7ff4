"""Muon on a network is torch's Muon on its kernels as matrices, and torch's AdamW on the rest."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from architectures.layers import SizeError
from tests.trainables.trainings import warmed_up
from trainables import cuda_graph
from trainables.config import OptimizerConfig
from trainables.matrices import MatrixOptimizer
from trainables.torch_optimizers import make_optimizer

KERNELS, OTHERS = ("0.weight", "3.weight"), ("1.weight", "1.bias", "3.bias", "5.weight", "5.bias")


@pytest.fixture
def model() -> nn.Module:
    """Two convolutions with a norm, and the layer of the logits."""
    torch.manual_seed(0)
    body = (nn.Conv2d(3, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 2))
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(36, 5))


def made(model: nn.Module, **arguments: float) -> MatrixOptimizer:
    optimizer = make_optimizer(OptimizerConfig("muon", 0.05, 0.01, arguments), model.parameters())
    assert isinstance(optimizer, MatrixOptimizer)
    return optimizer


def train(model: nn.Module, optimizer: MatrixOptimizer, steps: int = 3) -> list[Tensor]:
    """Some steps on fixed images; the weights that they lead to."""
    inputs = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        model(inputs).square().sum().backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


@pytest.mark.parametrize("channels_last", [False, True])
def test_steps_are_torchs_on_matrices_and_on_the_rest(model: nn.Module, channels_last: bool) -> None:
    twin = deepcopy(model)
    if channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    train(model, made(model, momentum=0.9, others_lr=0.01, keep_norms=0), steps=4)

    theirs = dict(twin.named_parameters())
    matrices = {name: nn.Parameter(theirs[name].detach().flatten(1)) for name in KERNELS}
    muon = torch.optim.Muon(matrices.values(), lr=0.05, weight_decay=0.01, momentum=0.9)
    adamw = torch.optim.AdamW([theirs[name] for name in OTHERS], lr=0.01, weight_decay=0.01)
    inputs = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    for _ in range(4):
        twin.zero_grad()
        twin(inputs).square().sum().backward()
        for name, matrix in matrices.items():
            gradient = theirs[name].grad
            assert gradient is not None
            matrix.grad = gradient.flatten(1)
        muon.step()
        adamw.step()
    for name, value in model.named_parameters():
        torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=2e-3)  # products are in bfloat16


def test_each_kernel_keeps_the_norm_that_it_began_with(model: nn.Module) -> None:
    before = [dict(model.named_parameters())[name].norm() for name in KERNELS]
    train(model, made(model))
    after = [dict(model.named_parameters())[name].norm() for name in KERNELS]
    torch.testing.assert_close(after, before)


def test_norms_may_change_where_they_are_not_kept(model: nn.Module) -> None:
    before = dict(model.named_parameters())[KERNELS[0]].norm().item()
    train(model, made(model, keep_norms=0))
    assert dict(model.named_parameters())[KERNELS[0]].norm().item() != pytest.approx(before, rel=1e-3)


def test_the_layer_of_the_logits_norms_and_biases_have_a_rate_of_their_own(model: nn.Module) -> None:
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer = made(model, others_lr=1e-30)
    assert [group["lr"] for group in optimizer.param_groups] == [0.05, 1e-30]
    train(model, optimizer)
    changed = {name for name, value in model.named_parameters() if not torch.allclose(value, before[name], atol=1e-6)}
    assert changed == set(KERNELS)


def test_going_on_from_a_state_is_as_if_never_interrupted(model: nn.Module) -> None:
    other = deepcopy(model)
    optimizer, continued = made(model), made(other)
    train(model, optimizer)
    other.load_state_dict(model.state_dict())
    continued.load_state_dict(deepcopy(optimizer.state_dict()))
    for ours, theirs in zip(train(model, optimizer), train(other, continued), strict=True):
        assert torch.equal(ours, theirs)


def test_gradients_may_stay_where_a_captured_step_writes_them(model: nn.Module) -> None:
    twin = deepcopy(model)
    optimizer = made(model)
    train(twin, made(twin))
    inputs = torch.rand(8, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    model(inputs).sum().backward()
    places = [parameter.grad.data_ptr() for parameter in model.parameters() if parameter.grad is not None]
    for _ in range(3):
        optimizer.zero_grad(set_to_none=False)
        model(inputs).square().sum().backward()
        optimizer.step()
    assert [p.grad.data_ptr() for p in model.parameters() if p.grad is not None] == places
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("zero", "moves"), [("3.weight", True), ("0.weight", False)])
def test_a_matrix_that_is_zero_at_first_has_no_norm_to_keep(model: nn.Module, zero: str, moves: bool) -> None:
    """The second convolution has a gradient then, the first has none: its maps are zero and the ReLU passes nothing."""
    named = dict(model.named_parameters())
    nn.init.zeros_(named[zero])
    (other,) = set(KERNELS) - {zero}
    norm = named[other].norm().item()
    train(model, made(model))
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    assert bool(named[zero].any()) is moves
    assert named[other].norm().item() == pytest.approx(norm, rel=1e-5)


def test_a_network_whose_only_matrix_makes_the_logits_is_refused() -> None:
    message = "'muon' trains matrices, and this network has none to train besides that of its logits; use another"
    with pytest.raises(SizeError, match=message):
        made(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))


@pytest.mark.parametrize("keep_norms", [0, 1])
@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("before", [0, 2])
def test_captured_steps_are_the_same_at_every_learning_rate(
    model: nn.Module, channels_last: bool, before: int, keep_norms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    if channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    twin = deepcopy(model)
    eager, captured = (made(each, keep_norms=keep_norms) for each in (twin, model))
    for step in range(before + 4):
        for of, optimizer in ((twin, eager), (model, captured)):
            gradients_of(of, step)
            if optimizer is captured and step == before:
                optimizer.capture()
            for group in optimizer.param_groups:
                group["lr"] = 0.01 * (1 + step)
            optimizer.step()
    torch.testing.assert_close([*model.parameters()], [*twin.parameters()], rtol=1e-6, atol=1e-7)
    states = [flattened(optimizer.state_dict()) for optimizer in (captured, eager)]
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())

    captured.load_state_dict(deepcopy(eager.state_dict()))
    for of, optimizer in ((twin, eager), (model, captured)):
        gradients_of(of, 9)
        optimizer.step()
    torch.testing.assert_close([*model.parameters()], [*twin.parameters()], rtol=1e-6, atol=1e-7)


def test_kernels_without_a_gradient_stay_as_they_are(model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graph, "capture", warmed_up)
    optimizer = made(model, keep_norms=0)
    gradients_of(model, 0)
    unused = model.get_parameter(KERNELS[0])
    unused.grad, before = None, unused.detach().clone()
    optimizer.capture()
    optimizer.step()
    assert torch.equal(unused, before)
    assert len(optimizer.state_dict()["matrices"]["state"]) == len(KERNELS) - 1


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), ValueError("another")])
def test_after_a_failed_capture_steps_are_eager(
    model: nn.Module, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(work: Callable[[], None]) -> Callable[[], None]:
        work()
        raise error

    twin = deepcopy(model)
    eager, captured = made(twin), made(model)
    monkeypatch.setattr(cuda_graph, "capture", fails)
    for step in range(3):
        for of, optimizer in ((twin, eager), (model, captured)):
            gradients_of(of, step)
            if optimizer is captured and step == 1:
                with pytest.raises((cuda_graph.CaptureMemoryError, ValueError)):
                    optimizer.capture()
            optimizer.step()
    assert all(map(torch.equal, model.parameters(), twin.parameters()))


def gradients_of(model: nn.Module, step: int) -> None:
    """Give every parameter a gradient that depends on the step alone, in the memory that it has."""
    generator = torch.Generator().manual_seed(step)
    for parameter in model.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
        parameter.grad.copy_(torch.randn(parameter.shape, generator=generator))


def flattened(state: Any, path: str = "") -> dict[str, Tensor]:
    """The numbers of an optimizer's state by their places in it."""
    if isinstance(state, Tensor):
        return {path: state}
    if isinstance(state, int | float):
        return {path: torch.tensor(state)}
    parts = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list | tuple) else ()
    return {name: value for key, part in parts for name, value in flattened(part, f"{path}/{key}").items()}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_captured_steps_are_the_eager_ones(model: nn.Module) -> None:
    model.to("cuda")
    twin = deepcopy(model)
    eager, captured = made(twin), made(model)
    for step in range(5):
        for of, optimizer in ((twin, eager), (model, captured)):
            gradients_of(of, step)
            if optimizer is captured and step == 0:
                optimizer.capture()
            optimizer.step()
    torch.testing.assert_close([*model.parameters()], [*twin.parameters()], rtol=1e-5, atol=1e-6)
