"""What the processes of this session's Ray have written last, where they say why they ended."""

import re
from collections.abc import Iterator
from pathlib import Path

from search.machines import ray_private

_ERROR = re.compile(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception|Exit|Interrupt))\b.*$", re.MULTILINE)
_PLACE = re.compile(r'^ +File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
MOST = 200_000  # characters of a log's end that are read


def last_error() -> str | None:
    """The last error that a worker has written, with the file and line that raised it; None when none has."""
    return next(_errors(ray_private.log_folder()), None)


def _errors(folder: Path) -> Iterator[str]:
    """The last error of each log of the workers, the newest log first."""
    logs = [*folder.glob("worker-*.err"), *folder.glob("raylet.err")]
    for log in sorted(logs, key=lambda each: each.stat().st_mtime, reverse=True):
        text = log.read_text(errors="replace")[-MOST:]
        if errors := list(_ERROR.finditer(text)):
            places = list(_PLACE.finditer(text, 0, errors[-1].start()))
            where = f" ({places[-1]['file']}, line {places[-1]['line']})" if places else ""
            yield errors[-1][0] + where
