"""How a search goes: the best so far, all learning curves, the rungs, and what the slots were doing."""

from collections import Counter
from typing import Any

from search.history.record import UNRANKED, Run
from search.page.blocks import Axis, Block, Choice, Column, Facts, Figure, Mark, Section, Table
from search.page.timeline import spans
from search.page.view import View
from search.readable import count, duration, percent
from search.show.live import Best, time_left
from search.show.watch import scene_of

#: States of trials that did not go on because of the scheduler.
_GIVEN_UP = ("stopped", "not continued")


def section(view: View) -> Section:
    """The section on how a search goes."""
    blocks: list[Block] = [Facts("states", _states(view))]
    if view.ranked:
        blocks += [best_so_far(view), _curves(view)]
        blocks += [figure] if (figure := _rungs(view)) else []
        blocks.append(_timeline(view))
    return Section("goes", "Progress", tuple(blocks))


def _states(view: View) -> tuple[tuple[str, str], ...]:
    counted = Counter(view.state(run) for run in view.record.trials)
    rows = [(state, f"{number:,}") for state, number in sorted(counted.items())]
    waiting = view.found.samples - len(view.record.trials)
    if waiting > 0 and not view.record.finished:
        rows.append(("not drawn yet", f"{waiting:,}"))
    if (share := view.status["training_share"]) is not None:
        rows.append(("slots busy", f"{percent(share)} of the time" if share else "nothing yet"))
    if view.found.running and view.record.sessions:
        left = time_left(scene_of(view.found.search, view.record, Best()))
        if left is not None:
            rows.append(("time left", f"about {duration(left)}"))
    return tuple(rows)


# ---- the best so far

_SO_FAR = (
    Column("epochs", "epochs of all trials", "epoch"),
    Column("images", "images of all trials", "count"),
    Column("seconds", "wall clock", "seconds"),
    Column("trial", "trial", "count"),
    Column("value", "best so far", "percent"),
)


def so_far(view: View) -> list[dict[str, Any]]:
    """A row for each measurement that is better than all before it, and one for the last measurement."""
    events = [(event, run) for run in view.record.trials for event in run.measurements if event.value is not None]
    rows: list[dict[str, Any]] = []
    reached: dict[int, tuple[float, int]] = {}
    epochs, images, best = 0.0, 0, (-1.0, -1)
    for event, run in sorted(events, key=lambda pair: pair[0].seq):
        trial, before = run.key[0], reached.get(run.key[0], (0.0, 0))
        epochs, images = epochs + event.epoch - before[0], images + event.images - before[1]
        reached[trial] = (event.epoch, event.images)
        is_better = (event.value or 0.0) > best[0] and run.state not in UNRANKED
        best = ((event.value or 0.0), trial) if is_better else best
        row = {
            "epochs": epochs,
            "images": images,
            "seconds": view.elapsed(event.time),
            "trial": best[1],
            "value": best[0],
        }
        if is_better:
            rows.append(row)
    return rows if rows[-1:] == [row] else [*rows, row]


def best_so_far(view: View) -> Figure:
    """The best validation value against epochs, images or wall clock."""
    rows = so_far(view)
    final, last = rows[-1]["value"], rows[-1]["epochs"]
    near = next(row for row in rows if row["value"] >= final - 0.01)
    share = near["seconds"] / max(rows[-1]["seconds"], 1e-9)
    return Figure(
        key="best-so-far",
        title="Best so far",
        sentence=f"A value within one percentage point of the final {percent(final)} was reached after "
        f"{round(near['epochs'], 2):,.10g} of {count(last, 'epoch')}, {share:.0%} of the time.",
        alt=f"A rising staircase from {percent(rows[0]['value'])} to {percent(final)} over {count(last, 'epoch')}.",
        table=Table(_SO_FAR, rows),
        marks=(Mark("steps", "epochs", "value"),),
        x=Axis("epochs of all trials", "epoch"),
        y=Axis(f"validation {view.metric}", "percent"),
        choices=(
            Choice("by epochs"),
            Choice("by images", {"epochs": "images"}, Axis("images of all trials", "count")),
            Choice("by wall clock", {"epochs": "seconds"}, Axis("wall clock", "seconds")),
        ),
        height=320,
    )


# ---- learning curves


