"""What people see: rows for the terminal, and the same as plain data for programs."""

from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, make_network
from architectures.spec import CNN, Shape, layers
from search import winners
from search.forecast import Forecast, Spread
from search.progress import duration
from search.reading import Loaded
from search.record import Run
from search.spaces import SPACES, find_space, parameters
from search.store import Request
from search.tables import state_of
from trainables.metrics import wilson

Rows = list[dict[str, Any]]

# A table keeps a line a row: a pipe gets it at full width, a narrow terminal wraps it as it would any long line.
_LEAST_WIDTH = 120
console = Console(highlight=False, markup=False)
if not console.is_terminal or console.width < _LEAST_WIDTH:
    console = Console(highlight=False, markup=False, width=_LEAST_WIDTH)


_WHOLE = (
    "trial",
    "network",
    "optimizer",
    "parameters",
    "val accuracy",
    "test accuracy",
    "state",
    "time",
    "lr",
    "batch",
    "epoch",
    "",
)


def print_rows(rows: Rows, empty: str, title: str | None = None) -> None:
    """A table whose columns are the rows' keys; numbers stand to the right."""
    if not rows:
        console.print(empty)
        return
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, padding=(0, 1, 0, 0))
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float) or row[name] is None for row in rows)
        table.add_column(
            name.replace("_", " "), justify="right" if numeric else "left", overflow="fold", no_wrap=name in _WHOLE
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


# ---- networks and spaces


def networks(shape: Shape, num_classes: int) -> Rows:
    """A row a family, at its published size."""
    rows = []
    for name, family in FAMILIES.items():
        network = family()
        costs = cost(network, shape, num_classes)
        rows.append(
            {
                "name": name,
                "units": len(network.units),
                "hidden": len(network.head.hidden),
                "parameters": costs.parameters,
                "forward_mflop": round(costs.flops / 1e6, 1),
                "activation_kib": round(costs.activation_bytes / 1024),
            }
        )
    return rows


def network(name: str, hyperparameters: dict[str, Any], shape: Shape, num_classes: int) -> Rows:
    """A row a layer with its output shape and counts, and their sums."""
    made = make_network(name, hyperparameters, shape, num_classes)
    if not isinstance(made, CNN):
        module = build(made, shape, num_classes)
        return [
            {
                "layer": layer,
                "operation": type(child).__name__,
                "parameters": sum(p.numel() for p in child.parameters()),
            }
            for layer, child in module.named_children()
        ] + [{"layer": "all", "operation": "", "parameters": sum(p.numel() for p in module.parameters())}]
    rows: Rows = [
        {
            "layer": layer.unit,
            "operation": " ".join([layer.op, *(f"{k}={v}" for k, v in layer.settings.items())]),
            "output": "×".join(map(str, layer.output_shape)),
            "parameters": layer.parameters,
            "flops": layer.flops,
        }
        for layer in layers(made, shape, num_classes)
    ]
    total = {key: sum(row[key] for row in rows) for key in ("parameters", "flops")}
    return [*rows, {"layer": "all", "operation": "", "output": "", **total}]


def spaces() -> Rows:
    """A row a built-in space."""
    return [{"name": name, "what": (function.__doc__ or "").splitlines()[0]} for name, function in SPACES.items()]


def space(name: str) -> Rows:
    """A row a parameter of a space, or a configuration of a list."""
    found = find_space(name)
    if found.function is None:
        return [
            {"trial": n, "network": c.network.name, "optimizer": c.optimizer.name, "lr": c.optimizer.lr,
             "batch_size": c.training.batch_size, "epochs": c.training.epochs}
            for n, c in enumerate(found.configs)
        ]  # fmt: skip
    return [
        {
            "parameter": p.name,
            "values": _values(p.distribution),
            "when": " and ".join(f"{k} is {' or '.join(map(str, v))}" for k, v in p.conditions) or "always",
        }
        for p in parameters(found.function)
    ]


def _values(distribution: Any) -> str:
    if hasattr(distribution, "choices"):
        return ", ".join(map(str, distribution.choices))
    scale = "log scale" if distribution.log else "uniform"
    step = f", step {distribution.step:g}" if distribution.step not in (None, 1) else ""
    return f"{distribution.low:g} to {distribution.high:.10g}, {scale}{step}"


# ---- searches


def summary(found: Loaded) -> dict[str, Any]:
    """A search in a row."""
    best = winners.rank(found.record)[:1]
    return {
        "name": found.search.name,
        "state": _search_state(found),
        "space": found.search.request.space,
        "dataset": found.search.request.dataset,
        "trials": f"{len(found.record.trials)}/{found.samples}",
        "best_val_accuracy": _percent(best[0].best["val_accuracy"]) if best and best[0].best else None,
        "tested": found.record.test_passes,
    }


def _search_state(found: Loaded) -> str:
    if found.running:
        return "running"
    return found.record.sessions[-1].reason if found.record.sessions else "not begun"


def status(found: Loaded) -> dict[str, Any]:
    """How far a search is: counts, best trial, costs, failures with their reasons."""
    record = found.record
    states: dict[str, int] = {}
    for run in record.trials:
        state = state_of(run, found.running)
        states[state] = states.get(state, 0) + 1
    best = winners.rank(record)[:1]
    training = sum(run.seconds for run in record.runs.values())
    slots = sum(session.seconds * session.opened["slots"] for session in record.sessions)
    return {
        "name": found.search.name,
        "state": _search_state(found),
        "folder": str(found.search.folder),
        "samples": found.samples,
        "trials": states,
        "redrawn": sum(run.asked["redrawn"] for run in record.trials),
        "best_trial": best[0].key[0] if best else None,
        "best_val_accuracy": best[0].best["val_accuracy"] if best and best[0].best else None,
        "epochs_trained": sum(len(run.measurements) for run in record.runs.values()),
        "training_seconds": training,
        "wall_clock_seconds": sum(session.seconds for session in record.sessions),
        "training_share": training / slots if slots else None,
        "sessions": len(record.sessions),
        "retrained": sum(run.retrained for run in record.retrains),
        "test_passes": record.test_passes,
        "rungs": rungs(found),
        "failures": [
            {"trial": run.key[0], "repeat": run.key[1], "state": run.state, "reason": run.reason}
            for run in record.runs.values()
            if run.state in ("failed", "diverged", "infeasible")
        ],
    }


def rungs(found: Loaded) -> Rows:
    """How many trials were measured at each epoch at which some trial was stopped, and how many were stopped there."""
    stopped = [run.measurements[-1]["epoch"] for run in found.record.trials if run.state == "stopped"]
    reached = [m["epoch"] for run in found.record.trials for m in run.measurements]
    return [
        {"epoch": epoch, "reached": reached.count(epoch), "stopped": stopped.count(epoch)}
        for epoch in sorted(set(stopped))
    ]


def print_status(data: dict[str, Any]) -> None:
    """The status for people."""
    states = ", ".join(f"{count} {state}" for state, count in sorted(data["trials"].items())) or "none yet"
    console.print(f"{data['name']}: {data['state']}", style="bold")
    console.print(f"trials     {states}; {data['samples']} asked for")
    if data["best_trial"] is not None:
        console.print(f"best       {_percent(data['best_val_accuracy'])} on validation, trial {data['best_trial']}")
    if data["redrawn"]:
        console.print(f"redrawn    {data['redrawn']} impossible draws")
    console.print(
        f"cost       {data['epochs_trained']} epochs, {duration(data['training_seconds'])} of training in slots, "
        f"{duration(data['wall_clock_seconds'])} of wall clock; sessions: {data['sessions']}"
    )
    if data["training_share"] is not None:
        console.print(
            f"           {_percent(data['training_share'])} of slots × wall clock was training, Ray's start included"
        )
    for rung in data["rungs"]:
        console.print(f"epoch {rung['epoch']:<4g} {rung['reached']} reached it, {rung['stopped']} stopped there")
    if data["retrained"] or data["test_passes"]:
        console.print(f"retrained  {data['retrained']}; the test set was read {data['test_passes']} times")
    for failure in data["failures"]:
        console.print(f"trial {failure['trial']}: {failure['state']}, {failure['reason']}")
    console.print(f"folder     {data['folder']}")


def print_forecast(request: Request, found: Forecast) -> None:
    """The forecast for people."""
    rows = [
        {name: _spread(value) if isinstance(value, Spread) else value for name, value in row.items()}
        for row in found.families
    ]
    print_rows(rows, "", f"{request.samples} trials of {request.space} on {request.dataset}: median (least to most)")
    for reason, times in found.impossible.items():
        console.print(f"impossible  {times} draws: {reason}")
    epochs = found.epochs
    console.print(f"epochs      about {epochs.middle:.0f} ({epochs.low:.0f} to {epochs.high:.0f}), {request.scheduler}")
    wall = found.seconds
    console.print(
        f"time        about {duration(wall.middle)} ({duration(wall.low)} to {duration(wall.high)}) in the slots"
    )
    console.print(f"memory      up to {found.memory / 2**20:,.0f} MiB in all slots, beside torch and the images")
    console.print(f"disk        up to {found.disk / 2**20:,.0f} MiB of checkpoints")
    for warning in found.warnings:
        console.print(f"warning     {warning}", style="yellow")


def _spread(value: Spread) -> str:
    def shown(number: float) -> str:
        return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"

    if value.low == value.high:
        return shown(value.middle)
    return f"{shown(value.middle)} ({shown(value.low)} to {shown(value.high)})"


# ---- trials


def top(found: Loaded, number: int | None, *, distinct: bool = False, everything: bool = False) -> pd.DataFrame:
    """Rows of `trials`, best first; `everything` adds those without an accuracy at the end."""
    ranked = [run.key[0] for run in winners.rank(found.record, distinct=distinct)]
    frame = found.trials.set_index("trial", drop=False)
    if everything:
        ranked += [trial for trial in frame.index if trial not in set(ranked)]
    return frame.loc[ranked[:number]].reset_index(drop=True)


def print_top(found: Loaded, frame: pd.DataFrame, *, everything: bool = False) -> None:
    """The ranking for people, with the interval that validation's size gives."""
    images = found.search.facts["data"]["num_validation"]
    rows = []
    for place, row in enumerate(frame.to_dict("records"), 1):
        accuracy = row["best_val_accuracy"]
        shown = {
            "": place,
            "trial": row["trial"],
            "network": found.record.runs[row["trial"], 0].network,
            "optimizer": row["optimizer"],
            "lr": f"{row['lr']:.2g}",
            "batch": row["batch_size"],
            "parameters": row["parameters"],
            "val accuracy": _interval(accuracy, images),
            "epoch": "" if pd.isna(row["best_epoch"]) else f"{row['best_epoch']:g}/{row['max_epochs']}",
            "state": row["state"],
            "time": duration(row["seconds"]),
        }
        rows.append(shown | ({"reason": _blank(row["reason"])} if everything else {}))
    title = f"{found.search.name}: best validation accuracy of each trial, with the 95 % interval of {images:,} images"
    print_rows(rows, f"{found.search.name} has no measured trial yet", title)


def _interval(accuracy: Any, images: int) -> str:
    if pd.isna(accuracy):
        return ""
    low, high = wilson(round(accuracy * images), images)
    return f"{accuracy:.1%} ({low:.1%}–{high:.1%})"


def _blank(value: Any) -> Any:
    """None for a missing value, whichever of pandas' kinds it is."""
    return None if pd.isna(value) else value


def _percent(value: float) -> str:
    return f"{value:.1%}"


# ---- retrains


def retrain_report(found: Loaded, keys: list[tuple[int, int]]) -> dict[str, Any]:
    """The winners' table, their repeats, the ensemble and the classes, as plain data."""
    record, folder = found.record, found.search.folder
    runs = _tested(found, keys)
    frame = found.retrains
    mine = frame[[key in keys for key in zip(frame.trial, frame.repeat, strict=True)]] if len(frame) else frame
    return {
        "search": found.search.name,
        "winners": mine.to_dict("records"),
        "repeats": winners.over_repeats(mine).to_dict("records"),
        "ensemble": winners.ensemble(folder, runs),
        "classes": winners.classes(folder, runs).to_dict("records"),
        "confusion": winners.confusions(folder, runs).query("images > 0").to_dict("records") if runs else [],
        "test_passes": record.test_passes,
    }


def _tested(found: Loaded, keys: list[tuple[int, int]]) -> list[Run]:
    return [run for run in winners.tested(found.record) if run.key in keys]


def print_retrains(found: Loaded, keys: list[tuple[int, int]]) -> None:
    """The winners' table for people."""
    report = retrain_report(found, keys)
    rows: Rows = []
    # By validation, as they were chosen: the test set ranks nothing.
    for row in sorted(report["winners"], key=lambda r: (-r["val_accuracy"], r["trial"], r["repeat"])):
        rows.append(
            {
                "trial": f"{row['trial']}-{row['repeat']}",
                "network": row["network"],
                "optimizer": row["optimizer"],
                "parameters": row["parameters"],
                "epochs": row["epochs"],
                "val accuracy": _percent(row["val_accuracy"]),
                "test accuracy": f"{row['test_accuracy']:.1%} ({row['test_low']:.1%}–{row['test_high']:.1%})",
                "test loss": f"{row['test_loss']:.3f}",
                "time": duration(row["seconds"]),
            }
        )
    if both := report["ensemble"]:
        rows.append(
            dict.fromkeys(rows[0], None)
            | {
                "trial": "all",
                "network": f"ensemble of {len(rows)}",
                "test accuracy": f"{both['test_accuracy']:.1%} ({both['test_low']:.1%}–{both['test_high']:.1%})",
                "test loss": f"{both['test_loss']:.3f}",
            }
        )
    images = f"{report['winners'][0]['test_images']:,}" if rows else ""
    print_rows(
        rows,
        "no retrain has been tested",
        f"{found.search.name}: winners on {images} test images, with 95 % intervals",
    )
    for run in (found.record.runs[key] for key in keys):
        if run.test is None:
            console.print(f"trial {run.key[0]}-{run.key[1]} is not tested: {run.state}, {run.reason}")
    for row in report["repeats"]:
        console.print(f"trial {row['trial']}: {row['mean']:.1%} ± {row['std']:.1%} over {row['count']} seeds")
    hardest = sorted(report["classes"], key=lambda row: row["accuracy"])[:3]
    for row in hardest:
        mistake = f", most often taken for {row['mistaken_for']}" if row["mistaken_for"] else ""
        console.print(f"hardest class: {row['class']} {row['accuracy']:.1%} ({row['trial']}-{row['repeat']}){mistake}")
    console.print(f"The test set of this search was read {report['test_passes']} times.")
