"""What to stop, pause or go on with; one file a scheduler, found by its name.

A new scheduler is a module of this package with a class under `@scheduler("its name")`.
"""

import importlib
import pkgutil

from search.schedulers.scheduler import SCHEDULERS, Scheduler, SchedulerError, make_scheduler

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["SCHEDULERS", "Scheduler", "SchedulerError", "make_scheduler"]
