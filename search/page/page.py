"""The page of a search, or of several side by side: its sections, as HTML and as data for the browser."""

import base64
import gzip
import json
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from search.page.blocks import Axis, Block, Figure, Listing, Section, Table
from search.page.cells import shown
from search.page.sections import comparison, hyperparameters, progress, provenance, winner_details, winners
from search.page.view import View

WEB = Path(__file__).with_name("web")
SCRIPTS = ("show.js", "figures.js", "page.js")
_SECTIONS = (
    winners.section,
    provenance.section,
    progress.section,
    hyperparameters.section,
    winner_details.section,
)
_DIGITS = 6  # significant digits of a number on the page and in its downloads


@dataclass(frozen=True)
class Page:
    """A page at one moment."""

    title: str
    """The name of the search, searches or dataset."""
    state: str
    """The state of the search; empty for several searches."""
    sections: tuple[Section, ...]
    """Its parts, in order."""

    @property
    def drawn(self) -> list[Figure | Listing]:
        """The blocks that the browser draws."""
        blocks = (block for section in self.sections for block in section.blocks)
        return [block for block in blocks if isinstance(block, Figure | Listing)]

    @property
    def figures(self) -> list[Figure]:
        """Only the figures."""
        return [block for block in self.drawn if isinstance(block, Figure)]


def page_of(views: list[View]) -> Page:
    """The page of one search, or of several side by side."""
    if len(views) > 1:
        return Page(" · ".join(view.name for view in views), "", (comparison.section(views),))
    view = views[0]
    sections: tuple[Callable[[View], Section], ...] = _SECTIONS
    if "study" in view.found.search.facts:
        from search.page.sections import study  # imported late, as it brings SciPy

        # Arms are compared over their repeats; the best single run is not a winner.
        sections = (study.section, *(_SECTIONS[1:] if view.is_of_arms else _SECTIONS))
    return Page(view.name, view.standing, tuple(section(view) for section in sections))


def as_file(page: Page) -> str:
    """The page as one HTML file that needs nothing else."""
    return (
        _templates()
        .get_template("report.html")
        .render(
            page=page,
            data=embedded(data_of(page)),
            plotly=_packed_plotly(),
            style=_web("style.css"),
            scripts=[_web(name) for name in SCRIPTS],
            nonce=secrets.token_urlsafe(16),
        )
    )


def as_live(page: Page, *, nonce: str, links: dict[str, Any]) -> str:
    """The page as a server sends it: scripts and Plotly are files of the server. links: their addresses."""
    return (
        _templates()
        .get_template("live.html")
        .render(page=page, data=embedded(data_of(page)), style=_web("style.css"), nonce=nonce, links=links)
    )


def index_page(rows: list[dict[str, Any]], *, nonce: str) -> str:
    """The list of all searches that a server has."""
    return _templates().get_template("index.html").render(rows=rows, style=_web("style.css"), nonce=nonce)


def update_of(page: Page) -> dict[str, Any]:
    """What a live page needs to become this one: the HTML of each block, and the data of the figures."""
    block_html = _templates().get_template("blocks.html").module.block  # type: ignore[attr-defined]
    return {
        "state": page.state,
        "sections": [
            {"key": s.key, "blocks": [{"key": b.key, "html": str(block_html(b))} for b in s.blocks]}
            for s in page.sections
        ],
        **data_of(page),
    }


def data_of(page: Page) -> dict[str, Any]:
    """The data of figures and listings, by key."""
    return {"drawn": {block.key: _data(block) for block in page.drawn}}


def _data(block: Figure | Listing) -> dict[str, Any]:
    found: dict[str, Any] = {"title": block.title, "sentence": block.sentence, "table": _columns(block.table)}
    if isinstance(block, Listing):
        return found
    return found | {
        "alt": block.alt,
        "marks": [
            {name: value for name, value in vars(mark).items() if value not in (None, "")} for mark in block.marks
        ],
        "x": _axis(block.x),
        "y": _axis(block.y),
        "choices": [
            {"label": c.label, "bind": dict(c.bind), "axis": _axis(c.axis) if c.axis else None} for c in block.choices
        ],
        "height": block.height,
        "top": list(block.top),
    }


def _axis(axis: Axis) -> dict[str, Any]:
    return vars(axis) | {"order": list(axis.order)}


def _columns(table: Table) -> dict[str, Any]:
    """A table by columns, which is shorter than by rows, with rounded numbers."""
    return {
        "columns": [vars(column) for column in table.columns],
        "values": {column.name: [rounded(row[column.name]) for row in table.rows] for column in table.columns},
    }


def rounded(value: Any) -> Any:
    """A number with six significant digits; None for one that is not finite, as JSON has none."""
    if not isinstance(value, float):
        return value.item() if hasattr(value, "item") else value
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def embedded(data: Any) -> str:
    """Data as JSON for a script element: characters that are special in HTML are escaped."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)  # ASCII, so U+2028 is escaped too
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def plotly_script() -> bytes:
    """Plotly's JavaScript, which comes with its Python package."""
    return resources.files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


@cache
def _packed_plotly() -> str:
    return base64.b64encode(gzip.compress(plotly_script(), 9, mtime=0)).decode()


@cache
def _web(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


@cache
def _templates() -> Environment:
    found = Environment(
        loader=FileSystemLoader(WEB), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters["shown"] = shown
    found.tests["a"] = _is_a
    return found


def _is_a(block: Block, name: str) -> bool:
    return type(block).__name__ == name
