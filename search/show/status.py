"""How far a search has come: plain data for programs, and the same in lines for people."""

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from search.history.events import FINAL
from search.history.load import Loaded
from search.history.metric import METRICS, Guess, shown, words
from search.history.pareto import in_words
from search.history.record import Record, Session, rank, state_of
from search.readable import between, count, duration, epochs, percent, time_between
from search.schedulers.scheduler import SchedulerError, scheduler_of
from search.show.live import retrained_since, rungs
from search.show.terminal import Rows, console, standing, with_retrain


def status(found: Loaded) -> dict[str, Any]:
    """How far a search has come: counts, best trial, costs, failures with their reasons."""
    record = found.record
    states: dict[str, int] = {}
    for run in record.trials:
        state = state_of(run, found.running)
        states[state] = states.get(state, 0) + 1
    best = rank(record)[:1]
    again = [run for run in record.runs.values() if run.key[1]]
    again_sessions = [session for session in record.sessions if session.is_retrain]
    asked_again = retrained_since(record, again_sessions[-1].opened.seq) if again_sessions else []
    forecast = found.search.facts.get("forecast")
    return {
        "name": found.search.name,
        "state": found.state,
        "retraining": found.retraining,
        "folder": str(found.search.folder),
        "samples": found.samples,
        "asked": found.search.request.samples,
        "holds": len(record.trials) if found.state == "finished" else found.samples,
        "changed_code": found.search.facts.get("changed_code", []),
        "trials": states,
        "redrawn": sum(run.asked.redrawn for run in record.trials),
        "best_trial": best[0].key[0] if best else None,
        "metric": found.search.request.metric,
        "also": list(found.search.request.costs),
        "best_val_accuracy": best[0].at_best("val_accuracy") if best else None,
        "best_val_balanced_accuracy": best[0].at_best("val_balanced_accuracy") if best else None,
        "guessing": asdict(found.search.guess) if found.search.guess else None,
        "forecast": {
            "trials": forecast.get("trials", found.search.request.samples),  # records of 0.1.0 lack it
            **{key: forecast[key] for key in ("epochs", "seconds")},
        }
        if forecast
        else None,
        "epochs_trained": sum(run.epochs for run in record.trials),
        "training_seconds": sum(run.seconds for run in record.trials),
        "wall_clock_seconds": sum(session.seconds for session in record.searched),
        "sessions": len(record.searched),
        "retrain_epochs": sum(run.epochs for run in again),
        "retrain_seconds": sum(run.seconds for run in again),
        "retrain_wall_clock_seconds": sum(session.seconds for session in again_sessions),
        "retrain_sessions": len(again_sessions),
        "training_share": _training_share(record),
        "last_retrain": {"asked": len(asked_again), "ended": sum(run.state in FINAL for run in asked_again)}
        if again_sessions
        else None,
        "retrained": sum(run.retrained for run in record.retrains),
        "chosen": [{"trials": each.trials, "finalists": each.finalists} for each in record.choices[-1:]],
        "test_passes": record.test_passes,
        "rungs": _rungs(found),
        "failures": [
            {"trial": run.key[0], "repeat": run.key[1], "state": run.state, "reason": run.reason}
            for run in record.runs.values()
            if run.state in ("failed", "diverged", "infeasible")
        ],
        "retries": [
            {"trial": run.key[0], "repeat": run.key[1], "attempt": end.attempt, "reason": end.reason}
            for run in record.runs.values()
            for end in run.ends
            if end.state == "interrupted"
        ],
        "bytes": _size(found.search.folder),
        "checkpoint_bytes": _size(found.search.folder / "checkpoints"),
    }


def _training_share(record: Record) -> float | None:
    """The part of the slots' time in which they trained, retrains included; None if the number of slots is not known.

    A session on a cluster records the slots with which it begins, and machines may join later.
    """
    training = sum(run.seconds for run in record.runs.values())
    slots = sum(session.seconds * session.opened.slots for session in record.sessions)
    if (
        not slots
        or training > slots
        or any(_trained(record, each) for each in record.sessions if not each.opened.slots)
    ):
        return None
    return training / slots


def _trained(record: Record, session: Session) -> bool:
    """Whether a segment was measured in a session."""
    began, ended = session.opened.time, session.last
    return any(began <= event.time <= ended for run in record.runs.values() for event in run.measurements)


def _size(folder: Path) -> int:
    """Bytes of all files in a folder; a file that vanishes meanwhile counts as 0."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.lstat().st_size
    return total


def _rungs(found: Loaded) -> Rows:
    """The scheduler's rungs; none if the scheduler is unknown."""
    try:
        marks = scheduler_of(found.search.request, found.samples).rungs
    except SchedulerError:
        return []
    return rungs(marks, found.record.trials)


