"""Weights of other trainings: where they come from, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor, nn

from architectures.blocks import Network, Unit
from architectures.build import build
from architectures.families import make_network
from architectures.pretrained import WeightsError, check_weights, load_weights

SHAPE = (3, 32, 32)


class Harmful:
    """Makes a file when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return Path.touch, (self.place,)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """The state of torchvision's resnet50."""
    torch.manual_seed(2)
    state: dict[str, Tensor] = torchvision.models.resnet50(weights=None).state_dict()
    return state


def network_of(path: Path) -> Network:
    network = make_network("resnet50", {"weights": str(path)}, SHAPE, 5)
    assert isinstance(network, Network)
    return network


def test_a_file_of_safetensors_is_read_as_one_of_torch(state: dict[str, Tensor], tmp_path: Path) -> None:
    save_file({name: value.clone() for name, value in state.items()}, tmp_path / "weights.safetensors")
    network = network_of(tmp_path / "weights.safetensors")
    built = build(network, SHAPE, 5)
    load_weights(network, built)
    assert torch.equal(built[1].weight, state["conv1.weight"])
    assert torch.equal(built[2].running_var, state["bn1.running_var"])


@pytest.mark.parametrize("family", ["resnet50", "vgg16"])
def test_a_network_that_a_retrain_kept_is_what_another_one_for_other_classes_begins_with(
    family: str, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    first = build(make_network(family, {"weights": "random", "head_widths": [8]}, SHAPE, 4), SHAPE, 4)
    state = {name: value.contiguous().clone() for name, value in first.state_dict().items()}
    save_file(dict(sorted(state.items())), tmp_path / "model.safetensors")
    network = make_network(family, {"weights": str(tmp_path / "model.safetensors")}, SHAPE, 5)
    second = build(network, SHAPE, 5)
    load_weights(network, second)
    head = len(second) - 2  # the pooled maps, and the dense layer of the classes
    for (name, mine), theirs in zip(
        second[:head].state_dict().items(), first[:head].state_dict().values(), strict=True
    ):
        assert name.endswith("num_batches_tracked") or torch.equal(mine, theirs), name


def test_a_file_without_the_counters_of_newer_versions_is_read(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}, tmp_path / "old.pth")
    check_weights(network_of(tmp_path / "old.pth"))


def test_a_network_that_begins_with_nothing_stays_as_it_is() -> None:
    network = Network(blocks=(Unit(channels=4),))
    built = build(network, SHAPE, 5)
    before = [p.clone() for p in built.parameters()]
    load_weights(network, built)
    load_weights(built, built)
    assert all(torch.equal(a, b) for a, b in zip(before, built.parameters(), strict=True))
    check_weights(nn.Linear(2, 2))


def test_weights_of_another_network_are_refused_with_the_layer_that_does_not_fit(
    state: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save({"conv1.weight": state["conv1.weight"]}, tmp_path / "lacking.pth")
    with pytest.raises(
        WeightsError, match=r"lacking.pth do not fit resnet50: 'bn1.weight' must be 64, and the file has"
    ):
        check_weights(network_of(tmp_path / "lacking.pth"))
    torch.save({f"module.{name}": value for name, value in state.items()}, tmp_path / "parallel.pth")
    with pytest.raises(WeightsError, match=r"'conv1.weight' must be 64×3×7×7, and the file has nothing of that name"):
        check_weights(network_of(tmp_path / "parallel.pth"))
    torch.save({**state, "conv1.weight": torch.ones(64, 1, 7, 7)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"'conv1.weight' must be 64×3×7×7, and the file has 64×1×7×7; give torchv"):
        check_weights(network_of(tmp_path / "other.pth"))


def test_a_file_that_holds_no_weights_is_refused_in_one_line(tmp_path: Path) -> None:
    torch.save(Harmful(tmp_path / "harmed"), tmp_path / "harmful.pth")
    (tmp_path / "text.pth").write_text("no weights")
    (tmp_path / "text.safetensors").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in (
        ("absent.pth", "cannot read the weights .*absent.pth: No such file or directory"),
        ("absent.safetensors", "cannot read the weights .*absent.safetensors: No such file"),
        ("harmful.pth", "harmful.pth holds more than weights, or something else, and is not read"),
        ("text.pth", "text.pth holds"),
        ("text.safetensors", "text.safetensors holds no weights"),
        ("list.pth", "list.pth holds a list; it must hold tensors by name"),
    ):
        with pytest.raises(WeightsError, match=message) as caught:
            check_weights(network_of(tmp_path / name))
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "harmed").exists()


def test_without_a_connection_the_line_says_where_the_file_may_be_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # where nobody listens
    network = make_network("vgg16", {}, SHAPE, 5)
    with pytest.raises(
        WeightsError, match=r"^the ImageNet weights of vgg16 are not in .*vgg16-397923af.pth and cannot"
    ) as caught:
        check_weights(network)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


def test_weights_that_are_there_already_need_no_connection(
    state: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(state, tmp_path / "hub" / "checkpoints" / "resnet50-0676ba61.pth")
    network = make_network("resnet50", {}, SHAPE, 5)
    built = build(network, SHAPE, 5)
    load_weights(network, built)
    assert torch.equal(built[1].weight, state["conv1.weight"])
