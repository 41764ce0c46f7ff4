"""What to stop, pause or go on with; one file a scheduler, whose names are known without importing them.

To add a scheduler, add a module of its name with a class under `@scheduler("its name")`: see
`search.schedulers.scheduler`.
"""

from pkgutil import iter_modules

SCHEDULERS = tuple(module.name for module in iter_modules(__path__) if module.name != "scheduler")
"""The names of the schedulers."""
