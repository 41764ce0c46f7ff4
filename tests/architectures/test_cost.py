"""What a network costs, against torch's own counters."""

import resource
import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from architectures.blocks import CNN, SizeError, Unit
from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES

NAMES = [f"cnn{i}" for i in range(1, 9)]
SHAPE = (3, 32, 32)


class Operations(TorchDispatchMode):
    """Counts what torch is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def kept_bytes(module: nn.Module, images: Tensor) -> int:
    """Bytes that autograd keeps for the backward pass, parameters excluded, each storage once."""
    parameters = {p.untyped_storage().data_ptr() for p in module.parameters()}
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = module.train()(images)
    assert logits.requires_grad  # alive until here, so that no storage is counted in another's place
    return sum(storages.values())


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_operations_are_those_of_the_module(name: str) -> None:
    with torch.device("meta"):
        module = build(FAMILIES[name](), SHAPE, 100)
        with FlopCounterMode(display=False) as counter:
            module(torch.empty(2, *SHAPE))
    found = cost(FAMILIES[name](), SHAPE, 100)
    assert found.parameters == sum(p.numel() for p in module.parameters())
    assert found.flops == pytest.approx(counter.get_total_flops() / 2, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_activation_bytes_are_near_what_autograd_keeps(name: str) -> None:
    module = build(FAMILIES[name](), SHAPE, 100).to(memory_format=torch.channels_last)
    images = torch.rand(4, *SHAPE).to(memory_format=torch.channels_last)
    assert cost(FAMILIES[name](), SHAPE, 100).activation_bytes == pytest.approx(
        kept_bytes(module, images) / 4, rel=0.15
    )


def test_a_network_of_a_billion_parameters_is_costed_without_a_single_tensor() -> None:
    network = CNN(units=(Unit(channels=40_000), Unit(channels=3_000)))
    began = time.perf_counter()
    with Operations() as operations:
        found = cost(network, SHAPE, 100)
    assert found.parameters > 10**9
    assert operations.count == 0
    assert time.perf_counter() - began < 0.5


def test_a_users_module_of_a_billion_parameters_is_costed_without_its_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = cost(lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 330_000), nn.Linear(330_000, 10)), SHAPE, 10)
    assert found.parameters == 3072 * 330_000 + 330_000 + 330_000 * 10 + 10
    assert time.perf_counter() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes; the weights are 4 GB


def test_a_users_module_costs_what_its_layers_cost() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 32 * 32, 10))

    found = cost(make, SHAPE, 10)
    assert found.parameters == sum(p.numel() for p in make().parameters())
    assert found.flops == 2 * 8 * 32 * 32 * 27 + 2 * 8 * 32 * 32 * 10
    assert found.activation_bytes == 4 * (3 * 8 * 32 * 32 + 10)


@pytest.mark.parametrize("name", NAMES)
def test_a_family_as_module_costs_what_it_costs_as_data(name: str) -> None:
    network = FAMILIES[name]()
    as_data, as_module = cost(network, SHAPE, 100), cost(lambda: build(network, SHAPE, 100), SHAPE, 100)
    assert as_module.parameters == as_data.parameters
    assert as_module.flops == pytest.approx(as_data.flops, rel=0.02)


def test_a_network_that_does_not_fit_has_no_cost() -> None:
    with pytest.raises(SizeError, match="unit"):
        cost(FAMILIES["cnn3"](), (3, 8, 8), 10)
