"""Checks of the folder of datasets, and of storages."""

import os
import re
import time
from pathlib import Path

from architectures.errors import one_line
from search.machines.row import Row
from trainables import files
from trainables.data.known import DATASETS


def datasets(data_dir: Path) -> Row:
    """Which of the known datasets have already been decoded."""
    cached = [name for name in DATASETS if any((data_dir / "cache").glob(f"{name}-train-*.json"))]
    return Row("datasets", f"decoded: {', '.join(cached)}" if cached else "none decoded yet; the first launch does it")


def round_trip(storage: str) -> Row:
    """Write, read and delete a small file in a storage."""
    place = files.Folder(storage)
    name, content = f".hpsearch-doctor-{os.getpid()}", b"a small file"
    began = time.perf_counter()
    try:
        place.write(name, content)
        same = place.read(name) == content
        place.remove(name)
    except OSError as error:
        reason = re.sub(r"//[^/@\s]*@", "//", one_line(error))[:200]
        return Row(
            "storage",
            reason,
            "problem",
            "s3:// takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a folder must be writable",
        )
    if not same:
        return Row("storage", "what was read is not what was written", "problem", "use another storage")
    return Row("storage", f"written, read and deleted in {(time.perf_counter() - began) * 1e3:.0f} ms")
