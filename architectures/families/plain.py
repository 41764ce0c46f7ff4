"""Families of plain networks: a sequence of units and a head, with the hyperparameters that all of them share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from architectures.blocks import Dense, Head, Network, Unit
from architectures.checks import check_choice, check_counts, check_dropout, check_factor, scaled
from architectures.families.registry import Family, register
from architectures.steps import ACTIVATIONS, Activation

POOLS = ("published", "max", "average")
NORMS = ("published", "everywhere", "none")
_MOST_WIDTH = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Plain:
    """A published network before it is varied."""

    units: tuple[Unit, ...]
    """Its convolutional units."""
    head: Head = field(default_factory=Head)
    """Its head."""
    dropout_after: Literal["units", "pools"] = "units"
    """Where `conv_dropout` puts dropout: after every unit, or after those that pool."""


def plain_family(function: Callable[[], Plain]) -> Family:
    """Register the variations of a plain network as the family of the function's name; a decorator."""
    return register(function.__name__, partial(_vary, function()), function.__module__)


def _vary(
    published: Plain,
    *,
    width: float = 1.0,
    activation: str = "published",
    pool: str = "published",
    norm: str = "published",
    conv_dropout: float | None = None,
    conv_widths: Sequence[int] | None = None,
    flat_dropout: float | None = None,
    head_dropout: float | None = None,
    head_widths: Sequence[int] | None = None,
) -> Network:
    """A published network, varied; the defaults change nothing.

    width: factor on every channel count and hidden width, rounded.
    activation: one of `steps.ACTIVATIONS` in place of every published one; a unit without one stays without.
    pool: "max" or "average" in place of every published pooling; a unit that does not pool stays without.
    norm: batch norm after every convolution and hidden layer ("everywhere") or after none of them ("none").
    conv_dropout: probability of dropout after every unit, or after those that pool (`Plain.dropout_after`).
    flat_dropout: probability of dropout before the first hidden layer, or before the classifier if no layer is hidden.
    head_dropout: probability of dropout after every hidden layer, or before the classifier if no layer is hidden.
    head_widths: widths of the hidden layers, before the width factor.
    conv_widths: channels of each unit, before the width factor.
    """
    check_choice("activation", activation, ("published", *ACTIVATIONS))
    check_choice("pool", pool, POOLS)
    check_choice("norm", norm, NORMS)
    check_factor("width", width)
    given = (("conv_dropout", conv_dropout), ("flat_dropout", flat_dropout), ("head_dropout", head_dropout))
    for key, dropout in given:
        if dropout is not None:
            check_dropout(dropout, key)
    channels = [unit.channels for unit in published.units] if conv_widths is None else _channels(published, conv_widths)
    chosen = None if activation == "published" else Activation(activation)
    pooling: Any = pool
    shared: dict[str, Any] = {} if norm == "published" else {"norm": norm == "everywhere"}
    units = tuple(
        replace(
            unit,
            channels=scaled(wide, width),
            pool=unit.pool if pool == "published" or not unit.pool else pooling,
            dropout=conv_dropout if conv_dropout is not None and _drops(published, unit) else unit.dropout,
            activation=chosen if chosen and unit.activation else unit.activation,
            **shared,
        )
        for unit, wide in zip(published.units, channels, strict=True)
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
    before = head.dropout if flat_dropout is None else flat_dropout
    if head_dropout is not None and not hidden:
        if flat_dropout is not None:
            raise ValueError(
                "flat_dropout and head_dropout are in the same place if no layer is hidden: use one of them"
            )
        before = head_dropout
    return Network(blocks=units, head=replace(head, hidden=hidden, dropout=before))


def _channels(published: Plain, widths: Sequence[int]) -> Sequence[int]:
    check_counts("conv_widths", widths, "[32, 64]", _MOST_WIDTH)
    if len(widths) != len(published.units):
        raise ValueError(f"conv_widths must have a number for each of {len(published.units)} units, got {len(widths)}")
    return widths


def _drops(published: Plain, unit: Unit) -> bool:
    return published.dropout_after == "units" or unit.pool is not None


def _with_widths(hidden: tuple[Dense, ...], widths: Sequence[int]) -> tuple[Dense, ...]:
    """Hidden layers of these widths, otherwise like the published layer in the same place, or like the last one."""
    check_counts("head_widths", widths, "[256, 128]", _MOST_WIDTH)
    models = hidden or (Dense(width=1),)
    return tuple(replace(models[min(i, len(models) - 1)], width=width) for i, width in enumerate(widths))
