"""Named networks. A module in this folder that decorates a function with `registry.family` adds a family."""

import importlib
import pkgutil

from architectures.families.named import (
    check_name,
    import_function,
    make_network,
    make_without_weights,
    network_cost,
)
from architectures.families.registry import FAMILIES, Family, family

__all__ = [
    "FAMILIES",
    "Family",
    "check_name",
    "family",
    "import_function",
    "make_network",
    "make_without_weights",
    "network_cost",
]

# The published eight first, so that tables and messages begin with them.
for _name in ("published", *(module.name for module in pkgutil.iter_modules(__path__))):
    importlib.import_module(f"{__name__}.{_name}")
