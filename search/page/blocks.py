"""What a page is made of, as plain data: facts, tables, and figures that are drawn from the rows of their tables.

A figure holds no number of its own: its marks name columns of its table. The page draws it with Plotly
(`web/figures.js`), `drawing.py` with matplotlib, and people get the table itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Rows = list[dict[str, Any]]

Kind = Literal["text", "count", "number", "percent", "seconds", "epoch"]
"""How values are shown: accuracies are fractions of one, times are seconds."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    """Its name in rows and downloads."""
    label: str
    """Its name on the page."""
    kind: Kind = "text"
    """How its values are shown."""


@dataclass(frozen=True)
class Table:
    """Rows with the same columns. A table with a column `trial` follows the selection of trials on the page."""

    columns: tuple[Column, ...]
    """The columns, in the order in which they are shown."""
    rows: Rows
    """A value for each column; None if there is none."""


def table_of(columns: Iterable[Column], rows: Rows) -> Table:
    """A table of rows that may have other values too, or lack some."""
    chosen = tuple(columns)
    return Table(chosen, [{column.name: row.get(column.name) for column in chosen} for row in rows])


@dataclass(frozen=True)
class Axis:
    """One axis of a figure."""

    label: str
    """What it shows, with its unit."""
    kind: Kind = "number"
    """How its ticks are shown; on a text axis, each value has its own position."""
    log: bool = False
    """Whether it is logarithmic."""
    order: tuple[str, ...] = ()
    """The values of a text axis, from left to right or from top to bottom."""


@dataclass(frozen=True)
class Mark:
    """Something that is drawn for each row, or for a part of the rows."""

    kind: Literal["line", "steps", "points", "bars", "spans", "intervals", "cells"]
    """Lines join a group's rows; spans and intervals go from `low` to `high` along x; cells are coloured by `value`."""
    x: str
    """The column of x: for spans their beginning, for intervals the value inside them."""
    y: str
    """The column of y."""
    name: str = ""
    """Its name in the legend; empty if it has no entry."""
    where: tuple[str, Any] | None = None
    """(column, value): only rows with this value are drawn; None for all rows."""
    group: str | None = None
    """The column that separates lines, or gives points and spans their colours."""
    low: str | None = None
    """The column of an interval's lower end."""
    high: str | None = None
    """The column of an interval's upper end."""
    value: str | None = None
    """The column that colours a cell."""
    role: str = "main"
    """A colour by its part in the page: main, accent, good, bad, faint."""


@dataclass(frozen=True)
class Choice:
    """Another way to look at a figure."""

    label: str
    """What it is called on the page."""
    bind: Mapping[str, str] = field(default_factory=dict)
    """Columns to use instead of those that the marks name."""
    axis: Axis | None = None
    """The x axis to use instead; None keeps the figure's."""


@dataclass(frozen=True)
class Figure:
    """One figure with its texts."""

    key: str
    """Its name in addresses and files."""
    title: str
    """A few words above it."""
    sentence: str
    """What to see in it."""
    alt: str
    """What it looks like, for readers who cannot see it."""
    table: Table
    """Its data."""
    marks: tuple[Mark, ...]
    """What is drawn, the first at the back."""
    x: Axis
    """The horizontal axis."""
    y: Axis
    """The vertical axis."""
    choices: tuple[Choice, ...] = ()
    """Ways to look at it; the first is shown."""
    height: int = 380
    """Pixels."""
    top: Sequence[int] = ()
    """Trials that may be shown above the others, best first; the reader chooses how many."""


@dataclass(frozen=True)
class Words:
    """A few sentences."""

    key: str
    """Its name on the page."""
    lines: tuple[str, ...]
    """A paragraph each."""


@dataclass(frozen=True)
class Facts:
    """Terms with their values."""

    key: str
    """Its name on the page."""
    rows: tuple[tuple[str, str], ...]
    """Term and value, in words."""
    large: bool = False
    """Whether they are the figures that a reader looks for first."""


@dataclass(frozen=True)
class Sheet:
    """A table with a title."""

    key: str
    """Its name on the page."""
    title: str
    """A few words above it."""
    table: Table
    """The rows."""
    sentence: str = ""
    """What to see in it."""


@dataclass(frozen=True)
class Listing:
    """A long table that the browser sorts, and narrows to the trials that are selected."""

    key: str
    """Its name on the page."""
    title: str
    """A few words above it."""
    table: Table
    """The rows."""
    sentence: str
    """What to see in it."""


@dataclass(frozen=True)
class Layers:
    """A network, drawn layer by layer."""

    key: str
    """Its name on the page."""
    title: str
    """A few words above it."""
    table: Table
    """A row for each layer: layer, operation, output, parameters, flops."""


@dataclass(frozen=True)
class Picture:
    """One picture."""

    source: str
    """Its PNG file as a data URI."""
    alt: str
    """What it shows, for readers who cannot see it."""
    size: tuple[int, int]
    """(width, height) on the page, in pixels."""
    caption: str = ""
    """The text below it."""


@dataclass(frozen=True)
class Pictures:
    """Pictures in groups."""

    key: str
    """Its name on the page."""
    title: str
    """A few words above them."""
    sentence: str
    """What to see in them."""
    groups: tuple[tuple[str, tuple[Picture, ...]], ...]
    """Each group: what its pictures have in common, and the pictures."""


Block = Words | Facts | Sheet | Listing | Layers | Pictures | Figure


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    key: str
    """Its name in addresses."""
    title: str
    """Its heading."""
    blocks: tuple[Block, ...]
    """What it shows, in order."""
