"""What a user's own module costs."""

import resource
import subprocess
import sys
import time

import pytest
from torch import Tensor, nn

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES
from architectures.layers import SizeError
from architectures.module_cost import module_cost

SHAPE = (3, 32, 32)


def test_a_users_module_of_a_billion_parameters_is_costed_without_its_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    found = module_cost(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(3072, 330_000), nn.Linear(330_000, 10)), SHAPE, 10
    )
    assert found.parameters == 3072 * 330_000 + 330_000 + 330_000 * 10 + 10
    assert time.perf_counter() - began < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes; the weights are 4 GB


def test_a_users_module_costs_what_its_layers_cost() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 32 * 32, 10))

    found = module_cost(make, SHAPE, 10)
    assert found.parameters == sum(p.numel() for p in make().parameters())
    assert found.flops == 2 * 8 * 32 * 32 * 27 + 2 * 8 * 32 * 32 * 10
    assert found.activation_bytes == 4 * (3 * 8 * 32 * 32 + 10)
    assert (found.pixels, found.passing_bytes) == (32 * 32, 4 * 2 * 8 * 32 * 32)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_as_module_costs_what_it_costs_as_data(name: str) -> None:
    network = FAMILIES[name]()
    as_data, as_module = cost(network, SHAPE, 100), module_cost(lambda: build(network, SHAPE, 100), SHAPE, 100)
    assert as_module.parameters == as_data.parameters
    assert as_module.with_statistics == as_data.with_statistics
    assert as_module.flops == pytest.approx(as_data.flops, rel=0.02)


def test_a_module_that_looks_at_values_is_costed_too() -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(3072, 10)

        def forward(self, images: Tensor) -> Tensor:
            return self.dense(images.flatten(1) if images.max().item() >= 0 else images)

    assert module_cost(Looks, SHAPE, 10).parameters == 30_730


def test_a_module_with_other_logits_is_refused() -> None:
    def make() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(3072, 7))

    with pytest.raises(SizeError, match=r"must return \(N, 10\) logits, returns \(1, 7\) for N = 1"):
        module_cost(make, SHAPE, 10)


def test_running_statistics_are_counted_and_counters_are_not() -> None:
    found = module_cost(lambda: nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3072, 10)), SHAPE, 10)
    assert (found.statistics, found.with_statistics) == (6, 6 + 6 + 30_730)


def test_a_process_that_froze_its_objects_ends_without_reports_of_leaks() -> None:
    code = "import gc, architectures.module_cost; gc.freeze()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