def _curves(view: View) -> Figure:
    rows: list[dict[str, Any]] = []
    for run in view.record.trials:
        state = view.state(run)
        for event in run.measurements:
            value = getattr(event, view.column)
            if value is not None:
                rows.append({"trial": run.key[0], "state": state, "epoch": event.epoch, "value": value})
    states = sorted({row["state"] for row in rows}, key=lambda state: (state != "stopped", state))
    roles = {"stopped": "faint", "running": "good", "done": "main", "diverged": "bad", "failed": "bad"}
    stopped = sum(view.state(run) in _GIVEN_UP for run in view.record.trials)
    top = [run.key[0] for run in view.ranked[:20]]
    best = view.ranked[0]
    return Figure(
        key="curves",
        title="Learning curves",
        sentence=f"A line for each of {count(len({row['trial'] for row in rows}), 'trial')}; {stopped:,} were stopped "
        f"early. The best, trial {best.key[0]}, had {percent(best.measurements[0].value)} at its first measurement and "
        f"{percent(best.at_best('value'))} at its best. Click a state in the legend to hide it.",
        alt=f"Curves of validation {view.metric} over epochs, a line for each trial; the best are emphasised.",
        table=Table(
            (
                Column("trial", "trial", "count"),
                Column("state", "state"),
                Column("epoch", "epoch", "epoch"),
                Column("value", f"validation {view.metric}", "percent"),
            ),
            rows,
        ),
        marks=tuple(
            Mark("line", "epoch", "value", state, ("state", state), group="trial", role=roles.get(state, "accent"))
            for state in states
        ),
        x=Axis("epoch", "epoch"),
        y=Axis(f"validation {view.metric}", "percent"),
        height=440,
        top=top,
    )


# ---- rungs


def _rungs(view: View) -> Figure | None:
    rungs = view.status["rungs"]
    if not any(rung["reached"] for rung in rungs):
        return None
    rows: list[dict[str, Any]] = []
    for rung in rungs:
        for what in ("continued", "stopped", "paused"):
            gone = rung["stopped"] + rung["paused"]
            number = rung["reached"] - gone if what == "continued" else rung[what]
            rows.append({"epoch": f"{rung['epoch']:g}", "what": what, "trials": number})
    return Figure(
        key="rungs",
        title="Where trials were stopped",
        sentence=_saved(view),
        alt="Bars for each rung: "
        + "; ".join(f"epoch {r['epoch']:g}: {r['reached']} reached it, {r['stopped']} stopped there" for r in rungs),
        table=Table(
            (
                Column("epoch", "rung at epoch"),
                Column("what", "what became of them"),
                Column("trials", "trials", "count"),
            ),
            rows,
        ),
        marks=(
            Mark("bars", "epoch", "trials", "continued", ("what", "continued"), role="main"),
            Mark("bars", "epoch", "trials", "stopped there", ("what", "stopped"), role="accent"),
            Mark("bars", "epoch", "trials", "paused there", ("what", "paused"), role="faint"),
        ),
        x=Axis("rung, at epoch", "text", order=tuple(f"{rung['epoch']:g}" for rung in rungs)),
        y=Axis("trials that reached it", "count"),
        height=320,
    )  # fmt: skip


def _saved(view: View) -> str:
    """What stopping saved, in words: the epochs that stopped trials did not train, at each trial's own speed."""
    ended = [run for run in view.record.trials if view.state(run) in _GIVEN_UP and run.epochs]
    if not ended:
        return "No trial has been stopped by the scheduler."
    left = sum(_left(run) for run in ended)
    trained = sum(run.epochs for run in view.record.trials)
    seconds = sum(_left(run) * run.seconds / run.epochs for run in ended)
    slots = max((session.opened.slots for session in view.record.sessions), default=1)
    saved = f"{duration(seconds / slots)} more of wall clock" if slots else f"{duration(seconds)} more of training"
    were = "was" if len(ended) == 1 else "were"
    return (
        f"{count(len(ended), 'trial')} {were} not trained to the end. That would have taken about {left:,.0f} more "
        f"epochs ({trained:,.0f} were trained), about {saved} at each trial's own speed."
    )


def _left(run: Run) -> float:
    return max(0.0, run.config["training"]["epochs"] - run.epochs)


# ---- slots


def _timeline(view: View) -> Figure:
    rows = spans(view)
    slots = sorted({row["slot"] for row in rows})
    kinds = sorted({row["state"] for row in rows})
    roles = {
        "stopped": "faint",
        "running": "good",
        "done": "main",
        "retrain": "accent",
        "diverged": "bad",
        "failed": "bad",
    }
    share = view.status["training_share"]
    trained = "" if share is None else f"Slots were busy {percent(share)} of the time, start-up included. "
    return Figure(
        key="timeline",
        title="What the slots did",
        sentence=f"{trained}Gaps are times in which a slot waited, or its process started.",
        alt=f"A bar for each run on one of {count(len(slots), 'slot')}, from its start to its end.",
        table=Table(
            (
                Column("slot", "slot"),
                Column("trial", "trial", "count"),
                Column("run", "run"),
                Column("state", "state"),
                Column("begin", "from", "seconds"),
                Column("end", "to", "seconds"),
            ),
            rows,
        ),
        marks=tuple(
            Mark(
                "spans", "begin", "slot", kind, ("state", kind), low="begin", high="end", role=roles.get(kind, "accent")
            )
            for kind in kinds
        ),
        x=Axis("wall clock at work", "seconds"),
        y=Axis("", "text", order=tuple(slots)),
        height=150 + 34 * len(slots),
    )
