"""Networks by name: a family, or a user's own function as `package.module:function`."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from architectures.blocks import Network
from architectures.cost import Cost, cost
from architectures.errors import instead, one_line
from architectures.families.registry import FAMILIES
from architectures.layers import Shape

if TYPE_CHECKING:
    from torch import nn


def check_name(name: str) -> None:
    """Raise ValueError unless it is a family's name or looks like a user's `package.module:function`."""
    if name not in FAMILIES and ":" not in name:
        raise ValueError(f"unknown network '{name}'{instead(name, FAMILIES)}, or your own as package.module:function")


def make_network(
    name: str, hyperparameters: Mapping[str, Any], input_shape: Shape, num_classes: int
) -> Network | nn.Module:
    """The network of a family or of a user's function, as data or as a module.

    A user's function gets the hyperparameters, and `input_shape` (C, H, W) and `num_classes` if it takes them.
    Raises ValueError for an unknown name, hyperparameter or result.
    """
    check_name(name)
    if name in FAMILIES:
        _check_known(name, hyperparameters, list(FAMILIES[name].hyperparameters))
        return FAMILIES[name](**hyperparameters)
    function = import_function(name)
    parameters = inspect.signature(function).parameters
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        _check_known(name, hyperparameters, list(parameters))
    facts = {"input_shape": input_shape, "num_classes": num_classes}
    return _call(name, function, {**hyperparameters, **{key: facts[key] for key in facts if key in parameters}})


def make_without_weights(
    name: str, hyperparameters: Mapping[str, Any], input_shape: Shape, num_classes: int
) -> Network | nn.Module:
    """As `make_network`, but the weights of a module are on the meta device if it can be built there.

    A family is made without torch.
    """
    if name in FAMILIES:
        return make_network(name, hyperparameters, input_shape, num_classes)
    import torch

    try:
        with torch.device("meta"):
            return make_network(name, hyperparameters, input_shape, num_classes)
    except ValueError:  # a module may read values while it is built, which the meta device does not have
        return make_network(name, hyperparameters, input_shape, num_classes)


def network_cost(
    name: str,
    hyperparameters: Mapping[str, Any],
    input_shape: Shape,
    num_classes: int,
    network: Network | nn.Module | None = None,
) -> Cost:
    """The cost of the network that `make_network` makes from the same arguments.

    network: what `make_without_weights` made from them, if that was called before. Raises SizeError if the network does
    not take such images, ValueError for other faults.
    """
    if network is None:
        network = make_without_weights(name, hyperparameters, input_shape, num_classes)
    if isinstance(network, Network):
        return cost(network, input_shape, num_classes)
    from architectures.module_cost import module_cost  # imports torch, which a family does not need

    def make() -> Any:
        return make_network(name, hyperparameters, input_shape, num_classes)

    return module_cost(make, input_shape, num_classes)


def import_function(name: str) -> Callable[..., Any]:
    """The function that `package.module:function` names; raises ValueError when it cannot be imported."""
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a module runs when it is imported, and may raise anything
        reason = one_line(error, named=True)
        hint = "give package.module:function"
        if isinstance(error, ModuleNotFoundError) and error.name == module.partition(".")[0]:
            file = error.name if "." in module else f"{error.name}.py"
            hint = f"call it in the folder of {file}, or give another package.module:function"
        raise ValueError(f"cannot import '{name}' ({reason}); {hint}") from error
    if not callable(function):
        raise ValueError(f"'{name}' is a {type(function).__name__}, not a function")
    return function


def _check_known(name: str, hyperparameters: Mapping[str, Any], known: list[str]) -> None:
    for key in hyperparameters:
        if key not in known:
            raise ValueError(f"network '{name}' has no hyperparameter '{key}'{instead(key, known)}")


def _call(name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> Network | nn.Module:
    """A user's network; an error in it becomes a ValueError, unless memory ran out."""
    import torch  # imported late: a family is made without it
    from torch.nn.modules.lazy import LazyModuleMixin

    try:
        network = function(**arguments)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise ValueError(f"network '{name}' raised {one_line(error, named=True)}") from error
    if not isinstance(network, Network | torch.nn.Module):
        raise ValueError(
            f"network '{name}' must return architectures.blocks.Network or torch.nn.Module, "
            f"got {type(network).__name__}"
        )
    parts = network.modules() if isinstance(network, torch.nn.Module) else ()
    if lazy := next((type(part).__name__ for part in parts if isinstance(part, LazyModuleMixin)), None):
        raise ValueError(
            f"network '{name}' has a {lazy}, whose size is unknown before it is called; use "
            f"{lazy.removeprefix('Lazy')} and give it its size"
        )
    return network
