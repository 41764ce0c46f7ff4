"""Schedulers: which trials to stop, pause or continue. One file each; listing their names imports none of them.

To add a scheduler, add a module of its name (with _ for -) with a class under `@scheduler("its name")`: see
`search.schedulers.scheduler`.
"""

from pkgutil import iter_modules

_SHARED = ("scheduler", "promoting", "objectives")  # modules that are not schedulers

SCHEDULERS = tuple(module.name.replace("_", "-") for module in iter_modules(__path__) if module.name not in _SHARED)
"""The names of the schedulers."""