def unfinished_retrain(data: dict[str, Any]) -> str | None:
    """How far a retrain came that ended early, and how to continue it; None without one. data: a status."""
    last = data["last_retrain"]
    if not last or data["retraining"] in ("finished", "running", "taken over"):
        return None
    far = ""
    if last["asked"]:
        far = f"{last['ended']:,} of {count(last['asked'], 'run')} asked for so far ended; "
    return f"{far}give the same hpsearch retrain command again to continue it"


def print_status(data: dict[str, Any]) -> None:
    """The status for people."""
    counted = (f"{number} {standing(state, data['state'])}" for state, number in sorted(data["trials"].items()))
    states = ", ".join(counted) or "none yet"
    console.print(f"{data['name']}: {with_retrain(data['state'], data['retraining'])}", style="bold")
    console.print(f"trials     {states}; of {data['samples']} in all")
    if data["holds"] < data["asked"]:
        held = count(data["holds"], "configuration")
        console.print(f"space      has only {held}; {count(data['asked'], 'trial')} were asked for")
    if data["changed_code"]:
        console.print(f"code       changed since the launch: {', '.join(data['changed_code'])} (--changed-code)")
    if data["best_trial"] is not None:
        found = Guess(**data["guessing"]) if data["guessing"] else None
        metrics = shown(data["metric"], found)
        values = ", ".join(f"{percent(data[f'best_{METRICS[metric]}'])} {words(metric)}" for metric in metrics)
        console.print(f"best       {values} on validation, trial {data['best_trial']}")
        if found:
            console.print(f"           {found.line(metrics)}")
    if data["also"]:
        objectives = f"{words(data['metric'])} and {in_words(data['also'])}"
        console.print(f"compared   by {objectives} (hpsearch top --pareto {data['also'][0]})")
    if data["redrawn"]:
        console.print(f"redrawn    {count(data['redrawn'], 'impossible draw')}")
    if forecast := data["forecast"]:
        all_epochs, wall = forecast["epochs"], forecast["seconds"]
        trained = between(all_epochs["low"], all_epochs["middle"], all_epochs["high"], "epoch")
        took = time_between(wall["low"], wall["middle"], wall["high"])
        is_of = f"; it is for {count(forecast['trials'], 'trial')}" if forecast["trials"] != data["samples"] else ""
        console.print(f"forecast   {trained} in {took}, without start-up{is_of}")
    console.print(f"cost       {_cost(data, 'epochs_trained', 'training_seconds', 'wall_clock_seconds', 'sessions')}")
    if data["retrain_sessions"]:
        keys = ("retrain_epochs", "retrain_seconds", "retrain_wall_clock_seconds", "retrain_sessions")
        console.print(f"           {_cost(data, *keys)} for retrains")
    if data["training_share"] is not None:
        share = percent(data["training_share"])
        console.print(f"           slots busy {share} of the time, start-up included")
    for rung in data["rungs"]:
        if rung["reached"]:
            ended = [state for state in ("stopped", "paused") if rung[state]]
            left = "".join(f", {rung[state]} {standing(state, data['state'])} there" for state in ended)
            console.print(f"epoch {epochs(rung['epoch']):<4} {rung['reached']} reached it{left}")
    for chosen in data["chosen"]:
        finalists = ", ".join(map(str, chosen["finalists"]))
        console.print(f"finalists  {_listed(chosen['trials'])} chosen from finalists {finalists} by cross-validation")
    if data["retrained"] or data["test_passes"]:
        passes = count(data["test_passes"], "test-set evaluation")
        console.print(f"retrained  {count(data['retrained'], 'network')}; {passes}")
    if unfinished := unfinished_retrain(data):
        console.print(f"retrain    {unfinished}")
    for failure in data["failures"]:
        console.print(f"trial {_name(failure)}: {failure['state']}, {failure['reason']}")
    for retry in data["retries"]:
        console.print(f"trial {_name(retry)}: attempt {retry['attempt']} ended, {retry['reason']}")
    console.print(f"disk       {_mib(data['bytes'])}, of which checkpoints {_mib(data['checkpoint_bytes'])}")
    console.print(f"folder     {data['folder']}")


def _cost(data: dict[str, Any], trained: str, training: str, wall_clock: str, sessions: str) -> str:
    """A cost in words, from these keys of a status."""
    return (
        f"{count(data[trained], 'epoch')}, {duration(data[training])} of training in slots, "
        f"{duration(data[wall_clock])} of wall clock in {count(data[sessions], 'session')}"
    )


def _name(row: dict[str, Any]) -> str:
    """A run as tables name it: 7, or 7-1 for the first retrain of trial 7 or its first fold."""
    return f"{row['trial']}-{row['repeat']}" if row["repeat"] else str(row["trial"])


def _listed(trials: list[int]) -> str:
    """The numbers of trials as text, in the given order."""
    return f"trial{'s' * (len(trials) != 1)} {', '.join(map(str, trials))}" if trials else "no trial"


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
