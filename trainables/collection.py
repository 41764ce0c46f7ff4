"""Python's garbage collector while large libraries are imported.

It looks at all objects again whenever there are a quarter more, which makes a seventh of torch's import and a sixth of
Tune's; and what a library defines is never garbage.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Whatever is imported within this is not looked at by the collector, neither now nor later."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
