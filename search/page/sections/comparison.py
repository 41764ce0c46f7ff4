"""Several searches side by side: the best so far of each, and their winners."""

from search.history import scores
from search.history.metric import ACCURACY, METRICS
from search.page.blocks import Axis, Block, Choice, Column, Figure, Mark, Rows, Section, Sheet, Table, Words, table_of
from search.page.sections.progress import so_far
from search.page.sections.winners import metrics_of, spoken, test_columns, told_apart, winners
from search.page.view import View
from search.readable import duration, percent
from trainables.metrics import wilson

_ROLES = ("main", "accent", "good", "bad", "extra1", "extra2", "extra3", "faint")


def section(views: list[View]) -> Section:
    """The section on two searches or more."""
    found = {view.name: winners(view) for view in views if not view.is_of_arms}
    lines = (*_cautions(views), *(line for _, lost in found.values() for line in lost))
    blocks: list[Block] = [Words("sides-words", lines)] if lines else []
    measured = [view for view in views if view.ranked]
    blocks += [_best(measured)] if measured else []
    blocks.append(_searches(views))
    tested = [view for view in views if view.name in found]
    if rows := [{"search": view.name, **row} for view in tested for row in _named(view, found[view.name][0])]:
        blocks += [_tests(rows), _winners_table(views, rows)]
    return Section("sides", "Searches side by side", tuple(blocks))


def _cautions(views: list[View]) -> tuple[str, ...]:
    """Differences between the searches that also change their accuracies."""
    data = [view.found.search.facts["data"] for view in views]
    lines = []
    if len({each["fingerprint"] for each in data}) > 1:
        lines.append("These searches have different images, so their accuracies cannot be compared directly.")
    elif len({_split(view) for view in views}) > 1:
        lines.append(
            "They hold out different images for validation, so differences in validation accuracy may come "
            "from the split."
        )
    tests = [run.test for view in views for run in view.tested if run.test]
    if len({each.images for each in tests}) > 1 or len({each.fingerprint for each in tests if each.fingerprint}) > 1:
        lines.append("Their winners were tested on different images.")
    metrics = {view.metric for view in views}
    if len(metrics) > 1:
        lines.append(f"They compare trials by different metrics: {', '.join(sorted(metrics))}.")
    return tuple(lines)


def _split(view: View) -> tuple[object, ...]:
    data = view.found.search.facts["data"]
    own = data.get("validation_fingerprint")
    return (own,) if own else (data["num_validation"], view.found.search.request.seed)


def _interval(view: View) -> tuple[float | None, float | None]:
    """The 95 % interval of the best trial's validation accuracy; (None, None) for another metric."""
    if not view.ranked or view.found.search.request.metric != ACCURACY:
        return None, None
    images = view.found.search.facts["data"]["num_validation"]
    return wilson(round(view.ranked[0].at_best("value") * images), images)


def _best(views: list[View]) -> Figure:
    rows: Rows = [{"search": view.name, **row} for view in views for row in so_far(view)]
    ends = {view.name: view.ranked[0].at_best("value") for view in views}
    best = max(ends, key=lambda name: ends[name])
    intervals = {view.name: _interval(view) for view in views}
    low, high = intervals[best]
    told = f"{best} has the highest validation value, {percent(ends[best])}."
    if low is not None and high is not None:
        told = f"{told[:-1]} ({percent(low)} to {percent(high)}, the 95 % interval for its images)."
        near = [name for name, (_, top) in intervals.items() if name != best and top is not None and top >= low]
        told += f" {_overlap(near)} it." if near else ""
    return Figure(
        key="sides",
        title="Best so far of each search",
        sentence=f"{told} Choose what the horizontal axis counts.",
        alt="A rising staircase for each search: " + "; ".join(f"{n} ends at {percent(v)}" for n, v in ends.items()),
        table=Table(
            (
                Column("search", "search"),
                Column("epochs", "epochs of all trials", "epoch"),
                Column("images", "images of all trials", "count"),
                Column("seconds", "wall clock", "seconds"),
                Column("value", "best so far", "percent"),
            ),
            [{key: row[key] for key in ("search", "epochs", "images", "seconds", "value")} for row in rows],
        ),
        marks=tuple(
            Mark("steps", "epochs", "value", name, ("search", name), role=_ROLES[n % len(_ROLES)])
            for n, name in enumerate(ends)
        ),
        x=Axis("epochs of all trials", "epoch"),
        y=Axis("best validation value so far", "percent"),
        choices=(
            Choice("by epochs"),
            Choice("by images", {"epochs": "images"}, Axis("images of all trials", "count")),
            Choice("by wall clock", {"epochs": "seconds"}, Axis("wall clock", "seconds")),
        ),
        height=400,
    )


