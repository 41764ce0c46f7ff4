"""What mattered: importance with its range, families, optimizers, slices, parallel coordinates, and costs."""

import json
from statistics import median
from typing import Any

from search.history.pareto import unbeaten
from search.history.record import Run
from search.page.blocks import Axis, Block, Choice, Column, Figure, Kind, Listing, Mark, Rows, Section, Table, Words
from search.page.importance import Importance, common_epoch, first_value, importance, varying
from search.page.view import View, word
from search.readable import count, percent

_CATEGORICAL = "CategoricalDistribution"  # Optuna's name
_MOST_AXES = 7  # of parallel coordinates
_COST = {"parameters": Axis("parameters", "count", log=True), "flops": Axis("FLOPs per image", "count", log=True),
         "seconds": Axis("seconds of training", "seconds", log=True)}  # fmt: skip


def section(view: View) -> Section:
    """The section on what mattered in a search."""
    if len(view.ranked) < 2:
        lines = ("With fewer than two measured trials there is nothing to compare.",)
        return Section("mattered", "What mattered", (Words("mattered-words", lines),))
    found = importance(view.record.trials)
    blocks: list[Block] = [_importance(found) if found else Words("importance-words", (_too_few(view),))]
    blocks += [_by(view, "network", "family"), _by(view, "optimizer", "optimizer")]
    blocks += [figure] if (figure := _slices(view)) else []
    blocks += [figure] if (figure := _parallel(view, found)) else []
    blocks += [_cost(view), _listing(view)]
    return Section("mattered", "What mattered", tuple(blocks))


def _too_few(view: View) -> str:
    return (
        f"{count(len(view.ranked), 'measured trial')} cannot tell which parameters matter, so no importance is shown."
    )


def _importance(found: Importance) -> Figure:
    rows = [
        {"parameter": n, "share": s.whole, "low": s.low, "high": s.high, "chance": s.chance}
        for n, s in found.shares.items()
    ]
    known = found.known
    if known:
        others = " For the others these trials cannot tell." if len(known) < len(rows) else ""
        told = f"{' and '.join(known)} mattered more than chance explains.{others}"
    else:
        told = f"These {found.trials:,} trials cannot tell which parameter mattered: chance gives shares as large."
    return Figure(
        key="importance",
        title="Importance of the parameters that every trial has",
        sentence=f"{told} A line is the range over all trials and ten subsamples of them; the other mark is the most "
        f"that 20 shuffles of the values gave. {count(found.trials, 'trial')} at epoch {found.epoch:g}, by PED-ANOVA "
        "for the best quarter.",
        alt="Points with ranges: "
        + "; ".join(
            f"{r['parameter']} {r['share']:.0%} ({r['low']:.0%} to {r['high']:.0%}, chance {r['chance']:.0%})"
            for r in rows
        ),
        table=Table(
            (
                Column("parameter", "parameter"),
                Column("share", "share of the importance", "percent"),
                Column("low", "lowest share", "percent"),
                Column("high", "highest share", "percent"),
                Column("chance", "highest by chance", "percent"),
            ),
            rows,
        ),
        marks=(
            Mark("points", "chance", "parameter", "most by chance", role="faint"),
            Mark("intervals", "share", "parameter", "share and its range", low="low", high="high"),
        ),
        x=Axis("share of the importance", "percent"),
        y=Axis("", "text", order=tuple(found.shares)),
        height=190 + 34 * len(rows),
    )


def _compared(view: View) -> tuple[float, list[tuple[Run, float]]]:
    epoch = common_epoch(view.record.trials) or 0.0
    pairs = ((run, first_value(run)) for run in view.record.trials)
    return epoch, [(run, value) for run, value in pairs if value is not None]


