"""The registry of families: named networks as functions of a few hyperparameters."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from architectures.blocks import Network


@dataclass(frozen=True)
class Family:
    """A named network and its variations."""

    name: str
    """Its name in a configuration."""
    function: Callable[..., Network]
    """Takes the hyperparameters as keywords; the defaults give the network as it was published."""
    group: str
    """The file that it is in, such as `report2`: a column of tables."""

    def __call__(self, **hyperparameters: Any) -> Network:
        """The network as data; raises ValueError for an impossible hyperparameter."""
        return self.function(**hyperparameters)

    @property
    def hyperparameters(self) -> dict[str, Any]:
        """Each hyperparameter with its default."""
        return {name: p.default for name, p in inspect.signature(self.function).parameters.items()}


FAMILIES: dict[str, Family] = {}


def register(name: str, function: Callable[..., Network], module: str) -> Family:
    """Register a function as the family of this name; raises ValueError when the name is taken.

    module: the full name of the module that the family is in.
    """
    if name in FAMILIES:
        raise ValueError(f"the family '{name}' exists already")
    FAMILIES[name] = Family(name, function, module.rpartition(".")[2])
    return FAMILIES[name]


def family(function: Callable[..., Network]) -> Family:
    """Register a function as the family of its name; a decorator.

    Its keywords are the hyperparameters, plain JSON values, and its defaults give the published network.
    `tests/architectures/families/test_registry.py` then tests it.
    """
    return register(function.__name__, function, function.__module__)
