"""What to stop, pause or go on with; one file a scheduler, whose names are known without importing them.

To add a scheduler, add a module of its name (with _ for -) with a class under `@scheduler("its name")`: see
`search.schedulers.scheduler`.
"""

from pkgutil import iter_modules

_SHARED = ("scheduler", "promoting", "objectives")  # modules that are no scheduler

SCHEDULERS = tuple(module.name.replace("_", "-") for module in iter_modules(__path__) if module.name not in _SHARED)
"""The names of the schedulers."""
