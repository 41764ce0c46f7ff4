"""Every dataset a search can be run on, by name or by path, as two arrays that are decoded once a machine."""

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from trainables.data import readers
from trainables.data.cache import DatasetError, Images, cached, fingerprint
from trainables.data.decode import Progress, resize
from trainables.data.download import fetch
from trainables.data.split import split, subset

__all__ = ["DATASETS", "DatasetError", "Images", "fingerprint", "load", "split", "subset"]

TORCHVISION = {
    "cifar100": "CIFAR100",
    "cifar100-coarse": "CIFAR100",
    "cifar10": "CIFAR10",
    "fashion-mnist": "FashionMNIST",
}
DATASETS: tuple[str, ...] = (*TORCHVISION, "digits")

# Part of every cache key: a change in how images are decoded or stored adds one, and all caches are built anew.
CACHE_VERSION = 2
DIGITS_SIDE = 16
FASHION = Path("FashionMNIST", "raw")  # where torchvision puts it

# CIFAR-100: each superclass and its five classes (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images",
# 2009), spelled as in the dataset's files and in the order of its coarse labels.
SUPERCLASSES: dict[str, tuple[str, ...]] = {
    "aquatic_mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food_containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit_and_vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household_electrical_devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household_furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large_carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large_man-made_outdoor_things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large_natural_outdoor_scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large_omnivores_and_herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium_mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect_invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small_mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles_1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles_2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}


def load(
    dataset: str,
    part: Literal["train", "test"],
    *,
    data_dir: Path,
    image_size: int | None = None,
    progress: Progress | None = None,
) -> Images:
    """Load one part of a dataset, from the cache in `data_dir`/cache where it has been decoded before.

    `dataset` is one of DATASETS, downloaded into `data_dir` where needed, or the path of a folder: class folders, alone
    or in train/ and test/, or Parquet files. `image_size` resizes to image_size × image_size pixels;
    `progress(done, total)` is called now and then while a folder is decoded. The arrays are mapped read-only. Raises
    DatasetError for an unknown name, a dataset that is not clean, and a download or a cache that fails.
    """
    if image_size is not None and image_size < 1:
        raise DatasetError(f"the image size must be at least 1 pixel, not {image_size}")
    if dataset in DATASETS:
        return cached(
            data_dir / "cache",
            _stem(dataset, part, image_size, []),  # a name stands for fixed content: its checksums are pinned
            lambda: _read_known(dataset, part, data_dir, image_size),
        )
    try:
        root = Path(dataset).expanduser().resolve()
        found = root.is_dir()
    except (OSError, RuntimeError, ValueError):  # too long, a user who does not exist, a NUL
        found = False
    if not found:
        raise DatasetError(f"a dataset is one of {', '.join(DATASETS)} or a folder that exists; {dataset!r} is neither")
    try:
        layout = readers.find(root)
        sources = [str(root), *map(_state, layout.files(part))]
    except OSError as error:
        raise DatasetError(f"{root} and everything below it must be readable: {error}") from error
    return cached(
        data_dir / "cache",
        _stem(root.name, part, image_size, sources),
        lambda: readers.read(layout, part, image_size, progress),
    )


def _stem(name: str, part: str, image_size: int | None, sources: Any) -> str:
    """File name of a cache entry, readable in front and unique behind."""
    key = json.dumps([CACHE_VERSION, name, part, image_size, sources])
    digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:40]}-{part}-{image_size or 'full'}-{digest}"


def _state(file: Path) -> tuple[str, int, int]:
    found = file.stat()
    return str(file), found.st_size, found.st_mtime_ns


def _read_known(name: str, part: str, data_dir: Path, image_size: int | None) -> Images:
    images = _read_digits(part) if name == "digits" else _read_downloaded(name, part, data_dir)
    side = image_size or (DIGITS_SIDE if name == "digits" else None)
    if side is None:
        return images
    return Images(np.stack([_resize(image, side) for image in images.pixels]), images.labels, images.classes)


def _resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """Resize uint8 (C, H, W) to (C, side, side)."""
    return np.stack([np.asarray(resize(Image.fromarray(channel), side)) for channel in pixels])


def _read_digits(part: str) -> Images:
    """Read the 1,797 handwritten digits that come with scikit-learn: 8×8, grey, their 0..16 scaled to 0..255."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = digits.target.astype(np.int64)
    train, test = split(labels, readers.TEST_SHARE, readers.TEST_SEED)
    images = Images(pixels, labels, tuple(str(name) for name in digits.target_names))
    return images.take(train if part == "train" else test)


def _read_downloaded(name: str, part: str, data_dir: Path) -> Images:
    """Download where needed, and read what has been compared with the checksums that torchvision knows."""
    import torchvision

    kind = getattr(torchvision.datasets, TORCHVISION[name])
    try:
        images = (_read_fashion if name == "fashion-mnist" else _read_cifar)(kind, part, data_dir)
    except Exception as error:  # networks, servers, archives and disks fail in as many ways as there are modules
        raise DatasetError(_by_hand(name, kind, data_dir.resolve(), error)) from error
    if name != "cifar100-coarse":
        return images
    numbers = {fine: number for number, members in enumerate(SUPERCLASSES.values()) for fine in members}
    superclass = np.array([numbers[fine] for fine in images.classes], dtype=np.int64)
    return Images(images.pixels, superclass[images.labels], tuple(SUPERCLASSES))


def _read_cifar(kind: Any, part: str, data_dir: Path) -> Images:
    """Read CIFAR's files; torchvision unpacks nothing outside the folder, and loads no file whose checksum is wrong."""
    try:
        source = kind(data_dir, train=part == "train")
    except RuntimeError:  # not all there
        fetch(kind.url, data_dir / kind.filename, kind.tgz_md5)
        source = kind(data_dir, train=part == "train", download=True)
    return Images(source.data.transpose(0, 3, 1, 2), np.asarray(source.targets, np.int64), tuple(source.classes))


def _read_fashion(kind: Any, part: str, data_dir: Path) -> Images:
    """Read Fashion-MNIST from its compressed files: torchvision knows no checksums of the unpacked ones."""
    arrays = []
    for name, md5 in kind.resources:
        if name.startswith("train" if part == "train" else "t10k"):
            path = data_dir / FASHION / name
            fetch(kind.mirrors[0] + name, path, md5)
            arrays.append(_read_idx(gzip.decompress(path.read_bytes())))
    pixels, labels = arrays
    return Images(pixels[:, None], labels.astype(np.int64), tuple(kind.classes))


def _read_idx(data: bytes) -> np.ndarray:
    """Read MNIST's format: a byte that counts dimensions is the fourth, then each as four bytes, then the values."""
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _by_hand(name: str, kind: Any, data_dir: Path, error: Exception) -> str:
    """Say in one line what to fetch, where to put it, and what works without."""
    if name == "fashion-mnist":
        urls, place = [kind.mirrors[0] + file for file, _ in kind.resources], data_dir / FASHION
    else:
        urls, place = [kind.url], data_dir
    return (
        f"{name} must be in {data_dir} or come from the network, which failed ({' '.join(str(error).split())[:200]}): "
        f"download {' '.join(urls)} into {place}, or use --dataset digits, which needs no network"
    )
