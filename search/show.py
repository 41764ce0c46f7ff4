"""A search as people see it: rows for the terminal, and the same as plain data for programs."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from search import winners
from search.reading import Loaded
from search.record import Run, rank
from search.tables import state_of
from search.terminal import Rows, console, duration, percent, print_rows
from trainables.metrics import wilson


def summary(found: Loaded) -> dict[str, Any]:
    """A search in a row."""
    best = rank(found.record)[:1]
    return {
        "name": found.search.name,
        "state": _search_state(found),
        "space": found.search.request.space,
        "dataset": found.search.request.dataset,
        "trials": f"{len(found.record.trials)}/{found.samples}",
        "best_val_accuracy": percent(best[0].best["val_accuracy"]) if best and best[0].best else None,
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
    best = rank(record)[:1]
    training = sum(run.seconds for run in record.runs.values())
    forecast = found.search.facts.get("forecast")
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
        "forecast": {key: forecast[key] for key in ("epochs", "seconds")} if forecast else None,
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
        "retries": [
            {"trial": run.key[0], "repeat": run.key[1], "attempt": end["attempt"], "reason": end["reason"]}
            for run in record.runs.values()
            for end in run.ends
            if end["state"] == "interrupted"
        ],
        "bytes": _size(found.search.folder),
        "checkpoint_bytes": _size(found.search.folder / "checkpoints"),
    }


def _size(folder: Path) -> int:
    """Bytes of all files below; one that goes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total


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
        console.print(f"best       {percent(data['best_val_accuracy'])} on validation, trial {data['best_trial']}")
    if data["redrawn"]:
        console.print(f"redrawn    {data['redrawn']} impossible draws")
    if forecast := data["forecast"]:
        epochs, wall = forecast["epochs"], forecast["seconds"]
        console.print(
            f"forecast   about {epochs['middle']:.0f} epochs ({epochs['low']:.0f} to {epochs['high']:.0f}) in "
            f"{duration(wall['middle'])} ({duration(wall['low'])} to {duration(wall['high'])}), Ray's start aside"
        )
    console.print(
        f"cost       {data['epochs_trained']} epochs, {duration(data['training_seconds'])} of training in slots, "
        f"{duration(data['wall_clock_seconds'])} of wall clock; sessions: {data['sessions']}"
    )
    if data["training_share"] is not None:
        console.print(
            f"           {percent(data['training_share'])} of slots × wall clock was training, Ray's start included"
        )
    for rung in data["rungs"]:
        console.print(f"epoch {rung['epoch']:<4g} {rung['reached']} reached it, {rung['stopped']} stopped there")
    if data["retrained"] or data["test_passes"]:
        console.print(f"retrained  {data['retrained']}; the test set was read {data['test_passes']} times")
    for failure in data["failures"]:
        console.print(f"trial {failure['trial']}: {failure['state']}, {failure['reason']}")
    for retry in data["retries"]:
        console.print(f"trial {retry['trial']}: attempt {retry['attempt']} ended, {retry['reason']}")
    console.print(f"disk       {_mib(data['bytes'])}, of which checkpoints {_mib(data['checkpoint_bytes'])}")
    console.print(f"folder     {data['folder']}")


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


# ---- trials


def top(found: Loaded, number: int | None, *, distinct: bool = False, everything: bool = False) -> pd.DataFrame:
    """Rows of `trials`, best first; `everything` adds those without an accuracy at the end."""
    ranked = [run.key[0] for run in rank(found.record, distinct=distinct)]
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
                "val accuracy": percent(row["val_accuracy"]),
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
