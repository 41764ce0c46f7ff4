"""What won: the tested winners with their intervals, or the best trials while nothing is tested."""

from collections.abc import Iterable
from typing import Any

from search.history import scores
from search.history.metric import ACCURACY, METRICS, shown, words
from search.history.winners import last_retrain
from search.page import published
from search.page.blocks import Axis, Block, Column, Facts, Figure, Mark, Rows, Section, Sheet, Words, table_of
from search.page.view import View, label
from search.readable import count, duration, percent
from trainables.metrics import wilson
from trainables.predictions import PredictionsError

_PLACES = 10  # trials in the table of the best


def section(view: View) -> Section:
    """The section on what won in a search."""
    blocks: list[Block] = [Words("verdict", _verdict(view)), Facts("headline", _headline(view), large=True)]
    rows, lost = winners(view)
    blocks += [Words("lost", lost)] if lost else []
    if rows:
        blocks += [_figure(view, rows), _sheet(view, rows)]
        blocks += [Words("repeats", lines)] if (lines := _repeats(view)) else []
    if view.ranked:
        blocks.append(_best(view))
    if beside := published.sheet(view.found.search.request.dataset):
        blocks.append(beside)
    return Section("won", "What won", tuple(blocks))


def _verdict(view: View) -> tuple[str, ...]:
    found, drawn = view.found, len(view.record.trials)
    has_open_retrain = found.retraining not in (None, "finished")
    lines = []
    if not view.record.finished:
        also = f" A retrain is {found.retraining}." if has_open_retrain else ""
        lines.append(
            f"This search is not over: it is {found.state}, and {count(drawn, 'trial')} of {found.samples:,} "
            f"{'has' if drawn == 1 else 'have'} been drawn.{also} What follows is its present state."
        )
    elif has_open_retrain:
        lines.append(f"The search is finished; a retrain is {found.retraining}.")
    if not view.ranked:
        return (*lines, "No trial has been measured yet, so there is nothing to compare.")
    best = view.ranked[0]
    lines.append(
        f"The best of {count(len(view.ranked), 'measured trial')} by validation {view.metric} is trial {best.key[0]}, "
        f"a {best.network} with {best.config['optimizer']['name']}: {percent(best.at_best('value'))} "
        f"after {best.at_best('epoch'):g} of {count(best.config['training']['epochs'], 'epoch')}."
    )
    if not view.tested:
        lines.append("No winner has been retrained and tested yet; hpsearch retrain does both.")
    return tuple(lines)


def _headline(view: View) -> tuple[tuple[str, str], ...]:
    rows: list[tuple[str, str]] = []
    if tested := [run for run in view.tested if run.key in view.retrains]:
        best = (view.winners or tested)[0]  # the network that predict and export use
        first = view.retrains[best.key]
        # A word joiner keeps the interval on one line.
        value = f"{first['test_accuracy']:.1%} ({first['test_low']:.1%}–\u2060{first['test_high']:.1%})"
        rows.append((f"test accuracy of {label(best)}", value))
    if view.ranked:
        rows.append((f"best validation {view.metric}", percent(view.ranked[0].at_best("value"))))
    rows.append(("trials drawn", f"{len(view.record.trials):,} of {view.found.samples:,}"))
    rows.append(("epochs trained", f"{view.status['epochs_trained']:,.0f}"))
    rows.append(("wall clock", duration(view.status["wall_clock_seconds"])))
    if view.status["retrain_sessions"]:
        rows.append(("epochs of retrains", f"{view.status['retrain_epochs']:,.0f}"))
        rows.append(("wall clock of retrains", duration(view.status["retrain_wall_clock_seconds"])))
    return tuple(rows)


def winners(view: View) -> tuple[Rows, tuple[str, ...]]:
    """The test results of each tested winner, in the order in which they were chosen, and of their ensemble.

    Also a line for each result that is lost.
    """
    rows: list[dict[str, Any]] = []
    for run in view.tested:
        if row := view.retrains.get(run.key):
            rows.append({"who": label(run), **row, "flops": run.asked.flops, "role": "winner"})
    lost = view.results[1]
    try:
        both = scores.ensemble(view.found.search.folder, *last_retrain(view.record))
    except PredictionsError as error:
        return rows, tuple(dict.fromkeys((*lost, str(error))))
    if both:
        rows.append({"who": f"ensemble of {len(both['members'])}", **both, "role": "ensemble"})
    return rows, lost


def metrics_of(view: View, rows: Rows) -> tuple[str, ...]:
    """The metrics that are shown for winners: both if the classes have uneven sizes."""
    return shown(view.found.search.request.metric, scores.guess_of(rows[0]))


def told_apart(rows: Rows) -> str:
    """A sentence on whether the highest test accuracy of some winners is more than chance."""
    if len(rows) == 1:
        return "There is one winner, so nothing to compare it with."
    best = max(rows, key=lambda row: row["test_accuracy"])
    overlap = [row for row in rows if row is not best and row["test_high"] >= best["test_low"]]
    if not overlap:
        return "The highest interval stands apart from the others."
    if len(rows) == 2:
        return "The two intervals overlap, so the difference may be chance."
    overlaps = "overlaps" if len(overlap) == 1 else "overlap"
    return (
        f"{len(overlap)} of the {len(rows) - 1} other intervals {overlaps} the highest one, so such a difference may "
        "be chance."
    )


