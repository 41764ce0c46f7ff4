"""The eight families of Lopez (2024): parameterised networks whose defaults are the published ones.

A family is a function of a few hyperparameters that returns a `CNN`. The decorated function gives the published
network; the family varies it. A user's own network is named `package.module:function`.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from architectures.blocks import CNN, Activation, Dense, Head, Shape, Unit
from architectures.errors import one_line

if TYPE_CHECKING:
    from torch import nn

POOLS = ("published", "max", "average")
NORMS = ("published", "everywhere", "none")
_MOST_WIDTH = 1_000_000


@dataclass(frozen=True)
class Family:
    """A named network and its variations; call it with hyperparameters to get the data."""

    name: str
    published: CNN

    def __call__(
        self,
        *,
        width: float = 1.0,
        activation: str = "published",
        pool: str = "published",
        norm: str = "published",
        conv_dropout: float | None = None,
        head_dropout: float | None = None,
        head_widths: Sequence[int] | None = None,
    ) -> CNN:
        """The family's network, varied; the defaults change nothing.

        width: factor on every channel count and hidden width, rounded, at least one.
        activation: one of `spec.ACTIVATIONS` in place of every published one; where there is none it stays so.
        pool: "max" or "average" in place of every published pooling; where a network pools stays as it is.
        norm: batch norm after every convolution and hidden layer ("everywhere") or after none ("none").
        conv_dropout: dropout after every unit. head_dropout: after every hidden layer, or before the classifier where
        there is none. head_widths: widths of the hidden layers, before the width factor.
        """
        _choose("pool", pool, POOLS)
        _choose("norm", norm, NORMS)
        if not (_is_number(width) and 0 < width <= 64):
            raise ValueError(f"width must be a factor in (0, 64], got {width!r}")
        for key, dropout in (("conv_dropout", conv_dropout), ("head_dropout", head_dropout)):
            if dropout is not None and not (_is_number(dropout) and 0 <= dropout < 1):
                raise ValueError(f"{key}: dropout must lie in [0, 1), got {dropout!r}")
        chosen = None if activation == "published" else Activation(activation)
        pooling: Any = pool
        shared: dict[str, Any] = {} if norm == "published" else {"norm": norm == "everywhere"}
        units = tuple(
            replace(
                unit,
                channels=_scale(unit.channels, width),
                pool=unit.pool if pool == "published" or not unit.pool else pooling,
                dropout=unit.dropout if conv_dropout is None else conv_dropout,
                activation=chosen if chosen and unit.activation else unit.activation,
                **shared,
            )
            for unit in self.published.units
        )
        head = self.published.head
        hidden = head.hidden if head_widths is None else _with_widths(head.hidden, head_widths)
        hidden = tuple(
            replace(
                dense,
                width=_scale(dense.width, width),
                dropout=dense.dropout if head_dropout is None else head_dropout,
                activation=chosen or dense.activation,
                **shared,
            )
            for dense in hidden
        )
        before = head.dropout if head_dropout is None or hidden else head_dropout
        return CNN(units=units, head=replace(head, hidden=hidden, dropout=before))


FAMILIES: dict[str, Family] = {}


def family(published: Callable[[], CNN]) -> Family:
    """Register a function that returns a published network as the family of its name; raises on a duplicate."""
    name = published.__name__
    if name in FAMILIES:
        raise ValueError(f"the family '{name}' exists already")
    FAMILIES[name] = Family(name, published())
    return FAMILIES[name]


def make_network(
    name: str, hyperparameters: Mapping[str, Any], input_shape: Shape, num_classes: int
) -> CNN | nn.Module:
    """The network of a family or of a user's `package.module:function`, as data or as a module.

    A user's function gets the hyperparameters, and `input_shape` (C, H, W) and `num_classes` when it names them.
    Raises ValueError for an unknown name, hyperparameter or result.
    """
    check_name(name)
    if ":" not in name:
        function: Callable[..., Any] = FAMILIES[name]
        signature = inspect.signature(FAMILIES[name].__call__)
    else:
        function = import_function(name)
        signature = inspect.signature(function)
    arguments = dict(hyperparameters)
    known = signature.parameters
    open_ended = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in known.values())
    if unknown := [key for key in arguments if key not in known and not open_ended]:
        raise ValueError(f"network '{name}' has no hyperparameter '{unknown[0]}'; known: {', '.join(known)}")
    for key, value in (("input_shape", input_shape), ("num_classes", num_classes)):
        if key in known:
            arguments[key] = value
    return function(**arguments) if name in FAMILIES else _call(name, function, arguments)


def check_name(name: str) -> None:
    """Raise ValueError unless it is a family's name or looks like a user's `package.module:function`."""
    if name not in FAMILIES and ":" not in name:
        raise ValueError(
            f"unknown network '{name}'; known: {', '.join(FAMILIES)}, or your own as package.module:function"
        )


def _call(name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> CNN | nn.Module:
    """A user's network; what it raises becomes a ValueError, but for a lack of memory."""
    import torch  # imported late: a family is data, and shown without it

    try:
        network = function(**arguments)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise ValueError(f"network '{name}' raised {type(error).__name__}: {error}") from error
    if not isinstance(network, CNN | torch.nn.Module):
        raise ValueError(
            f"network '{name}' must return architectures.blocks.CNN or torch.nn.Module, got {type(network).__name__}"
        )
    return network


