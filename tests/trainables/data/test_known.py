"""Datasets by name: read from their own files, and downloaded only with the known checksums."""

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainables.data.pictures import refused
from trainables.data.load import load
from trainables.data.superclasses import SUPERCLASSES


def test_digits_are_a_grey_set_with_a_stratified_test_part(tmp_path: Path) -> None:
    train, test = (load("digits", part, data_dir=tmp_path) for part in ("train", "test"))
    assert (len(train), len(test)) == (1438, 359)
    assert train.shape == test.shape == (1, 16, 16)
    assert train.classes == tuple("0123456789")
    assert train.pixels.max() == 255 and train.pixels.min() == 0
    shares = np.bincount(test.labels) / (np.bincount(train.labels) + np.bincount(test.labels))
    assert (np.abs(shares - 0.2) < 0.006).all()
    assert load("digits", "test", data_dir=tmp_path, image_size=8).shape == (1, 8, 8)


def test_the_superclasses_partition_a_hundred_classes() -> None:
    fine = [name for members in SUPERCLASSES.values() for name in members]
    assert len(SUPERCLASSES) == 20 and len(set(fine)) == len(fine) == 100
    assert list(SUPERCLASSES) == sorted(SUPERCLASSES)


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def write_cifar(folder: Path, kind: Any, monkeypatch: pytest.MonkeyPatch, label_key: str, names: Sequence[str]) -> None:
    """Write files as CIFAR's authors do, one image a class and file, and let torchvision expect their checksums."""
    folder = folder / kind.base_folder
    folder.mkdir(parents=True)
    for parts in ("train_list", "test_list"):
        checked = []
        for seed, (name, _) in enumerate(getattr(kind, parts)):
            pixels = np.random.default_rng(seed).integers(0, 256, (len(names), 3072), dtype=np.uint8)
            (folder / name).write_bytes(pickle.dumps({"data": pixels, label_key: list(range(len(names)))}))
            checked.append([name, md5(folder / name)])
        monkeypatch.setattr(kind, parts, checked)
    meta = folder / kind.meta["filename"]
    meta.write_bytes(pickle.dumps({kind.meta["key"]: list(names)}))
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": md5(meta)})


def test_cifar10_is_read_from_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from torchvision.datasets import CIFAR10 as KIND

    names = [f"class{i}" for i in range(10)]
    write_cifar(tmp_path, KIND, monkeypatch, "labels", names)
    train, test = (load("cifar10", part, data_dir=tmp_path) for part in ("train", "test"))
    assert (len(train), len(test)) == (50, 10) and train.shape == (3, 32, 32) and train.classes == tuple(names)
    raw = np.random.default_rng(0).integers(0, 256, (10, 3072), dtype=np.uint8)
    assert np.array_equal(test.pixels, raw.reshape(10, 3, 32, 32))
    assert test.labels.tolist() == list(range(10))
    assert load("cifar10", "test", data_dir=tmp_path, image_size=9).shape == (3, 9, 9)
    assert capfd.readouterr() == ("", "")


def test_cifar100_has_fine_and_coarse_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision.datasets import CIFAR100 as KIND

    fine_names = sorted(name for members in SUPERCLASSES.values() for name in members)
    write_cifar(tmp_path, KIND, monkeypatch, "fine_labels", fine_names)
    fine = load("cifar100", "train", data_dir=tmp_path)
    coarse = load("cifar100-coarse", "train", data_dir=tmp_path)
    assert fine.classes == tuple(fine_names) and coarse.classes == tuple(SUPERCLASSES)
    assert np.array_equal(fine.pixels, coarse.pixels)
    assert np.bincount(coarse.labels).tolist() == [5] * 20
    for name, superclass in (("whale", "aquatic_mammals"), ("maple_tree", "trees"), ("tank", "vehicles_2")):
        assert coarse.classes[coarse.labels[fine_names.index(name)]] == superclass


def write_fashion(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write files as Fashion-MNIST's authors do, and let their checksums be the known ones."""
    from torchvision.datasets import FashionMNIST

    folder = folder / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for part, count in (("train", 20), ("t10k", 10)):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        images = gzip.compress(struct.pack(">4i", 2051, count, 28, 28) + pixels.tobytes())
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">2i", 2049, count) + labels.tobytes())
        )
    monkeypatch.setattr(FashionMNIST, "resources", [(n, md5(folder / n)) for n, _ in FashionMNIST.resources])
    return folder


def test_fashion_mnist_is_read_from_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion(tmp_path, monkeypatch)
    test = load("fashion-mnist", "test", data_dir=tmp_path)
    assert test.shape == (1, 28, 28) and test.labels.tolist() == list(range(10)) and "Sneaker" in test.classes
    assert np.array_equal(test.pixels[:, 0], np.random.default_rng(10).integers(0, 256, (10, 28, 28), dtype=np.uint8))


def test_datasets_that_are_here_are_read_where_nothing_may_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from torchvision.datasets import CIFAR10 as KIND

    write_fashion(tmp_path, monkeypatch)
    write_cifar(tmp_path, KIND, monkeypatch, "labels", list("abcdefghij"))
    numbers = [
        len(load(name, "train", data_dir=tmp_path, download=False)) for name in ("fashion-mnist", "cifar10", "digits")
    ]
    assert numbers == [20, 50, 1438]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    for variable in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(urllib.request, "_opener", None)  # made at the first request, with the proxies of then


def test_an_archive_with_another_checksum_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    folder = write_fashion(tmp_path, monkeypatch)
    (folder / "train-images-idx3-ubyte").write_bytes(b"unpacked by somebody")
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"other images"))
    assert f"into {folder}, " in refused("fashion-mnist", tmp_path)


def test_what_an_archive_would_write_outside_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_network: None
) -> None:
    from torchvision.datasets import CIFAR10 as KIND

    (tmp_path / "data").mkdir()
    archive = tmp_path / "data" / KIND.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
    assert "which failed" in refused("cifar10", tmp_path / "data")
    monkeypatch.setattr(KIND, "tgz_md5", md5(archive))
    assert "outside" in refused("cifar10", tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize(
    ("name", "file", "folder"),
    [
        ("cifar10", "cifar-10-python.tar.gz", ""),
        ("cifar100", "cifar-100-python.tar.gz", ""),
        ("cifar100-coarse", "cifar-100-python.tar.gz", ""),
        ("fashion-mnist", "t10k-labels-idx1-ubyte.gz", "FashionMNIST/raw"),
    ],
)
def test_without_a_network_the_message_says_what_to_fetch_and_what_works(
    tmp_path: Path, no_network: None, capfd: pytest.CaptureFixture[str], name: str, file: str, folder: str
) -> None:
    message = refused(name, tmp_path)
    assert name in message and file in message and "--dataset digits" in message
    assert f"into {tmp_path / folder}, " in message
    assert capfd.readouterr() == ("", "")
