"""A search as a table for a pull request, in Markdown."""

import re

from search.page.blocks import Sheet, Table, Words
from search.page.cells import shown
from search.page.page import page_of
from search.page.view import View

_PARTS = (
    "answer",
    "arms",
    "verdict",
    "lost",
    "winners-table",
    "repeats",
    "best",
    "tests",
    "sides-words",
    "sides-searches",
    "sides-winners",
)
_RIGHT = ("count", "percent", "number", "seconds", "epoch")


def markdown(views: list[View]) -> str:
    """What won and how far that can be trusted, for one search or for several side by side."""
    page = page_of(views)
    parts = [f"### {_plain(page.title)}"]
    for block in (block for section in page.sections for block in section.blocks):
        if block.key not in _PARTS:
            continue
        if isinstance(block, Words):
            parts += [_plain(line) for line in block.lines]
        elif isinstance(block, Sheet) and block.table.rows:
            parts += [f"**{_plain(block.title)}.** {_plain(block.sentence)}", _table(block.table)]
    return "\n\n".join(parts) + "\n"


def _table(table: Table) -> str:
    lines = [[_plain(column.label) for column in table.columns]]
    lines.append(["---:" if column.kind in _RIGHT else "---" for column in table.columns])
    lines += [[_plain(shown(row[c.name], c.kind)) for c in table.columns] for row in table.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """A text on one line, escaped for Markdown and HTML."""
    return re.sub(r"([\\`*_{}\[\]<>|#~@])", r"\\\1", " ".join(text.split()))
