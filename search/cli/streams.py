"""Standard output and standard error that may lose their reader: unread text is dropped, and the work continues."""

import codecs
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

#: Errors of a write without a reader: a closed pipe, a terminal that is gone, a descriptor that is closed.
GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF})
#: How streams write what they cannot encode: see `escaped`.
ESCAPED = "hpsearch.escaped"


def escaped(error: UnicodeError) -> tuple[str, int]:
    """The replacement of characters that cannot be encoded: bytes of a name that is not UTF-8 as \\xe9, others as ?."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    shown = (f"\\x{ord(each) - 0xDC00:02x}" if "\udc80" <= each <= "\udcff" else "?" for each in letters)
    return "".join(shown), error.end


codecs.register_error(ESCAPED, escaped)


class Unheard:
    """A text stream whose text is discarded after the first write that fails because it has no reader any more.

    Every other failure, such as a full disk, is raised.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """As `TextIO.write`."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        """As `TextIO.flush`."""
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def _discard(self, error: OSError) -> None:
        if error.errno not in GONE:
            raise error
        discard(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def discard(stream: TextIO) -> None:
    """Discard what is written to a stream from now on, and what it still holds."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def kept() -> Iterator[None]:
    """Within this context, standard output and standard error can be written to, with or without a reader.

    A descriptor that was closed before the start is opened. Otherwise the next opened file would get its number, and
    everything that is printed would go into that file.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    out = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    error = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
    with redirect_stdout(cast(TextIO, Unheard(out))), redirect_stderr(cast(TextIO, Unheard(error))):
        yield
