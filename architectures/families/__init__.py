"""Named networks as functions of a few hyperparameters."""

from architectures.families.published import FAMILIES, Family, check_name, family, import_function, make_network

__all__ = ["FAMILIES", "Family", "check_name", "family", "import_function", "make_network"]
