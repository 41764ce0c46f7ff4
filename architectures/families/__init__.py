"""Named networks. A module in this folder that decorates a function with `registry.family` adds a family."""

import importlib
import pkgutil

from architectures.families import published  # first, so that tables and messages begin with the published eight
from architectures.families.named import check_name, import_function, make_network, network_cost
from architectures.families.registry import FAMILIES, Family, family

__all__ = [
    "FAMILIES",
    "Family",
    "check_name",
    "family",
    "import_function",
    "make_network",
    "network_cost",
    "published",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
