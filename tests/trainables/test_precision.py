"""Which precision training takes where nobody chose."""

import json
from pathlib import Path

import pytest
import torch

from trainables.precision import WORTHWHILE, cpu_gain, default_precision


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing has been measured yet."""
    monkeypatch.delenv("HPSEARCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cpu_gain.cache_clear()
    return tmp_path / "hpsearch"


def test_a_machine_is_measured_once(cache_folder: Path) -> None:
    gain = cpu_gain()
    assert gain > 0
    assert list(json.loads((cache_folder / "precision.json").read_text()).values()) == [gain]
    cpu_gain.cache_clear()  # as in another process
    assert cpu_gain() == gain


@pytest.mark.parametrize(
    ("gain", "taken"), [(0.3, "float32"), (1.1, "float32"), (WORTHWHILE, "bfloat16"), (8, "bfloat16")]
)
def test_bfloat16_is_taken_where_it_is_faster(gain: float, taken: str, cache_folder: Path) -> None:
    cpu_gain()
    path = cache_folder / "precision.json"
    path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()), gain)))
    cpu_gain.cache_clear()
    assert default_precision("cpu") == taken


@pytest.mark.parametrize("text", ["", "[]", "{", '{"some processor": "fast"}', '{"some processor": null}', "\0"])
def test_a_damaged_file_is_measured_again(text: str, cache_folder: Path) -> None:
    cache_folder.mkdir()
    path = cache_folder / "precision.json"
    path.write_text(text)
    assert cpu_gain() in json.loads(path.read_text()).values()


def test_a_folder_that_cannot_be_written_costs_a_measurement_and_no_more(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_folder.parent.joinpath("hpsearch").write_text("a file where the folder should be")
    assert cpu_gain() > 0
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", _no_home)
    cpu_gain.cache_clear()
    assert cpu_gain() > 0


def test_a_measurement_is_not_kept_where_nothing_may_change(cache_folder: Path) -> None:
    assert cpu_gain(keep=False) > 0
    assert not cache_folder.exists()


def test_it_is_kept_where_the_data_are(cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "data"))
    cpu_gain()
    assert (tmp_path / "data" / "precision.json").exists() and not cache_folder.exists()


def test_measuring_leaves_the_threads_as_they_were(cache_folder: Path) -> None:
    threads = torch.get_num_threads()
    cpu_gain()
    assert torch.get_num_threads() == threads


def _no_home(path: Path) -> Path:
    raise RuntimeError("Could not determine home directory.")
