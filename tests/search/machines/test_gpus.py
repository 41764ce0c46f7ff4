"""Which machines ask torch for their GPUs; the cards and drivers are made up."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from search.machines import gpus
from tests.search.machines.files import write


@pytest.fixture(autouse=True)
def machine_without_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Linux machine, of which torch says that it has a GPU, whatever its files say."""
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(gpus, "DRIVERS", (str(tmp_path / "nvidiactl"),))
    monkeypatch.setattr(gpus, "PCI", tmp_path / "pci")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_properties", lambda _: SimpleNamespace(total_memory=8e9))
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: "a card")


def device(pci: Path, vendor: str, kind: str) -> None:
    write(pci / "0000:01:00.0" / "vendor", f"{vendor}\n")
    write(pci / "0000:01:00.0" / "class", f"{kind}\n")


def test_torch_is_not_asked_where_nothing_hints_at_a_gpu(tmp_path: Path) -> None:
    assert (gpus.memory(), gpus.names()) == ([], [])
    device(tmp_path / "pci", "0x8086", "0x030000")  # Intel's
    assert gpus.memory() == []
    device(tmp_path / "pci", "0x10de", "0x040300")  # sound
    assert gpus.memory() == []


@pytest.mark.parametrize(("vendor", "kind"), [("0x10de", "0x030200"), ("0x10de", "0x030000"), ("0x1002", "0x120000")])
def test_torch_is_asked_where_there_is_a_card(tmp_path: Path, vendor: str, kind: str) -> None:
    device(tmp_path / "pci", vendor, kind)
    assert (gpus.memory(), gpus.names()) == ([8_000_000_000], ["a card"])


def test_torch_is_asked_where_there_is_a_driver(tmp_path: Path) -> None:
    (tmp_path / "nvidiactl").touch()
    assert gpus.memory() == [8_000_000_000]


def test_torch_is_asked_on_other_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert gpus.names() == ["a card"]