def import_function(name: str) -> Callable[..., Any]:
    """The function that `package.module:function` names; raises ValueError when it cannot be imported."""
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # a module runs when it is imported, and may raise anything
        reason = one_line(error, named=True)
        raise ValueError(f"cannot import '{name}' ({reason}); give package.module:function") from error
    if not callable(function):
        raise ValueError(f"'{name}' is a {type(function).__name__}, not a function")
    return function


def _choose(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"unknown {what} '{value}'; known: {', '.join(known)}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(count: int, width: float) -> int:
    return max(1, round(count * width))


def _with_widths(hidden: tuple[Dense, ...], widths: Sequence[int]) -> tuple[Dense, ...]:
    """Hidden layers of these widths; each takes the rest from the published layer in its place, or the last one."""
    if not isinstance(widths, list | tuple):
        raise ValueError(f"head_widths must be a list of whole numbers, such as [256, 128], got {widths!r}")
    for width in widths:
        if isinstance(width, bool) or not isinstance(width, int) or width > _MOST_WIDTH:
            raise ValueError(f"head_widths must be whole numbers up to {_MOST_WIDTH:,}, got {width!r}")
    models = hidden or (Dense(width=1),)
    return tuple(replace(models[min(i, len(models) - 1)], width=width) for i, width in enumerate(widths))


def _leaky(slope: float) -> Activation:
    return Activation("leaky_relu", slope)


@family
def cnn1() -> CNN:
    """Five units; the fourth goes from its convolution straight to its pooling."""
    return CNN(
        units=(
            Unit(channels=48, norm=True),
            Unit(channels=100, norm=True, pool="average"),
            Unit(channels=128),
            Unit(channels=200, activation=None, pool="max"),
            Unit(channels=256, pool="max", dropout=0.2),
        ),
        head=Head(hidden=(Dense(width=150, dropout=0.3),)),
    )


@family
def cnn2() -> CNN:
    """Four units before a wide hidden layer, which holds most of its parameters."""
    return CNN(
        units=(
            Unit(channels=32, norm=True),
            Unit(channels=64, norm=True, pool="max"),
            Unit(channels=150, norm=True),
            Unit(channels=300, pool="max"),
        ),
        head=Head(hidden=(Dense(width=512, dropout=0.3),)),
    )


@family
def cnn3() -> CNN:
    """Three pooled units, the first with a 7×7 kernel."""
    leaky = _leaky(0.01)
    return CNN(
        units=(
            Unit(channels=32, kernel=7, norm=True, activation=leaky, pool="max"),
            Unit(channels=150, norm=True, activation=leaky, pool="max"),
            Unit(channels=200, activation=leaky, pool="max", dropout=0.1),
        ),
        head=Head(hidden=(Dense(width=256, dropout=0.3),)),
    )


@family
def cnn4() -> CNN:
    """Four pooled units with kernels from 5×5 down to 1×1."""
    leaky = _leaky(0.01)
    return CNN(
        units=(
            Unit(channels=32, kernel=5, norm=True, activation=leaky, pool="average"),
            Unit(channels=132, norm=True, activation=leaky, pool="max", dropout=0.1),
            Unit(channels=256, kernel=2, activation=leaky, pool="average", dropout=0.1),
            Unit(channels=200, kernel=1, activation=leaky, pool="max", dropout=0.1),
        ),
        head=Head(hidden=(Dense(width=128, dropout=0.3),)),
    )


@family
def cnn5() -> CNN:
    """The smallest: two units, a leaky ReLU after the first and a ReLU after the second, no hidden layer."""
    return CNN(
        units=(
            Unit(channels=32, kernel=2, activation=_leaky(0.01), pool="max"),
            Unit(channels=128, pool="max"),
        )
    )


@family
def cnn6() -> CNN:
    """Three wide normalised units without a hidden layer: the published winner on validation."""
    return CNN(
        units=(
            Unit(channels=128, norm=True, pool="max"),
            Unit(channels=246, norm=True, pool="max"),
            Unit(channels=256, norm=True),
        )
    )


@family
def cnn7() -> CNN:
    """Four wide normalised units with dropout and no hidden layer: the published winner on test."""
    leaky = _leaky(0.1)
    return CNN(
        units=(
            Unit(channels=38, norm=True, activation=leaky, pool="max", dropout=0.25),
            Unit(channels=255, norm=True, activation=leaky, dropout=0.1),
            Unit(channels=399, norm=True, activation=leaky, pool="max", dropout=0.1),
            Unit(channels=200, norm=True, activation=leaky, dropout=0.1),
        )
    )


@family
def cnn8() -> CNN:
    """Four normalised units with kernels of 5, 4, 3 and 2, and two hidden layers."""
    return CNN(
        units=(
            Unit(channels=32, kernel=5, norm=True),
            Unit(channels=64, kernel=4, norm=True, pool="max"),
            Unit(channels=128, norm=True, dropout=0.1),
            Unit(channels=256, kernel=2, norm=True, pool="max", dropout=0.1),
        ),
        head=Head(
            hidden=(
                Dense(width=256, activation=_leaky(0.05), dropout=0.2),
                Dense(width=128, dropout=0.2),
            )
        ),
    )