def _by(view: View, part: str, noun: str) -> Figure:
    """Values by the name of a configuration's part, at the common epoch and at each trial's best epoch."""
    epoch, compared = _compared(view)
    rows: Rows = [
        {"trial": run.key[0], "name": run.config[part]["name"], "common": value, "best": run.at_best("value")}
        for run, value in compared
    ]
    middles = {
        name: median(row["common"] for row in rows if row["name"] == name) for name in {row["name"] for row in rows}
    }
    order = sorted(middles, key=lambda name: -middles[name])
    fewest = min(sum(row["name"] == name for row in rows) for name in order)
    caution = f" Some have only {count(fewest, 'trial')}, which says little." if fewest < 5 else ""
    told = (
        f"At epoch {epoch:g}, {order[0]} has the highest median ({percent(middles[order[0]])}) and {order[-1]} the "
        f"lowest ({percent(middles[order[-1]])}).{caution}"
        if len(order) > 1
        else f"All trials have the {noun} {order[0]}."
    )
    return Figure(
        key=f"by-{noun}",
        title=f"Accuracy by {noun}" if view.metric == "accuracy" else f"{view.metric.capitalize()} by {noun}",
        sentence=told,
        alt="Points in columns: " + "; ".join(f"{name}, median {percent(middles[name])}" for name in order),
        table=Table(
            (
                Column("trial", "trial", "count"),
                Column("name", noun),
                Column("common", f"validation {view.metric} at epoch {epoch:g}", "percent"),
                Column("best", f"best validation {view.metric}", "percent"),
            ),
            rows,
        ),
        marks=(Mark("points", "name", "common"),),
        x=Axis(noun, "text", order=tuple(order)),
        y=Axis(f"validation {view.metric}", "percent"),
        choices=(Choice(f"at epoch {epoch:g}"), Choice("at its best", {"common": "best"})),
        height=340,
    )  # fmt: skip


def _slices(view: View) -> Figure | None:
    """Values against each parameter that varies, of the trials that have it."""
    epoch, compared = _compared(view)
    names: dict[str, None] = dict.fromkeys(name for run, _ in compared for name in run.asked.params)
    kept = []
    for name in names:
        values = {repr(run.asked.params[name]) for run, _ in compared if name in run.asked.params}
        if len(values) > 1 and sum(name in run.asked.params for run, _ in compared) >= 3:
            kept.append(name)
    if not kept:
        return None
    everywhere = varying([run for run, _ in compared])
    kept.sort(key=lambda name: name not in everywhere)
    texts = {name for name in kept if _is_text(name, compared)}
    rows: Rows = []
    for run, value in compared:
        drawn = {name: run.asked.params.get(name) for name in kept}
        shown = {n: word(drawn[n]) if n in texts and drawn[n] is not None else drawn[n] for n in kept}
        rows.append({"trial": run.key[0], "value": value, **shown})
    choices = tuple(Choice(_title(name, everywhere), {"parameter": name}, _axis(name, compared)) for name in kept)
    return Figure(
        key="slices",
        title="One parameter at a time",
        sentence=f"Choose a parameter. Each point is a trial at epoch {epoch:g}. A parameter of a branch, such as one "
        "optimizer's, shows the trials of that branch alone.",
        alt=f"Points: a parameter's value across, validation {view.metric} upwards.",
        table=Table(
            (
                Column("trial", "trial", "count"),
                Column("value", f"validation {view.metric} at epoch {epoch:g}", "percent"),
                *(Column(name, name, "text" if name in texts else "number") for name in kept),
            ),
            rows,
        ),
        marks=(Mark("points", "parameter", "value"),),
        x=choices[0].axis or Axis(""),
        y=Axis(f"validation {view.metric}", "percent"),
        choices=choices,
        height=360,
    )


def _title(name: str, everywhere: list[str]) -> str:
    return name if name in everywhere else f"{name} (some trials)"


def _is_text(name: str, compared: list[tuple[Run, float]]) -> bool:
    return any(each["name"] == _CATEGORICAL for each in _distributions(name, compared))


