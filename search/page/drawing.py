"""The figures of a page as SVG and PNG files, drawn with matplotlib from the same marks and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from architectures.errors import HpsearchError, one_line
from search.page.blocks import Axis, Figure, Mark, Rows
from search.page.cells import shown
from search.page.page import Page
from search.readable import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Okabe and Ito's colours, the same as in the light theme of `web/style.css`.
COLOURS = {
    "main": "#0072b2", "accent": "#d55e00", "good": "#009e73", "bad": "#cc79a7", "faint": "#a3a8b1",
    "extra1": "#e69f00", "extra2": "#56b4e9", "extra3": "#000000",
    "fifth1": "#e3e5e8", "fifth2": "#c5d3de", "fifth3": "#8fb4cf", "fifth4": "#4590c2", "fifth5": "#00466e",
}  # fmt: skip
_TOP = ("#d55e00", "#0072b2", "#009e73")  # the three best lines, drawn above the others
_INCHES = 7.0  # width of the figures: that of a paper's page


class FiguresError(HpsearchError):
    """Figures that cannot be drawn or written; the message is one line."""


def write_figures(page: Page, folder: Path) -> str:
    """Write the first view of each figure as SVG and PNG; returns a line that says what was written.

    Raises FiguresError if matplotlib is missing or the folder cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ModuleNotFoundError as error:
        raise FiguresError(
            "figures as files need matplotlib, which is not installed: pip install 'hpsearch[figures]'"
        ) from error
    # Text stays text in SVG, and names given by users are not parsed as mathematics.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "hpsearch", "text.parse_math": False}):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for figure in page.figures:
                canvas = Canvas(figsize=(_INCHES, figure.height / 80), layout="constrained")
                draw(canvas.subplots(), figure)
                for form in ("svg", "png"):
                    canvas.savefig(
                        folder / f"{figure.key}.{form}", dpi=160, metadata={"Date": None} if form == "svg" else {}
                    )
        except OSError as error:
            raise FiguresError(f"cannot write to {folder}: {error.strerror or one_line(error)}") from error
    return f"{folder}: {count(len(page.figures), 'figure')}, each as SVG and PNG"


def draw(axes: Axes, figure: Figure) -> None:
    """Draw a figure on matplotlib's axes."""
    bind: Mapping[str, str] = figure.choices[0].bind if figure.choices else {}
    x = (figure.choices[0].axis if figure.choices else None) or figure.x
    _prepare(axes, x, figure.y)
    for mark in figure.marks:
        _draw(axes, figure, mark, bind, x)
    for place, trial in enumerate(figure.top[: len(_TOP)]):
        own = [row for row in figure.table.rows if row["trial"] == trial]
        axes.plot(
            [row[figure.marks[0].x] for row in own],
            [row[figure.marks[0].y] for row in own],
            color=_TOP[place],
            label=f"trial {trial}",
        )
    if figure.marks[0].kind == "line" and figure.marks[0].value:
        _ends(axes, figure, figure.marks[0].value, x)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, fontsize="small", ncols=3, loc="lower left", bbox_to_anchor=(0, 1))


def _prepare(axes: Axes, x: Axis, y: Axis) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    for way, axis in (("x", x), ("y", y)):
        own = getattr(axes, f"{way}axis")
        getattr(axes, f"set_{way}label")(axis.label)
        if axis.kind == "text":
            getattr(axes, f"set_{way}ticks")(range(len(axis.order)), axis.order)
            getattr(axes, f"set_{way}lim")(
                *((-0.6, len(axis.order) - 0.4) if way == "x" else (len(axis.order) - 0.4, -0.6))
            )
        elif axis.log:
            getattr(axes, f"set_{way}scale")("log")
            own.set_major_formatter(EngFormatter(sep="") if axis.kind == "count" else lambda value, _: f"{value:g}")
        elif axis.kind in ("percent", "seconds"):
            own.set_major_formatter(lambda value, _, kind=axis.kind: shown(value, kind).replace(".0%", "%"))
    if x.kind == "seconds" and not x.log:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    if x.kind == "text" and sum(map(len, x.order)) > 70:
        axes.tick_params(axis="x", rotation=90, labelsize="x-small")
    if len(y.order) > 40:
        axes.tick_params(axis="y", labelsize=4)
    axes.spines[["top", "right"]].set_visible(False)


