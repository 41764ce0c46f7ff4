"""The answer of a study, for people."""

from typing import Any

from search.readable import duration, percent
from search.show.terminal import console, print_rows
from search.studies.answer import Answer, Row
from search.studies.study import MEASURES


def print_answer(found: Answer) -> None:
    """Print the question, a table with a row for each arm, and what the table says."""
    facts = found.facts
    source = f" ({facts['source']})" if facts["source"] else ""
    console.print(f"{facts['question']}{source}", soft_wrap=True)
    rows = [_shown(row, facts) for row in found.rows]
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    print_rows(
        [{name: row[name] for name in names} for row in rows], "no run has ended yet", f"{found.search}: {found.images}"
    )
    for line in found.lines:
        console.print(line, soft_wrap=True)


def _shown(row: Row, facts: Any) -> dict[str, str]:
    """A row's cells by column; empty where there is nothing to say."""
    measure = facts["measure"]
    return {
        "arm": row["arm"],
        "network": row["network"] or "" if not facts["arms"] else "",
        MEASURES[measure]: _with_interval(row, measure),
        "published": _published(row, measure),
        "minus the first": _difference(row),
        "p": _chance(row["p"]),
        "train − val": _signed(row["gap"]) if measure != "gap" else "",
        "test": percent(row["test_accuracy"]) if measure != "test_accuracy" else "",
        "coarse accuracy": percent(row["coarse_accuracy"]),
        "time": duration(row["seconds"]) if row["seconds"] else "",
    }


def _with_interval(row: Row, measure: str) -> str:
    spread = f" ± {row['std']:.1%}" if row["std"] is not None else ""
    interval = f" ({row['low']:.1%}–{row['high']:.1%})" if row["low"] is not None else ""
    return f"{percent(row[measure])}{spread}{interval}" if row["runs"] else "no run"


def _published(row: Row, measure: str) -> str:
    parts = []
    for each in row["figures"]:
        spread = f" ± {each['std']:.1%}" if each["std"] else ""
        of = "" if each["measure"] == measure else f" ({MEASURES[each['measure']].split()[0]})"
        parts.append(f"{percent(each['value'])}{spread}{of}")
    return "; ".join(parts)


def _difference(row: Row) -> str:
    low, high = row["difference_low"], row["difference_high"]
    ends = f" ({_signed(low)} to {_signed(high)})" if low is not None else ""
    return f"{_signed(row['difference'])}{ends}"


def _chance(p: float | None) -> str:
    if p is None:
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.1%}"