def spoken(rows: Rows) -> str:
    """Winners with their intervals, for readers who cannot see the figure."""
    each = (f"{r['who']} {r['test_accuracy']:.1%} ({r['test_low']:.1%} to {r['test_high']:.1%})" for r in rows)
    return "Intervals of test accuracy, one below the other: " + "; ".join(each)


def test_columns(metrics: Iterable[str]) -> list[Column]:
    """Columns of a test's values with the ends of their intervals."""
    found = []
    for metric in metrics:
        stem = "test" if metric == ACCURACY else "test_balanced"
        found += [
            Column(f"test_{metric}", f"test {words(metric)}", "percent"),
            Column(f"{stem}_low", "from", "percent"),
            Column(f"{stem}_high", "to", "percent"),
        ]
    return found


def _figure(view: View, rows: Rows) -> Figure:
    columns = (
        Column("who", "winner"),
        Column("test_accuracy", "test accuracy", "percent"),
        Column("test_low", "lower end of 95 %", "percent"),
        Column("test_high", "upper end of 95 %", "percent"),
        Column("role", "what it is"),
    )
    images, told = count(rows[0]["test_images"], "test image"), told_apart(rows)
    if len({row["test_set"] for row in rows if row["role"] == "winner"}) > 1:
        images, told = "its test images", "They are for different test images, so they cannot be compared directly."
    return Figure(
        key="winners",
        title="Test accuracy of the winners",
        sentence=f"Each bar is the 95 % interval for {images}. {told} The majority-class baseline is "
        f"{percent(rows[0]['test_guess'])}.",
        alt=spoken(rows),
        table=table_of(columns, rows),
        marks=(
            Mark(
                "intervals", "test_accuracy", "who", "retrained winner", ("role", "winner"),
                low="test_low", high="test_high",
            ),
            Mark(
                "intervals", "test_accuracy", "who", "mean of their predictions", ("role", "ensemble"),
                low="test_low", high="test_high", role="accent",
            ),
        ),
        x=Axis("test accuracy", "percent"),
        y=Axis("", "text", order=tuple(row["who"] for row in rows)),
        height=150 + 34 * len(rows),
    )  # fmt: skip


def _sheet(view: View, rows: Rows) -> Sheet:
    chosen = [
        Column("who", "winner"),
        Column("optimizer", "optimizer"),
        Column("parameters", "parameters", "count"),
        Column("flops", "FLOPs per image", "count"),
        Column("epochs", "epochs", "epoch"),
        Column(METRICS[view.found.search.request.metric], f"validation {view.metric}", "percent"),
    ]
    chosen += test_columns(metrics_of(view, rows))
    chosen += [Column("test_loss", "test loss", "number"), Column("seconds", "time", "seconds")]
    table = table_of(chosen, rows)
    cautions = "".join(f" {line}" for line in scores.cautions({row["who"]: row for row in rows}))
    order = "In the order of their validation results, by which they were chosen"
    if last_retrain(view.record)[1]:
        order = "First those chosen by cross-validation, in that order, then others by validation"
    taught = "".join(
        f" {label(run)} {scores.taught(scores.in_words(run.teachers))}." for run in view.tested if run.teachers
    )
    return Sheet("winners-table", "The winners", table, f"{order}; the test set ranks nothing.{cautions}{taught}")


def _repeats(view: View) -> tuple[str, ...]:
    metric = view.found.search.request.metric
    summary = scores.over_repeats(view.results[0], metric)
    lines = []
    rows = summary.to_dict("records")
    for row, apart in zip(rows, scores.distinctions(rows), strict=True):
        who = f"{'Students of trial' if row['teachers'] else 'Trial'} {row['trial']:.0f}{apart and f' ({apart})'}"
        spread = f"{row['mean']:.1%} ± {row['std']:.1%} over {row['count']:.0f} seeds"
        lines.append(f"{who}: test {words(metric)} {spread}.")
    return tuple(lines)


def _best(view: View) -> Sheet:
    images = view.found.search.facts["data"]["num_validation"]
    is_plain = view.found.search.request.metric == ACCURACY
    rows: list[dict[str, Any]] = []
    for run in view.ranked[:_PLACES]:
        value = run.at_best("value")
        low, high = wilson(round(value * images), images) if is_plain else (None, None)
        rows.append(
            {
                "trial": run.key[0],
                "network": run.network,
                "optimizer": run.config["optimizer"]["name"],
                "lr": run.config["optimizer"].get("lr"),
                "batch": run.config["training"]["batch_size"],
                "parameters": run.asked.parameters,
                "value": value,
                "low": low,
                "high": high,
                "epoch": run.at_best("epoch"),
                "state": view.state(run),
                "seconds": run.seconds,
            }
        )
    columns = (
        Column("trial", "trial", "count"),
        Column("network", "network"),
        Column("optimizer", "optimizer"),
        Column("lr", "learning rate", "number"),
        Column("batch", "batch", "count"),
        Column("parameters", "parameters", "count"),
        Column("value", f"validation {view.metric}", "percent"),
        *((Column("low", "from", "percent"), Column("high", "to", "percent")) if is_plain else ()),
        Column("epoch", "best epoch", "epoch"),
        Column("state", "state"),
        Column("seconds", "time", "seconds"),
    )
    interval = f", with the 95 % interval for {images:,} images" if is_plain else ""
    return Sheet(
        "best",
        "The best trials of the search",
        table_of(columns, rows),
        f"Each at its best validation {view.metric}{interval}. The first was picked because it is the highest of many, "
        "so its value is slightly optimistic.",
    )