def _axis(name: str, compared: list[tuple[Run, float]]) -> Axis:
    described = _distributions(name, compared)
    if not _is_text(name, compared):
        return Axis(name, "number", log=all(each["attributes"].get("log") for each in described))
    drawn = [word(run.asked.params[name]) for run, _ in compared if name in run.asked.params]
    choices = [word(choice) for each in described for choice in each["attributes"].get("choices", ())]
    return Axis(name, "text", order=tuple(dict.fromkeys([each for each in choices if each in drawn] + drawn)))


def _distributions(name: str, compared: list[tuple[Run, float]]) -> list[dict[str, Any]]:
    """What a parameter was drawn from: one distribution, or several if its range depends on other parameters."""
    texts = [run.asked.distributions[name] for run, _ in compared if name in run.asked.params]
    return [json.loads(text) for text in dict.fromkeys(texts)]


def _parallel(view: View, found: Importance | None) -> Figure | None:
    """An axis for each parameter that all trials have: positions from 0 to 1, and the value at each as text."""
    epoch, compared = _compared(view)
    names = varying([run for run, _ in compared])
    if not names:
        return None
    if found:
        names = [name for name in found.shares if name in names]
    names = names[:_MOST_AXES]
    last = f"validation {view.metric}"
    axes = {name: _Scale([run.asked.params[name] for run, _ in compared], _axis(name, compared)) for name in names}
    axes[last] = _Scale([value for _, value in compared], Axis(last, "percent"))
    ordered = sorted(compared, key=lambda pair: pair[1])
    rows: Rows = []
    for place, (run, value) in enumerate(ordered):
        fifth = f"{min(4, place * 5 // len(ordered)) + 1}"
        for name, scale in axes.items():
            own = value if name == last else run.asked.params[name]
            shown = percent(own) if name == last else word(own) if scale.axis.kind == "text" else f"{own:.3g}"
            rows.append({"trial": run.key[0], "fifth": fifth, "axis": name, "place": scale.place(own), "value": shown})
    return Figure(
        key="parallel",
        title="Parallel coordinates",
        sentence=f"A line is a trial at epoch {epoch:g}, through its value on every axis; the best fifth is "
        "the darkest. Drag over a part of an axis to select trials in every figure and in the table below; with shift, "
        "on further axes.",
        alt=f"Lines through {len(axes)} axes: {', '.join(axes)}.",
        table=Table(
            (
                Column("trial", "trial", "count"),
                Column("fifth", "fifth by accuracy, 5 the best"),
                Column("axis", "axis"),
                Column("place", "place from 0 to 1", "number"),
                Column("value", "value"),
            ),
            rows,
        ),
        marks=tuple(
            Mark("line", "axis", "place", name, ("fifth", fifth), group="trial", value="value", role=f"fifth{fifth}")
            for fifth, name in zip("12345", ("worst fifth", "", "middle fifth", "", "best fifth"), strict=True)
        ),
        x=Axis("", "text", order=tuple(axes)),
        y=Axis("", "number"),
        height=460,
    )


class _Scale:
    """Positions from 0 to 1 of values on an axis."""

    def __init__(self, values: list[Any], axis: Axis) -> None:
        self.axis = axis
        if axis.kind != "text":
            self._low, self._high = (self._number(each) for each in (min(values), max(values)))

    def _number(self, value: float) -> float:
        from math import log10

        return log10(value) if self.axis.log and value > 0 else float(value)

    def place(self, value: Any) -> float:
        """The position of a value."""
        if self.axis.kind == "text":
            most = len(self.axis.order) - 1
            return self.axis.order.index(word(value)) / most if most else 0.5
        span = self._high - self._low
        return (self._number(value) - self._low) / span if span else 0.5


