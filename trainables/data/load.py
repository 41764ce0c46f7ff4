"""Every dataset a search can be run on, by name or by path, as two arrays that are decoded once a machine."""

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
from trainables.data.formats.format import AS_NAMED, Columns, Files, Part
from trainables.data.images import DatasetError, Images
from trainables.data.known import DATASETS, read_known

# Part of every cache key: a change in how images are decoded or stored adds one, and all caches are built anew.
CACHE_VERSION = 3


def load(
    dataset: str,
    part: Part,
    *,
    data_dir: Path,
    image_size: int | None = None,
    columns: Columns = AS_NAMED,
    progress: Progress | None = None,
) -> Images:
    """Load one part of a dataset, from the cache in `data_dir`/cache where it has been decoded before.

    `dataset` is one of DATASETS, downloaded into `data_dir` where needed, or the path of a folder in one of the formats
    of `trainables.data.formats`; only a folder may have a validation part. `image_size` resizes to image_size ×
    image_size pixels; `columns` are those of Parquet files; `progress(done, total)` is called now and then while a
    folder is decoded. The arrays are mapped read-only. Raises DatasetError for an unknown name, a dataset with a fault,
    and a download or a cache that fails.
    """
    if image_size is not None and image_size < 1:
        raise DatasetError(f"the image size must be at least 1 pixel, not {image_size}")
    if dataset in DATASETS:
        return cached(
            data_dir / "cache",
            _stem(dataset, part, image_size, []),  # a name stands for fixed content: its checksums are pinned
            lambda: read_known(dataset, part, data_dir, image_size),
        )
    root, of, files = find(dataset)
    sources = _sources(root, files, part, columns)
    return cached(
        data_dir / "cache",
        _stem(root.name, part, image_size, sources),
        lambda: read.read(root, of, files, part, columns, image_size, progress),
    )


def check_test(
    dataset: str, *, data_dir: Path, image_size: int | None, columns: Columns, size: tuple[int, int]
) -> None:
    """Read the headers of a folder's test images, once a machine, and none of their pixels; `size` is that of train.

    Raises DatasetError for images that a test pass, long after this, could not use.
    """
    if dataset in DATASETS:
        return
    root, of, files = find(dataset)
    stem = _stem(root.name, "test-headers", image_size, _sources(root, files, "test", columns))
    checked = data_dir / "cache" / f"{stem}.checked"
    if not checked.exists():
        read.check_test(root, of, files, columns, None if image_size else size)
        with contextlib.suppress(OSError):  # they are then checked again
            checked.touch()


def _sources(root: Path, files: Files, part: Part, columns: Columns) -> list[Any]:
    """All that decides the content of a part; raises DatasetError for files that cannot be looked at."""
    try:
        # Classes, size and colour of the other parts come from train.
        needed = files.train if part == "train" else files.train + files.of(part)
        sources: list[Any] = [str(root), *map(_state, needed)]
    except OSError as error:
        raise unreadable(root, error) from error
    return sources + ([] if columns == AS_NAMED else [columns.label, columns.image])


def _stem(name: str, part: str, image_size: int | None, sources: Any) -> str:
    """The file name of a cache entry: a readable beginning, and a digest of all that decides its content."""
    key = json.dumps([CACHE_VERSION, name, part, image_size, sources])
    digest = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:40]}-{part}-{image_size or 'full'}-{digest}"


def _state(file: Path) -> tuple[str, int, int]:
    found = file.stat()
    return str(file), found.st_size, found.st_mtime_ns
