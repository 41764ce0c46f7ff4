"""The eight networks of Lopez (2024) as families that share their hyperparameters.

Each decorated function gives a published network, and the family varies it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from architectures.blocks import Dense, Head, Network, Unit
from architectures.checks import check_choice, check_counts, check_dropout, check_factor, scaled
from architectures.families.registry import Family, register
from architectures.steps import Activation

PUBLISHED = ("cnn1", "cnn2", "cnn3", "cnn4", "cnn5", "cnn6", "cnn7", "cnn8")
"""The families of the published search. The spaces draw from these, whatever else the registry holds."""

POOLS = ("published", "max", "average")
NORMS = ("published", "everywhere", "none")
_MOST_WIDTH = 1_000_000


@dataclass(frozen=True, kw_only=True)
class _Plain:
    """A published network before it is varied."""

    units: tuple[Unit, ...]
    """Its convolutional units."""
    head: Head = field(default_factory=Head)
    """Its head."""


def _vary(
    published: _Plain,
    *,
    width: float = 1.0,
    activation: str = "published",
    pool: str = "published",
    norm: str = "published",
    conv_dropout: float | None = None,
    head_dropout: float | None = None,
    head_widths: Sequence[int] | None = None,
) -> Network:
    """A published network, varied; the defaults change nothing.

    width: factor on every channel count and hidden width, rounded, at least one.
    activation: one of `steps.ACTIVATIONS` in place of every published one; a unit without one stays without.
    pool: "max" or "average" in place of every published pooling; a unit that does not pool stays so.
    norm: batch norm after every convolution and hidden layer ("everywhere") or after none of them ("none").
    conv_dropout: probability of dropout after every unit.
    head_dropout: probability of dropout after every hidden layer, or before the classifier where no layer is hidden.
    head_widths: widths of the hidden layers, before the width factor.
    """
    check_choice("pool", pool, POOLS)
    check_choice("norm", norm, NORMS)
    check_factor("width", width)
    for key, dropout in (("conv_dropout", conv_dropout), ("head_dropout", head_dropout)):
        if dropout is not None:
            check_dropout(dropout, key)
    chosen = None if activation == "published" else Activation(activation)
    pooling: Any = pool
    shared: dict[str, Any] = {} if norm == "published" else {"norm": norm == "everywhere"}
    units = tuple(
        replace(
            unit,
            channels=scaled(unit.channels, width),
            pool=unit.pool if pool == "published" or not unit.pool else pooling,
            dropout=unit.dropout if conv_dropout is None else conv_dropout,
            activation=chosen if chosen and unit.activation else unit.activation,
            **shared,
        )
        for unit in published.units
    )
    head = published.head
    hidden = head.hidden if head_widths is None else _with_widths(head.hidden, head_widths)
    hidden = tuple(
        replace(
            dense,
            width=scaled(dense.width, width),
            dropout=dense.dropout if head_dropout is None else head_dropout,
            activation=chosen or dense.activation,
            **shared,
        )
        for dense in hidden
    )
    before = head.dropout if head_dropout is None or hidden else head_dropout
    return Network(blocks=units, head=replace(head, hidden=hidden, dropout=before))


def _published(function: Callable[[], _Plain]) -> Family:
    """Register the variations of a published network as the family of the function's name; a decorator."""
    return register(function.__name__, partial(_vary, function()))


def _with_widths(hidden: tuple[Dense, ...], widths: Sequence[int]) -> tuple[Dense, ...]:
    """Hidden layers of these widths; each takes the rest from the published layer in its place, or the last one."""
    check_counts("head_widths", widths, "[256, 128]", _MOST_WIDTH)
    models = hidden or (Dense(width=1),)
    return tuple(replace(models[min(i, len(models) - 1)], width=width) for i, width in enumerate(widths))


def _leaky(slope: float) -> Activation:
    return Activation("leaky_relu", slope)


@_published
def cnn1() -> _Plain:
    """Five units; the fourth goes from its convolution straight to its pooling."""
    return _Plain(
        units=(
            Unit(channels=48, norm=True),
            Unit(channels=100, norm=True, pool="average"),
            Unit(channels=128),
            Unit(channels=200, activation=None, pool="max"),
            Unit(channels=256, pool="max", dropout=0.2),
        ),
        head=Head(hidden=(Dense(width=150, dropout=0.3),)),
    )


@_published
def cnn2() -> _Plain:
    """Four units before a wide hidden layer, which holds most of its parameters."""
    return _Plain(
        units=(
            Unit(channels=32, norm=True),
            Unit(channels=64, norm=True, pool="max"),
            Unit(channels=150, norm=True),
            Unit(channels=300, pool="max"),
        ),
        head=Head(hidden=(Dense(width=512, dropout=0.3),)),
    )


@_published
def cnn3() -> _Plain:
    """Three pooled units, the first with a 7×7 kernel."""
    leaky = _leaky(0.01)
    return _Plain(
        units=(
            Unit(channels=32, kernel=7, norm=True, activation=leaky, pool="max"),
            Unit(channels=150, norm=True, activation=leaky, pool="max"),
            Unit(channels=200, activation=leaky, pool="max", dropout=0.1),
        ),
        head=Head(hidden=(Dense(width=256, dropout=0.3),)),
    )


@_published
def cnn4() -> _Plain:
    """Four pooled units with kernels from 5×5 down to 1×1."""
    leaky = _leaky(0.01)
    return _Plain(
        units=(
            Unit(channels=32, kernel=5, norm=True, activation=leaky, pool="average"),
            Unit(channels=132, norm=True, activation=leaky, pool="max", dropout=0.1),
            Unit(channels=256, kernel=2, activation=leaky, pool="average", dropout=0.1),
            Unit(channels=200, kernel=1, activation=leaky, pool="max", dropout=0.1),
        ),
        head=Head(hidden=(Dense(width=128, dropout=0.3),)),
    )


@_published
def cnn5() -> _Plain:
    """The smallest: two units, a leaky ReLU after the first and a ReLU after the second, no hidden layer."""
    return _Plain(
        units=(
            Unit(channels=32, kernel=2, activation=_leaky(0.01), pool="max"),
            Unit(channels=128, pool="max"),
        )
    )


@_published
def cnn6() -> _Plain:
    """Three wide normalised units without a hidden layer: the published winner on validation."""
    return _Plain(
        units=(
            Unit(channels=128, norm=True, pool="max"),
            Unit(channels=246, norm=True, pool="max"),
            Unit(channels=256, norm=True),
        )
    )


@_published
def cnn7() -> _Plain:
    """Four wide normalised units with dropout and no hidden layer: the published winner on test."""
    leaky = _leaky(0.1)
    return _Plain(
        units=(
            Unit(channels=38, norm=True, activation=leaky, pool="max", dropout=0.25),
            Unit(channels=255, norm=True, activation=leaky, dropout=0.1),
            Unit(channels=399, norm=True, activation=leaky, pool="max", dropout=0.1),
            Unit(channels=200, norm=True, activation=leaky, dropout=0.1),
        )
    )


@_published
def cnn8() -> _Plain:
    """Four normalised units with kernels of 5, 4, 3 and 2, and two hidden layers."""
    return _Plain(
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