def _cost(view: View) -> Figure:
    rows: Rows = [
        {
            "trial": run.key[0],
            "network": run.network,
            "parameters": run.asked.parameters,
            "flops": run.asked.flops,
            "seconds": run.seconds,
            "value": run.at_best("value"),
        }
        for run in view.ranked
    ]
    for name in _COST:
        kept = unbeaten([(-row["value"], row[name]) for row in rows])
        for row in rows:
            row[f"front_{name}"] = (-row["value"], row[name]) in kept
    number = sum(row["front_parameters"] for row in rows)
    smallest = min((row for row in rows if row["front_parameters"]), key=lambda row: row["parameters"])
    low = f"{smallest['parameters']:,} parameters and {percent(smallest['value'])}"
    told = f"Trial {smallest['trial']}, with {low}, is the smallest, and none is better."
    if number > 1:
        told = (
            f"The line joins the {number:,} trials that no smaller trial beats. The best has {rows[0]['parameters']:,} "
            f"parameters; the smallest on the line, trial {smallest['trial']}, has {low}."
        )
    return Figure(
        key="cost",
        title="Accuracy against what it costs",
        sentence=told,
        alt=f"Points: parameters across, best validation {view.metric} upwards, and a rising line through the best.",
        table=Table(
            (
                Column("trial", "trial", "count"),
                Column("network", "network"),
                Column("parameters", "parameters", "count"),
                Column("flops", "FLOPs per image", "count"),
                Column("seconds", "training", "seconds"),
                Column("value", f"best validation {view.metric}", "percent"),
                *(Column(f"front_{name}", f"on the front by {name}") for name in _COST),
            ),
            sorted(rows, key=lambda row: (row["parameters"], row["value"])),
        ),
        marks=(
            Mark("line", "parameters", "value", "none cheaper is better", ("front_parameters", True), role="accent"),
            Mark("points", "parameters", "value", "trial"),
        ),
        x=_COST["parameters"],
        y=Axis(f"best validation {view.metric}", "percent"),
        choices=tuple(
            Choice(f"by {axis.label}", {"parameters": name, "front_parameters": f"front_{name}"}, axis)
            for name, axis in _COST.items()
        ),
        height=400,
    )


def _listing(view: View) -> Listing:
    """All trials with the parameters that differ between them, best first."""
    places = {run.key[0]: place for place, run in enumerate(view.ranked)}
    runs = sorted(view.record.trials, key=lambda run: (places.get(run.key[0], len(places)), run.key[0]))
    names = dict.fromkeys(name for run in runs for name in run.asked.params)
    differs = [name for name in names if len({repr(run.asked.params.get(name)) for run in runs}) > 1]
    # Parameters of branches are under slices and in the downloads.
    kinds = {name: _kind([run.asked.params.get(name) for run in runs]) for name in differs if "/" not in name}
    rows: Rows = [
        {
            "trial": run.key[0],
            "value": run.at_best("value"),
            "state": view.state(run),
            "trained": run.epochs,
            "parameters": run.asked.parameters,
            "seconds": run.seconds,
            **{name: _shown(run.asked.params.get(name)) for name in kinds},
            "others": ", ".join(
                f"{n} {_brief(run.asked.params[n])}" for n in differs if "/" in n and n in run.asked.params
            ),
        }
        for run in runs
    ]
    return Listing(
        "trials",
        "All trials",
        Table(
            (
                Column("trial", "trial", "count"),
                Column("value", f"best validation {view.metric}", "percent"),
                Column("state", "state"),
                Column("trained", "epochs", "epoch"),
                Column("parameters", "parameters", "count"),
                Column("seconds", "time", "seconds"),
                *(Column(name, name, kind) for name, kind in kinds.items()),
                Column("others", "of its branch"),
            ),
            rows,
        ),
        "Only what differs between trials is shown. A click on a column's name sorts by it.",
    )


def _kind(values: list[Any]) -> Kind:
    """The kind of a column with these values: of numbers, so that it is sorted by them, if all that are there are."""
    types = {type(value) for value in values if value is not None}
    return "count" if types == {int} else "number" if types <= {int, float} else "text"


def _shown(value: Any) -> Any:
    return value if isinstance(value, int | float | None) and not isinstance(value, bool) else word(value)


def _brief(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else word(value)
