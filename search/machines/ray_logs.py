"""Why processes of this session's Ray have ended, from their logs and Ray's."""

import re
from collections.abc import Iterator
from pathlib import Path

from search.machines import ray_private

_ERROR = re.compile(r"^[\w.]*(Error|Exception|Exit|Interrupt)\b.*$", re.MULTILINE)
_IMPORT = re.compile(r"^(ImportError|ModuleNotFoundError): .*$", re.MULTILINE)
_PLACE = re.compile(r'^ +File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)
MOST = 200_000  # characters of a log's end that are read


def import_error(text: str) -> str | None:
    """The last failed import in a text with tracebacks, and the file that imports; None without one."""
    return _last(_IMPORT, text)


def last_error() -> str | None:
    """The last error that a worker has written to its log, and the file that raised it; None when none has."""
    return next(_errors(ray_private.log_folder()), None)


def _errors(folder: Path) -> Iterator[str]:
    """The last error of each worker's log, the newest log first. A starting worker writes to the raylet's log."""
    logs = [*folder.glob("worker-*.err"), *folder.glob("raylet.err")]
    for log in sorted(logs, key=lambda each: each.stat().st_mtime, reverse=True):
        if error := _last(_ERROR, log.read_text(errors="replace")[-MOST:]):
            yield error


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    """The last line that matches a pattern, with the last place in a traceback before it; None without one."""
    lines = list(pattern.finditer(text))
    if not lines:
        return None
    places = list(_PLACE.finditer(text, 0, lines[-1].start()))
    return lines[-1][0] + (f" in {places[-1]['file']}, line {places[-1]['line']}" if places else "")
