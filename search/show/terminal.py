"""Tables, figures and times as people read them on a terminal."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

Rows = list[dict[str, Any]]

# A row stays on one line: a pipe gets the full width, and a narrow terminal wraps it like any long line.
_LEAST_WIDTH = 140
console = Console(highlight=False, markup=False)
_width = console.width if console.is_terminal else _LEAST_WIDTH
if not console.is_terminal or console.width < _LEAST_WIDTH:
    console = Console(highlight=False, markup=False, width=_LEAST_WIDTH)

#: Columns that are never broken into lines.
_WHOLE = (
    "name",
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
#: Columns that are left out on a narrow terminal, in this order.
_SPARE = (
    *("batch", "lr", "test loss", "time", "parameters", "best epoch", "optimizer"),
    *("best_val_balanced_accuracy", "space", "tested", "dataset"),  # of the list of searches
)

#: Words of a column's name that are units, as people write them.
_UNITS = {"mflop": "MFLOP", "mib": "MiB", "kib": "KiB"}


def standing(state: str, search: str) -> str:
    """A trial's state for people, given its search's state: a finished search does not continue paused trials."""
    return "not continued" if (state, search) == ("paused", "finished") else state


def with_retrain(state: str, retraining: str | None) -> str:
    """A search's state for people, with that of its last retrain unless it has finished."""
    return state if retraining in (None, "finished") else f"{state}, retrain {retraining}"


def print_rows(rows: Rows, empty: str, title: str | None = None) -> None:
    """Print a table whose columns are the rows' keys, numbers aligned to the right; `empty` if there is no row.

    On a terminal that is too narrow for it, some columns are left out, and named.
    """
    if not rows:
        console.print(empty)
        return
    if title:
        console.print(title, style="italic", soft_wrap=True)
    table, left_out = _table(rows, ()), []
    spare = [name for name in _SPARE if name in rows[0]]
    while spare and Measurement.get(console, console.options, table).maximum > _width:
        left_out.append(spare.pop(0))
        table = _table(rows, left_out)
    console.print(table)
    if left_out:
        console.print(f"left out to fit {_width} columns: {', '.join(map(_heading, left_out))}", style="dim")


def _table(rows: Rows, left_out: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    names = [name for name in rows[0] if name not in left_out]
    for name in names:
        numeric = all(isinstance(row[name], int | float) or row[name] is None for row in rows)
        table.add_column(
            _heading(name),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=name in _WHOLE,
        )
    for row in rows:
        table.add_row(*(_cell(row[name]) for name in names))
    return table


def _heading(name: str) -> str:
    return " ".join(_UNITS.get(word, word) for word in name.split("_"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