def _overlap(names: list[str]) -> str:
    return f"{names[0]}'s interval overlaps" if len(names) == 1 else f"The intervals of {', '.join(names)} overlap"


def _searches(views: list[View]) -> Sheet:
    rows: Rows = []
    for view in views:
        best = view.ranked[0] if view.ranked else None
        low, high = _interval(view)
        rows.append(
            {
                "search": view.name,
                "state": view.standing,
                "trials": len(view.record.trials),
                "epochs": view.status["epochs_trained"],
                "time": duration(view.status["wall_clock_seconds"]),
                "best": f"{best.network}, trial {best.key[0]}" if best else None,
                "value": best.at_best("value") if best else None,
                "low": low,
                "high": high,
            }
        )
    columns = (
        Column("search", "search"),
        Column("state", "state"),
        Column("trials", "trials", "count"),
        Column("epochs", "epochs", "epoch"),
        Column("time", "wall clock"),
        Column("best", "best trial"),
        Column("value", "validation", "percent"),
        Column("low", "from", "percent"),
        Column("high", "to", "percent"),
    )
    told = (
        "The best trial of each, with the 95 % interval for its validation images. It was picked because it is the "
        "highest, so its value is slightly optimistic. Epochs and wall clock are without retrains."
    )
    return Sheet("sides-searches", "The searches", Table(columns, rows), told)


def _named(view: View, rows: Rows) -> Rows:
    """A search's winners, with names that differ from those of the other searches' winners."""
    column = METRICS[view.found.search.request.metric]
    return [
        {**row, "winner": row["who"], "who": f"{row['who']} · {view.name}", "value": row.get(column)} for row in rows
    ]


def _tests(rows: Rows) -> Figure:
    columns = (
        Column("who", "winner"),
        Column("search", "search"),
        Column("test_accuracy", "test accuracy", "percent"),
        Column("test_low", "lower end of 95 %", "percent"),
        Column("test_high", "upper end of 95 %", "percent"),
    )
    names = list(dict.fromkeys(row["search"] for row in rows))
    return Figure(
        key="sides-tests",
        title="Test accuracy of their winners",
        sentence=f"Each bar is the 95 % interval for the test images. {told_apart(rows)}",
        alt=spoken(rows),
        table=table_of(columns, rows),
        marks=tuple(
            Mark(
                "intervals", "test_accuracy", "who", name, ("search", name),
                low="test_low", high="test_high", role=_ROLES[n % len(_ROLES)],
            )
            for n, name in enumerate(names)
        ),
        x=Axis("test accuracy", "percent"),
        y=Axis("", "text", order=tuple(row["who"] for row in rows)),
        height=150 + 30 * len(rows),
    )  # fmt: skip


def _winners_table(views: list[View], rows: Rows) -> Sheet:
    shown = {metric for view in views if view.tested for metric in metrics_of(view, rows)}
    columns = (
        Column("search", "search"),
        Column("winner", "winner"),
        Column("optimizer", "optimizer"),
        Column("parameters", "parameters", "count"),
        Column("flops", "FLOPs per image", "count"),
        Column("epochs", "epochs", "epoch"),
        Column("value", "validation", "percent"),
        *test_columns(metric for metric in METRICS if metric in shown),
        Column("seconds", "time", "seconds"),
    )
    table = table_of(columns, rows)
    told = "Each search's in the order in which they were chosen, with 95 % intervals; the test set ranks nothing."
    flips = "".join(f" {line}" for line in scores.mirrored({row["who"]: row for row in rows}))
    return Sheet("sides-winners", "Their winners", table, f"{told}{flips}")
