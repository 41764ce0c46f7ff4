"""What a network costs, against torch's own counters."""

import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from architectures.blocks import Network, Unit
from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES
from architectures.layers import SizeError
from tests.architectures.families.smaller import SMALLER

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


@pytest.mark.parametrize("name", FAMILIES)
def test_parameters_and_operations_are_those_of_the_module(name: str) -> None:
    with torch.device("meta"):
        module = build(FAMILIES[name](), SHAPE, 100)
        with FlopCounterMode(display=False) as counter:
            module(torch.empty(2, *SHAPE))
    found = cost(FAMILIES[name](), SHAPE, 100)
    assert found.parameters == sum(p.numel() for p in module.parameters())
    assert found.flops == pytest.approx(counter.get_total_flops() / 2, rel=0.02)


@pytest.mark.parametrize("name", FAMILIES)
def test_activation_bytes_are_near_what_autograd_keeps(name: str) -> None:
    network = FAMILIES[name](**SMALLER.get(name, {}))
    module = build(network, SHAPE, 100).to(memory_format=torch.channels_last)
    images = torch.rand(4, *SHAPE).to(memory_format=torch.channels_last)
    assert cost(network, SHAPE, 100).activation_bytes == pytest.approx(kept_bytes(module, images) / 4, rel=0.15)


def test_a_network_of_a_billion_parameters_is_costed_without_a_single_tensor() -> None:
    network = Network(blocks=(Unit(channels=40_000), Unit(channels=3_000)))
    began = time.perf_counter()
    with Operations() as operations:
        found = cost(network, SHAPE, 100)
    assert found.parameters > 10**9
    assert operations.count == 0
    assert time.perf_counter() - began < 0.5


def test_a_network_that_does_not_fit_has_no_cost() -> None:
    with pytest.raises(SizeError, match="unit"):
        cost(FAMILIES["cnn3"](), (3, 8, 8), 10)


def test_the_largest_maps_of_a_forward_pass_are_those_of_the_enlarged_image() -> None:
    found = cost(FAMILIES["vgg16"](), SHAPE, 100)
    assert (found.pixels, found.passing_bytes) == (224 * 224, 4 * 2 * 64 * 224 * 224)
    assert cost(FAMILIES["cnn5"](), (3, 48, 40), 100).pixels == 48 * 40
