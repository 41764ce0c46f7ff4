"""Debugging: tracebacks, and the logs of libraries, are shown only when it is on."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = logging.getLogger("search")


def is_on() -> bool:
    """Whether debugging is on."""
    return _LOGGER.isEnabledFor(logging.DEBUG)


def ray_level() -> int:
    """The level of Ray's logs in this process."""
    return logging.INFO if is_on() else logging.ERROR


@contextmanager
def tracebacks() -> Iterator[None]:
    """Turn debugging on within this block: our modules' logs and the traceback of an error go to standard error."""
    handler, level = logging.StreamHandler(), _LOGGER.level
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG)
    try:
        yield
    except Exception:
        traceback.print_exc()
        raise
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(level)
