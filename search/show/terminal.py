"""Tables, figures and times as people read them on a terminal."""

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Rows = list[dict[str, Any]]

# A row stays on one line: a pipe gets the full width, and a narrow terminal wraps the line as any long one.
_LEAST_WIDTH = 140
console = Console(highlight=False, markup=False)
if not console.is_terminal or console.width < _LEAST_WIDTH:
    console = Console(highlight=False, markup=False, width=_LEAST_WIDTH)

#: Columns that are never broken into lines.
_WHOLE = (
    "trial",
    "network",
    "optimizer",
    "parameters",
    "val accuracy",
    "test accuracy",
    "test balanced accuracy",
    "state",
    "time",
    "lr",
    "batch",
    "best epoch",
    "",
)


#: Words of a column's name that are units, as people write them.
_UNITS = {"mflop": "MFLOP", "mib": "MiB", "kib": "KiB"}


def standing(state: str, search: str) -> str:
    """A trial's state for people, given its search's: what is paused when the search is finished will not go on."""
    return "not continued" if (state, search) == ("paused", "finished") else state


def print_rows(rows: Rows, empty: str, title: str | None = None) -> None:
    """Print a table whose columns are the rows' keys, numbers aligned to the right; `empty` where there is no row."""
    if not rows:
        console.print(empty)
        return
    if title:
        console.print(title, style="italic", soft_wrap=True)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float) or row[name] is None for row in rows)
        table.add_column(
            " ".join(_UNITS.get(word, word) for word in name.split("_")),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=name in _WHOLE,
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
