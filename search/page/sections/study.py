"""What a study asked and found: its arms with intervals and published figures, and a heat map if they form a grid."""

from search.page.blocks import Axis, Block, Column, Figure, Mark, Rows, Section, Sheet, Table, Words, table_of
from search.page.view import View
from search.readable import percent
from search.studies.answer import Answer, answer
from search.studies.study import MEASURES, StudyError


def section(view: View) -> Section:
    """The section of a search that is a study."""
    try:
        found = answer(view.found)
    except StudyError as error:  # nothing has ended yet
        question = view.found.search.facts["study"]["question"]
        return Section("asked", "What was asked", (Words("answer", (question, str(error))),))
    facts, measure = found.facts, found.facts["measure"]
    source = f" ({facts['source']})" if facts["source"] else ""
    rows = _rows(found)
    blocks: list[Block] = [Words("answer", (f"{facts['question']}{source}", *found.lines))]
    if view.is_of_arms and (lost := view.results[1]):  # without arms, the winners' section says so
        blocks.append(Words("lost", lost))
    blocks.append(_figure(found, rows))
    if grid := grid_of(found):
        blocks.append(grid)
    columns = (
        Column("arm", "arm"),
        Column("runs", "repeats", "count"),
        Column("value", MEASURES[measure], "percent"),
        Column("std", "± over repeats", "percent"),
        Column("low", "from", "percent"),
        Column("high", "to", "percent"),
        Column("published", "published", "percent"),
        Column("others", "also published"),
        Column("difference", "minus the first", "percent"),
        Column("difference_low", "from", "percent"),
        Column("difference_high", "to", "percent"),
        Column("gap", "train − val", "percent"),
        Column("test_accuracy", "test accuracy", "percent"),
        Column("seconds", "time", "seconds"),
    )
    kept = [each for each in columns if any(row[each.name] not in (None, "") for row in rows)]
    table = table_of(kept, rows)
    blocks.append(
        Sheet("arms", "The arms", table, "Intervals are 95 %; differences are of the repeats that share a seed.")
    )
    return Section("asked", "What was asked", tuple(blocks))


def _rows(found: Answer) -> Rows:
    """The answer's rows: `value` is the compared measure, `others` the published figures of other measures as text."""
    measure = found.facts["measure"]
    return [
        row
        | {
            "value": row[measure],
            "others": "; ".join(
                f"{percent(each['value'])} {MEASURES[each['measure']]}"
                for each in row["figures"]
                if each["measure"] != measure
            ),
        }
        for row in found.rows
    ]


def _figure(found: Answer, rows: Rows) -> Figure:
    measure = MEASURES[found.facts["measure"]]
    shown = [
        {
            "arm": row["arm"],
            "source": source,
            "value": value,
            "low": low,
            "high": high,
        }
        for row in rows
        for source, value, low, high in (
            ("ours", row["value"], row["low"], row["high"]),
            ("published", row["published"], None, None),
        )
        if value is not None
    ]
    best = max((row for row in rows if row["value"] is not None), key=lambda row: row["value"])
    over = "over repeats" if found.facts["arms"] else "for the validation images"
    columns = (
        Column("arm", "arm"),
        Column("source", "whose"),
        Column("value", measure, "percent"),
        Column("low", "from", "percent"),
        Column("high", "to", "percent"),
    )
    return Figure(
        "arms-compared",
        "The arms compared",
        f"{best['arm']} has the highest {measure}, {percent(best['value'])}. Lines are 95 % intervals {over}.",
        f"A point for the {measure} of each of {len(rows)} arms, with its interval and the published figure beside it.",
        Table(columns, shown),
        marks=(
            Mark("points", "value", "arm", "published", ("source", "published"), role="accent"),
            Mark("intervals", "value", "arm", "ours, with its interval", ("source", "ours"), low="low", high="high"),
        ),
        x=Axis(measure, "percent"),
        y=Axis("arm", "text", order=tuple(row["arm"] for row in rows)),
        height=max(220, 90 + 26 * len(rows)),
    )


def grid_of(found: Answer) -> Figure | None:
    """A heat map of arms that are called `this+that`; None for other arms."""
    pairs = [row["arm"].split("+") for row in found.rows]
    if any(len(pair) != 2 for pair in pairs):
        return None
    measure = found.facts["measure"]
    rows = [
        {"first": first, "second": second, "value": row[measure]}
        for (first, second), row in zip(pairs, found.rows, strict=True)
        if row[measure] is not None
    ]
    columns = (Column("first", "first"), Column("second", "second"), Column("value", MEASURES[measure], "percent"))
    return Figure(
        "grid",
        "The whole grid",
        f"The darker a cell, the higher its {MEASURES[measure]}.",
        f"A grid of {len(rows)} cells, coloured by {MEASURES[measure]}.",
        Table(columns, rows),
        marks=(Mark("cells", "second", "first", value="value"),),
        x=Axis("", "text", order=tuple(dict.fromkeys(second for _, second in pairs))),
        y=Axis("", "text", order=tuple(dict.fromkeys(first for first, _ in pairs))),
    )
