"""Where a machine keeps what it need not find out again."""

import os
from pathlib import Path


def cache_home() -> Path:
    """The folder of downloads, decoded images and measurements: hpsearch in $XDG_CACHE_HOME, or in ~/.cache."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))  # one that is not absolute is to be ignored, says its standard
    return (named if named.is_absolute() else Path("~/.cache")) / "hpsearch"
