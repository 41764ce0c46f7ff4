"""The datasets that are known by name: those of torchvision, downloaded if needed, and scikit-learn's digits."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainables.data.download import fetch
from trainables.data.images import DatasetError, Images
from trainables.data.pixels import resize
from trainables.data.read import TEST_SEED, TEST_SHARE
from trainables.data.split import split
from trainables.data.superclasses import SUPERCLASSES, superclasses_of

TORCHVISION = {
    "cifar100": "CIFAR100",
    "cifar100-coarse": "CIFAR100",
    "cifar10": "CIFAR10",
    "fashion-mnist": "FashionMNIST",
}
DATASETS: tuple[str, ...] = (*TORCHVISION, "digits")

DIGITS_SIDE = 16
FASHION = Path("FashionMNIST", "raw")  # where torchvision puts it


def read_known(name: str, part: str, data_dir: Path, image_size: int | None, *, download: bool = True) -> Images:
    """One part of the dataset of that name, resized if `image_size` is given; raises DatasetError."""
    images = _read_digits(part) if name == "digits" else _read_downloaded(name, part, data_dir, download)
    side = image_size or (DIGITS_SIDE if name == "digits" else None)
    if side is None:
        return images
    return Images(np.stack([_resize(image, side) for image in images.pixels]), images.labels, images.classes)


def _resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resize uint8 (C, H, W) to (C, side, side)."""
    return np.stack([np.asarray(resize(Image.fromarray(channel), (side, side))) for channel in pixels])


def _read_digits(part: str) -> Images:
    """Read the 1,797 handwritten digits that come with scikit-learn: 8×8, grey, with values 0..16 scaled to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    train, test = split(labels, TEST_SHARE, TEST_SEED)
    images = Images(pixels, labels, tuple(str(name) for name in digits.target_names))
    return images.take(train if part == "train" else test)


def _read_downloaded(name: str, part: str, data_dir: Path, download: bool) -> Images:
    """Download files if needed and allowed, and read those with the checksums that torchvision knows."""
    import torchvision

    kind = getattr(torchvision.datasets, TORCHVISION[name])
    try:
        images = (_read_fashion if name == "fashion-mnist" else _read_cifar)(kind, part, data_dir, download)
    except Exception as error:  # networks, servers, archives and disks raise many kinds of errors
        raise DatasetError(_by_hand(name, kind, data_dir.resolve(), error)) from error
    if name != "cifar100-coarse":
        return images
    superclass = np.array(superclasses_of(images.classes), dtype=np.int64)
    return Images(images.pixels, superclass[images.labels], tuple(SUPERCLASSES))


def _read_cifar(kind: Any, part: str, data_dir: Path, download: bool) -> Images:
    """Read CIFAR's files; torchvision unpacks nothing outside the folder, and loads no file whose checksum is wrong."""
    try:
        source = kind(data_dir, train=part == "train")
    except RuntimeError:  # files are missing
        fetch(kind.url, data_dir / kind.filename, kind.tgz_md5, download=download)
        source = kind(data_dir, train=part == "train", download=True)  # unpacks it
    return Images(source.data.transpose(0, 3, 1, 2), np.asarray(source.targets, np.int64), tuple(source.classes))


def _read_fashion(kind: Any, part: str, data_dir: Path, download: bool) -> Images:
    """Read Fashion-MNIST from its compressed files: torchvision knows no checksums of the unpacked ones."""
    arrays = []
    for name, md5 in kind.resources:
        if name.startswith("train" if part == "train" else "t10k"):
            path = data_dir / FASHION / name
            fetch(kind.mirrors[0] + name, path, md5, download=download)
            arrays.append(_read_idx(gzip.decompress(path.read_bytes())))
    pixels, labels = arrays
    return Images(pixels[:, None], labels.astype(np.int64), tuple(kind.classes))


def _read_idx(data: bytes) -> np.ndarray:
    """Read MNIST's format: the fourth byte is the number of dimensions, then come their sizes, then the values."""
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _by_hand(name: str, kind: Any, data_dir: Path, error: Exception) -> str:
    """One line on what to download by hand, where to put it, and which dataset needs no network."""
    if name == "fashion-mnist":
        urls, place = [kind.mirrors[0] + file for file, _ in kind.resources], data_dir / FASHION
    else:
        urls, place = [kind.url], data_dir
    return (
        f"{name} must be in {data_dir} or come from the network, which failed ({' '.join(str(error).split())[:200]}): "
        f"download {' '.join(urls)} into {place}, or use --dataset digits, which needs no network"
    )
