"""Python's garbage collector while large libraries are imported.

It looks at all objects again whenever there are a quarter more. That takes a seventh of the time that torch's import
takes, and a sixth of Tune's, although what a library defines is never garbage.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Python's last collection takes them down too; else triton's bindings (nanobind) report them as leaks.
atexit.register(gc.unfreeze)


@contextmanager
def paused() -> Iterator[None]:
    """The collector does not run within this, and later leaves out all objects that exist at the end of it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
