"""Every dataset a search can be run on, by name or by path, as two arrays that are decoded once per machine."""

import contextlib
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from trainables.data import read
from trainables.data.cache import cached
from trainables.data.decode import Progress
from trainables.data.find import find, unreadable
from trainables.data.formats.format import AS_NAMED, Columns, Part
from trainables.data.images import DatasetError, Images
from trainables.data.known import DATASETS, read_known
from trainables.data.own import Own

# Part of every cache key: a change in how images are decoded or stored adds one, and all caches are built again.
CACHE_VERSION = 6


def load(
    dataset: str,
    part: Part,
    *,
    data_dir: Path,
    image_size: int | None = None,
    columns: Columns = AS_NAMED,
    progress: Progress | None = None,
    download: bool = True,
) -> Images:
    """Load one part of a dataset, from the cache in `data_dir`/cache if it has been decoded before.

    `dataset` is one of DATASETS, downloaded into `data_dir` if needed, or the path of a folder or file in one of the
    formats of `trainables.data.formats`; only these may have a validation part. `image_size` resizes to image_size ×
    image_size pixels; `columns` are those of labels and images; `progress(done, total)` is called now and then while
    images are decoded. Without `download`, one of DATASETS must be in `data_dir`, which is not made. The arrays are
    mapped read-only. Raises DatasetError for an unknown name, a dataset with a fault, and a download or a cache that
    fails.
    """
    if dataset not in DATASETS:
        return load_own(find(dataset, columns), part, data_dir=data_dir, image_size=image_size, progress=progress)
    _check_size(image_size)
    if not download and not data_dir.is_dir():
        raise DatasetError(f"{dataset} must be in {data_dir}, which is not here")
    return cached(
        data_dir / "cache",
        _stem(dataset, part, image_size, []),  # a name stands for fixed content: its checksums are pinned
        lambda: read_known(dataset, part, data_dir, image_size, download=download),
    )


def load_own(
    own: Own, part: Part, *, data_dir: Path, image_size: int | None = None, progress: Progress | None = None
) -> Images:
    """Load one part of a user's own dataset that has been found already."""
    _check_size(image_size)
    return cached(
        data_dir / "cache",
        _stem(own.root.name, part, image_size, _sources(own, part)),
        lambda: read.read(own, part, image_size, progress),
    )


def check_test(own: Own, *, data_dir: Path, image_size: int | None, size: tuple[int, int]) -> None:
    """Read only the headers of a user's test images, once per machine; `size` is that of train.

    Raises DatasetError for images that a test pass, long after this, could not use.
    """
    stem = _stem(own.root.name, "test-headers", image_size, _sources(own, "test"))
    checked = data_dir / "cache" / f"{stem}.checked"
    if not checked.exists():
        read.check_test(own, None if image_size else size)
        with contextlib.suppress(OSError):  # they are then checked again
            checked.touch()


def _check_size(image_size: int | None) -> None:
    if image_size is not None and image_size < 1:
        raise DatasetError(f"the image size must be at least 1 pixel, not {image_size}")


def _sources(own: Own, part: Part) -> list[Any]:
    try:
        return own.sources(part)
    except OSError as error:
        raise unreadable(own.root, error) from error


def _stem(name: str, part: str, image_size: int | None, sources: Any) -> str:
    """The file name of a cache entry: a readable beginning, and a digest of everything that decides its content."""
    key = json.dumps([CACHE_VERSION, name, part, image_size, sources])
    digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:40]}-{part}-{image_size or 'full'}-{digest}"
