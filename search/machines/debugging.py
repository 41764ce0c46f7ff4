"""Whether somebody debugs: then tracebacks are shown, and what libraries log."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = logging.getLogger("search")


def is_on() -> bool:
    """Whether somebody debugs."""
    return _LOGGER.isEnabledFor(logging.DEBUG)


def ray_level() -> int:
    """What Ray logs in this process."""
    return logging.INFO if is_on() else logging.ERROR


@contextmanager
def tracebacks() -> Iterator[None]:
    """Within this somebody debugs: what our modules log is on standard error, and the traceback of what is raised."""
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
