"""Several searches side by side: the best so far of each, and their winners."""

from search.page.blocks import Axis, Block, Choice, Column, Figure, Mark, Rows, Section, Sheet, Table, Words
from search.page.goes import so_far
from search.page.view import View, label
from search.readable import count, duration, percent

_ROLES = ("main", "accent", "good", "bad", "extra1", "extra2", "extra3", "faint")


def sides(views: list[View]) -> Section:
    """The section of two searches or more."""
    metrics = {view.metric for view in views}
    datasets = {(view.found.search.request.dataset, view.found.search.facts["data"]["fingerprint"]) for view in views}
    lines = []
    if len(datasets) > 1:
        lines.append("These searches have different images, so their accuracies cannot be compared directly.")
    if len(metrics) > 1:
        lines.append(f"They compare trials by different metrics: {', '.join(sorted(metrics))}.")
    blocks: list[Block] = [Words("sides-words", tuple(lines))] if lines else []
    measured = [view for view in views if view.ranked]
    blocks += [_best(measured)] if measured else []
    blocks.append(_winners(views))
    return Section("sides", "Searches side by side", tuple(blocks))


def _best(views: list[View]) -> Figure:
    rows: Rows = [{"search": view.name, **row} for view in views for row in so_far(view)]
    ends = {view.name: view.ranked[0].at_best("value") for view in views}
    best = max(ends, key=lambda name: ends[name])
    names = {view.name: view.name for view in views}
    return Figure(
        key="sides",
        title="Best so far of each search",
        sentence=f"{best} came highest on validation, {percent(ends[best])}. Choose what is counted.",
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
            for n, name in enumerate(names)
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


def _winners(views: list[View]) -> Sheet:
    rows: Rows = []
    for view in views:
        best, first = view.ranked[:1], view.tested[:1]
        tested = view.retrains[first[0].key] if first else None
        rows.append(
            {
                "search": view.name,
                "state": view.found.state,
                "trials": len(view.record.trials),
                "epochs": view.status["epochs_trained"],
                "time": duration(view.status["wall_clock_seconds"]),
                "best": f"{best[0].network}, trial {best[0].key[0]}" if best else None,
                "value": best[0].at_best("value") if best else None,
                "winner": label(first[0]) if first else None,
                "test": f"{tested['test_accuracy']:.1%} ({tested['test_low']:.1%}–{tested['test_high']:.1%})"
                if tested
                else None,
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
        Column("winner", "first winner tested"),
        Column("test", "test accuracy"),
    )
    told = f"{count(len(rows), 'search').replace('searchs', 'searches')}; a test accuracy has its 95 % interval."
    return Sheet("sides-winners", "Their winners", Table(columns, rows), told)