def _draw(axes: Axes, figure: Figure, mark: Mark, bind: Mapping[str, str], x: Axis) -> None:
    def column(name: str) -> str:
        return bind.get(name, name)

    rows = _rows_of(figure, mark, column)
    if not rows:
        return
    colour, name = COLOURS[mark.role], mark.name or None
    xs, ys = _places(rows, column(mark.x), x), _places(rows, column(mark.y), figure.y)
    low, high = (_ends_of(rows, column(end), xs) if end else [] for end in (mark.low, mark.high))
    match mark.kind:
        case "line" if mark.group:
            group = mark.group
            points = sorted(zip((row[group] for row in rows), xs, ys, strict=True), key=lambda point: point[0])
            for place, (_, own) in enumerate(groupby(points, key=lambda point: point[0])):
                line = list(own)
                axes.plot(
                    [p[1] for p in line], [p[2] for p in line],
                    color=colour, linewidth=0.8, alpha=0.6, label=None if place else name,
                )  # fmt: skip
        case "line" | "steps":
            drawn = (
                sorted(zip(xs, ys, strict=True))
                if x.kind != "text" and mark.kind == "line"
                else list(zip(xs, ys, strict=True))
            )
            style: dict[str, Any] = {"drawstyle": "steps-post"} if mark.kind == "steps" else {}
            axes.plot([p[0] for p in drawn], [p[1] for p in drawn], color=colour, label=name, **style)
        case "points":
            axes.scatter(xs, ys, s=18, color=colour, alpha=0.75, label=name, linewidths=0)
        case "bars":
            earlier = [each for each in figure.marks[: figure.marks.index(mark)] if each.kind == "bars"]
            below = [row for each in earlier for row in _rows_of(figure, each, column)]
            under = [sum(r[column(mark.y)] for r in below if r[column(mark.x)] == row[column(mark.x)]) for row in rows]
            axes.bar(xs, ys, bottom=under, color=colour, label=name)
        case "spans":
            axes.barh(
                ys,
                [h - b for b, h in zip(low, high, strict=True)],
                left=low,
                color=colour,
                edgecolor="white",
                linewidth=0.5,
                label=name,
            )
        case "intervals":
            ends = [[m - b for b, m in zip(low, xs, strict=True)], [h - m for m, h in zip(xs, high, strict=True)]]
            axes.errorbar(xs, ys, xerr=ends, fmt="o", color=colour, capsize=3, markersize=4, label=name)
        case "cells":
            _cells(axes, rows, xs, ys, _numbers(rows, column(mark.value or "")), figure)


def _rows_of(figure: Figure, mark: Mark, column: Callable[[str], str]) -> Rows:
    """The rows that a mark draws."""
    rows = [row for row in figure.table.rows if mark.where is None or row[column(mark.where[0])] == mark.where[1]]
    return [row for row in rows if row[column(mark.x)] is not None and row[column(mark.y)] is not None]


def _ends_of(rows: Rows, column: str, xs: list[float]) -> list[float]:
    """An end of each row's interval; a value without an interval has both ends where it is itself."""
    return [x if row[column] is None else float(row[column]) for row, x in zip(rows, xs, strict=True)]


def _ends(axes: Axes, figure: Figure, value: str, x: Axis) -> None:
    """Draw a line for each axis of parallel coordinates, with the values at its lower and upper end."""
    axes.set_yticks([])
    for place, name in enumerate(x.order):
        axes.axvline(place, color="#5d636d", linewidth=0.6, zorder=0)
        at = sorted((row[figure.marks[0].y], row[value]) for row in figure.table.rows if row[figure.marks[0].x] == name)
        for (height, text), side in ((at[0], "top"), (at[-1], "bottom")):
            axes.text(place, height, text, ha="center", va=side, fontsize="x-small")


def _cells(axes: Axes, rows: Rows, xs: list[float], ys: list[float], values: list[float], figure: Figure) -> None:
    import numpy as np

    matrix = np.zeros((len(figure.y.order), len(figure.x.order)))
    for x, y, value in zip(xs, ys, values, strict=True):
        matrix[int(y), int(x)] = value
    axes.imshow(matrix, cmap="Blues", vmin=0, aspect="auto", interpolation="nearest")


def _places(rows: Rows, column: str, axis: Axis) -> list[float]:
    if axis.kind != "text":
        return _numbers(rows, column)
    places = {name: float(place) for place, name in enumerate(axis.order)}
    return [places[row[column]] for row in rows]


def _numbers(rows: Rows, column: str) -> list[float]:
    return [float(row[column]) for row in rows]
