"""Processes by where they stand."""

from pathlib import Path


def processes_in(folder: Path) -> dict[int, str]:
    """Those whose working directory lies in a folder, with their titles: a command's, Ray's and the workers'."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink().is_relative_to(folder):
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ").strip()[:500]
        except OSError:  # gone, or dead and not yet waited for
            continue
    return found
