"""The registry: what every family holds, whoever adds it."""

import json
import subprocess
import sys

import pytest
import torch
from torch.export import Dim, export

from architectures.blocks import Network, Unit
from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, family, make_network
from architectures.module_cost import statistics
from tests.architectures.families.smaller import SMALLER

SHAPE, CLASSES = (3, 32, 32), 10


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_has_its_name_and_defaults_that_are_plain_json(name: str) -> None:
    made = FAMILIES[name]
    assert made.name == name
    written = json.loads(json.dumps(made.hyperparameters))
    assert made(**written) == made() == make_network(name, {}, SHAPE, CLASSES)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_walk_has_the_parameters_and_the_statistics_of_the_module(name: str) -> None:
    with torch.device("meta"):
        module = build(FAMILIES[name](), SHAPE, CLASSES)
        assert module(torch.empty(2, *SHAPE)).shape == (2, CLASSES)
    walked = FAMILIES[name]().layers(SHAPE, CLASSES)
    assert sum(layer.parameters for layer in walked) == sum(p.numel() for p in module.parameters())
    assert sum(layer.statistics for layer in walked) == statistics(module)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_costs_something_at_every_turn(name: str) -> None:
    found = cost(FAMILIES[name](), SHAPE, CLASSES)
    assert min(found.parameters, found.flops, found.activation_bytes) > 0
    assert found.with_statistics >= found.parameters


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_exports_with_a_dynamic_batch(name: str) -> None:
    network = FAMILIES[name](**SMALLER.get(name, {}))
    module = build(network, SHAPE, CLASSES).to(memory_format=torch.channels_last).eval()  # as networks are saved
    images = torch.rand(3, *SHAPE)
    exported = export(module, (images[:2],), dynamic_shapes=({0: Dim("batch")},)).module()
    with torch.no_grad():
        for batch in (images, images[:1]):
            torch.testing.assert_close(exported(batch), module(batch))


def test_a_function_becomes_the_family_of_its_name_and_a_second_of_that_name_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tiny(*, channels: int = 3) -> Network:
        return Network(blocks=(Unit(channels=channels),))

    monkeypatch.setitem(FAMILIES, "tiny", None)  # so that the end of the test takes it out again
    del FAMILIES["tiny"]
    assert family(tiny) is FAMILIES["tiny"]
    assert FAMILIES["tiny"].hyperparameters == {"channels": 3}
    assert make_network("tiny", {"channels": 6}, (1, 8, 8), 2) == Network(blocks=(Unit(channels=6),))
    with pytest.raises(ValueError, match="'tiny' exists already"):
        family(tiny)


def test_families_are_made_and_costed_without_torch() -> None:
    code = (
        "import sys\n"
        "from architectures.families import FAMILIES, network_cost\n"
        "assert all(network_cost(name, {}, (3, 32, 32), 10).flops for name in FAMILIES)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_familys_group_is_its_file() -> None:
    assert FAMILIES["cnn6"].group == "published"
    assert FAMILIES["baseline_final"].group == FAMILIES["baseline"].group == "report4"
