"""The cache files of decoded images, which every process of a machine maps."""

import contextlib
import fcntl
import json
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from architectures.errors import one_line
from trainables.data.images import DatasetError, Images


def cached(folder: Path, stem: str, build: Callable[[], Images]) -> Images:
    """The images that are stored under `stem` in `folder`; built and stored first if they are absent or damaged.

    Safe for any number of processes: one builds, the others wait, and only complete files get their names.
    Warns when it replaces damaged files; raises DatasetError if the folder cannot be written.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stored = _open(folder, stem)
    if stored is not None:
        return stored
    with _locked(folder):
        stored = _open(folder, stem)  # by another process, while this one waited
        if stored is not None:
            return stored
        images = build()
        try:
            with _writing(folder):
                _store(folder, stem, images)
        except BaseException:  # a full disk, a Ctrl-C: an array without its manifest only takes up room
            for array in ("pixels", "labels"):
                (folder / f"{stem}.{array}.npy").unlink(missing_ok=True)
            raise
    return _open(folder, stem) or images


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DatasetError(
            f"the cache folder {folder} must be writable, with room for the images: {error}; choose another folder "
            "with --data-dir or HPSEARCH_DATA"
        ) from error


def _open(folder: Path, stem: str) -> Images | None:
    """Map the stored images and compare their checksums; None when they are absent or damaged."""
    manifest = folder / f"{stem}.json"
    if not manifest.exists():
        return None
    try:
        described = json.loads(manifest.read_text())
        if described.pop("crc32") != _checksum(described):
            raise ValueError("the manifest has changed since it was stored")
        pixels = _map(folder / f"{stem}.pixels.npy", described["pixels"])
        labels = _map(folder / f"{stem}.labels.npy", described["labels"])
        return Images(pixels, labels, tuple(described["classes"]), described["bits"])
    except Exception as error:  # reading a damaged file may raise any error
        reason = one_line(error)
        warnings.warn(f"the image cache {manifest} is damaged and is rebuilt ({reason})", stacklevel=4)
        with _writing(folder):
            manifest.unlink(missing_ok=True)
        return None


def _map(path: Path, described: dict[str, Any]) -> np.ndarray:
    # A plain array over the mapping, because pickle protocol 5 copies a memmap and hands over a plain array without a
    # copy. Not np.load, which also reads archives and pickles.
    array = np.asarray(np.lib.format.open_memmap(path, mode="r"))
    if _describe(array) != described:
        raise ValueError(f"{path.name} has changed since it was stored")
    return array


def _describe(array: np.ndarray) -> dict[str, Any]:
    return {"shape": list(array.shape), "dtype": str(array.dtype), "crc32": zlib.crc32(array.data)}


def _checksum(described: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(described).encode())


def _store(folder: Path, stem: str, images: Images) -> None:
    """Write under temporary names and rename, the manifest last: it makes the arrays valid."""
    manifest: dict[str, Any] = {"classes": list(images.classes), "bits": images.bits}
    for name, array in (("pixels", images.pixels), ("labels", images.labels)):
        array = np.ascontiguousarray(array)
        manifest[name] = _describe(array)
        with _complete(folder / f"{stem}.{name}.npy") as file:
            np.save(file, array, allow_pickle=False)
    with _complete(folder / f"{stem}.json") as file:
        file.write(json.dumps(manifest | {"crc32": _checksum(manifest)}).encode())


@contextlib.contextmanager
def _complete(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when the block has written it; deleted if it could not be written."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system releases it when the process ends or is killed."""
    with contextlib.ExitStack() as stack:
        with _writing(folder):
            lock = stack.enter_context((folder / ".lock").open("w"))
        # Without locks two processes may both build the images; files are whole all the same, since they are renamed.
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in folder.glob("*.tmp"):  # only the lock's holder writes, so none of these is in use
                leftover.unlink()
        yield
