"""The hyperparameters that configurations may have, derived from the known optimizers, training and families."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from architectures.families import FAMILIES
from search.history.record import is_family
from trainables.config import TrainingConfig
from trainables.optimizers import ARGUMENTS
from trainables.transforms import TRANSFORMS

#: The columns of 0.1.0 in their order, which must not change; later hyperparameters come after them.
_FIRST = (
    *("lr", "weight_decay", "beta1", "beta2", "alpha", "momentum", "dampening"),
    *("initial_accumulator_value", "lr_decay", "label_smoothing", "width", "conv_dropout", "head_dropout"),
    *("activation", "pool", "norm", "head_widths", "schedule", "augment"),
)
#: Fields of the training that other columns show: two that every trial has, and one for each transform.
_OTHERWISE = ("batch_size", "epochs", "transforms")


@cache
def hyperparameter_columns() -> dict[str, bool]:
    """Every hyperparameter by name, in the order of the tables, and whether its values are numbers.

    If parts of a configuration use the same name with different types, its values are text.
    """
    found: dict[str, bool] = {}
    for name, hint in (*_of_optimizers(), *_of_training(), *_of_families()):
        found[name] = found.get(name, True) and _is_number(hint)
    places = {name: place for place, name in enumerate(_FIRST)}
    return {name: found[name] for name in sorted(found, key=lambda name: places.get(name, len(places)))}


def hyperparameters_of(config: Mapping[str, Any]) -> dict[str, float | str | None]:
    """A configuration's hyperparameters by name; values that are neither numbers nor text are JSON.

    Those of a user's own network are left out, as they may have any names, and so are transforms for which the
    training is too short (`mixing_from`).
    """
    network, optimizer, training = config["network"], config["optimizer"], config["training"]
    active = TrainingConfig.of(training).active_transforms
    training = {name: value for name, value in training.items() if name not in TRANSFORMS or name in active}
    carried = {**(network if is_family(network["name"]) else {}), **optimizer, **training}
    found = {}
    for name, is_number in hyperparameter_columns().items():
        if name in carried:
            value = carried[name]
            found[name] = value if is_number or isinstance(value, str | None) else json.dumps(value)
    return found


def _of_optimizers() -> list[tuple[str, Any]]:
    return [(name, float) for name in ("lr", "weight_decay", *ARGUMENTS)]


def _of_training() -> list[tuple[str, Any]]:
    hints = get_type_hints(TrainingConfig)
    plain = [(field.name, hints[field.name]) for field in fields(TrainingConfig) if field.name not in _OTHERWISE]
    return [*plain, *((name, float) for name in TRANSFORMS)]


def _of_families() -> list[tuple[str, Any]]:
    signatures = (inspect.signature(family.function, eval_str=True) for family in FAMILIES.values())
    return [(p.name, p.annotation) for signature in signatures for p in signature.parameters.values()]


def _is_number(hint: Any) -> bool:
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return set(kinds) - {NoneType} <= {int, float}


def width_of(network: str, given: Mapping[str, Any]) -> tuple[Any, bool]:
    """A network's hyperparameter `width`, by default its family's, and whether it is a number of units.

    A share of a width may be written as 1, so a family's default says which of the two it is. None without such a
    hyperparameter. given: the hyperparameters of its configuration.
    """
    default = FAMILIES[network].hyperparameters.get("width") if network in FAMILIES else None
    width = given.get("width", default)
    return width, isinstance(width if default is None else default, int)
