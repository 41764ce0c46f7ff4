"""The folder of a machine's caches."""

import os
from pathlib import Path


def cache_home() -> Path:
    """The folder of downloads, decoded images and measurements: hpsearch in $XDG_CACHE_HOME, or in ~/.cache."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # its standard says to ignore a relative path
    return (named if named.is_absolute() else Path("~/.cache")) / "hpsearch"
