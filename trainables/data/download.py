"""Files from the network: verified before they get their name, and limited in size and time."""

import hashlib
import os
import time
import urllib.request
from pathlib import Path

BLOCK_BYTES = 1 << 18
MOST_BYTES = 1 << 30  # the largest of the known datasets has 170 MB
TIMEOUT_SECONDS = 30  # for the next byte
WINDOW_SECONDS = 30
LEAST_BYTES = 30 << 10  # in a window; a slower download is stopped


def fetch(url: str, path: Path, md5: str, *, download: bool = True) -> None:
    """Download a file unless it is there already; it gets its name only when its checksum is `md5`.

    Raises OSError if the network, the server or the disk fails, if the checksum differs, and instead of a download that
    is not allowed.
    """
    if path.is_file() and _md5(path) == md5:
        return
    if not download:
        raise FileNotFoundError(f"{path} is not there, and nothing is downloaded now")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        _download(url, temporary)
        if (found := _md5(temporary)) != md5:
            raise OSError(f"the file from {url} has the checksum {found}, not {md5}")
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)


def _download(url: str, path: Path) -> None:
    size, began = 0, time.monotonic()
    request = urllib.request.Request(url, headers={"User-Agent": "hpsearch"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as source, path.open("wb") as file:
        window_end, window_size = began + WINDOW_SECONDS, 0
        while block := source.read1(BLOCK_BYTES):  # `read` would wait until the block is full
            file.write(block)
            size += len(block)
            window_size += len(block)
            if size > MOST_BYTES:
                raise OSError(f"{url} sends more than {MOST_BYTES >> 20:,} MiB, which no dataset here has")
            if (now := time.monotonic()) > window_end:
                if window_size < LEAST_BYTES:
                    raise TimeoutError(f"{url} sends less than {LEAST_BYTES // WINDOW_SECONDS:,} bytes a second")
                window_end, window_size = now + WINDOW_SECONDS, 0


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
