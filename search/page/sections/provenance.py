"""Whether a search can be trusted: seeds, split, versions, reads of the test set, failures, forecast and cost."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from search.history.metric import words
from search.history.pareto import in_words
from search.history.request import Request
from search.page.blocks import Block, Column, Facts, Section, Sheet, Table, Words
from search.page.view import View
from search.readable import between, count, duration


def section(view: View) -> Section:
    """The section on whether a search can be trusted."""
    blocks: list[Block] = [Words("tests", _tests(view)), Facts("facts", _facts(view))]
    if forecast := _forecast(view):
        blocks.append(forecast)
    blocks.append(_failures(view))
    return Section("trust", "Reliability", tuple(blocks))


def _tests(view: View) -> tuple[str, ...]:
    passes, winners = view.record.test_passes, len(view.tested)
    if not passes:
        told = "There has been no test-set evaluation. Everything so far was compared on validation images."
        if hashed := view.found.search.facts["data"].get("num_test_hashed"):
            told += f" {count(hashed, 'test image')} were hashed, to find those that also occur in the training set."
        return (told,)
    # A search needs one pass for each retrain; further passes were interrupted or repeated.
    kind = "tested run" if view.is_of_arms else "retrained network"
    told = f"{count(passes, 'test-set evaluation')} for {count(winners, kind)}."
    more = passes - winners
    if more > 0:
        counted = "was interrupted or repeated, and is" if more == 1 else "were interrupted or repeated, and are"
        told += f" {count(more, 'further evaluation')} {counted} counted too."
    elif view.is_of_arms and view.found.search.facts["study"]["measure"] == "test_accuracy":
        told += " Arms are compared by test accuracy, and nothing was chosen by it."
    else:
        told += " hpsearch chose no network by test accuracy."
    return told, *_looks(view)


def _looks(view: View) -> tuple[str, ...]:
    """Test images that were only looked at."""
    looks = view.record.looks
    if not looks:
        return ()
    times = f"{count(len(looks), 'time')}, {count(looks[-1].images, 'image')} the last time"
    reasons = ", ".join(dict.fromkeys(look.why for look in looks))
    return (f"Test images were also looked at {times} ({reasons}), after their networks had been tested.",)


def _facts(view: View) -> tuple[tuple[str, str], ...]:
    search = view.found.search
    request, facts = search.request, search.facts
    data = facts["data"]
    rows: list[tuple[str, str]] = [
        ("launched", datetime.fromtimestamp(search.created, UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("state", view.standing),
        ("seed", f"{request.seed}; the split, every draw and every run derive from it"),
        ("dataset", request.dataset),
        (
            "images",
            f"{data['num_train']:,} to train, {data['num_validation']:,} to validate, {_shape(data.get('shape'))}",
        ),
        ("classes", f"{len(data.get('classes', ())):,}"),
        ("fingerprint", f"{data['fingerprint']} of the training images; a resume or retrain with others is refused"),
    ]
    if search.guess:
        rows.append(("baseline", search.guess.line(search.metrics) + " on validation"))
    if data.get("duplicates") is not None:
        rows.append(("in train and test", f"{count(data['duplicates'], 'identical image')}"))
    rows += [
        ("space", f"{request.space}, drawn by {_sampler(request)}"),
        ("scheduler", _scheduler(view)),
        *([("compared by", f"{words(request.metric)} and {in_words(request.costs)}")] if request.costs else []),
        ("augmentation", request.augment + ("" if request.augment_all else ", unless a configuration sets its own")),
        ("slots", f"{facts.get('slots', '?')}, {_threads(facts)} each, {facts.get('precision', 'float32')}"),
        ("machine", _machine(facts.get("machine", {}))),
        ("versions", ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items())),
        ("impossible draws", f"{view.status['redrawn']:,}, drawn again and counted"),
        (
            "sessions",
            "; ".join(f"{duration(s.seconds)}, {_ended(view, s)}" for s in view.record.sessions) or "none yet",
        ),
    ]
    if facts.get("changed_code"):
        rows.append(("code", f"changed since the launch: {', '.join(facts['changed_code'])}"))
    return tuple(rows)


def _ended(view: View, session: Any) -> str:
    return "running" if view.found.running and session is view.record.sessions[-1] else session.reason


def _sampler(request: Request) -> str:
    if request.experience is None:
        return request.sampler
    return f"{request.sampler}, starting from {', '.join(Path(name).name for name in request.experience.split(','))}"


def _shape(shape: Any) -> str:
    return "×".join(map(str, shape)) + " each" if shape else "sizes not recorded"


def _threads(facts: dict[str, Any]) -> str:
    threads = facts.get("threads")
    return count(threads, "thread") if isinstance(threads, int) else "? threads"


def _scheduler(view: View) -> str:
    request = view.found.search.request
    options = {"grace period": request.grace_period, "reduction factor": request.reduction_factor, "keep": request.keep}
    told = "".join(f", {name} {value:g}" for name, value in options.items() if value is not None)
    return f"{request.scheduler}, {count(request.epochs, 'epoch')} at most{told}"


def _machine(machine: dict[str, Any]) -> str:
    gpus = machine.get("gpus") or []
    cores = machine.get("usable_cores") or machine.get("cores")
    return f"{machine.get('processor', 'not recorded')}, {cores} cores, {', '.join(map(str, gpus)) or 'no GPU'}"


def _forecast(view: View) -> Sheet | None:
    """The forecast at launch, compared with what the search's own trials used."""
    forecast = view.status["forecast"]
    if not forecast:
        return None
    trials, samples = forecast["trials"], view.found.samples
    spent = {"epochs": sum(run.epochs for run in view.record.trials), "seconds": _seconds_without_start_up(view)}
    rows: list[dict[str, Any]] = []
    for name, noun in (("epochs", "epochs of all trials"), ("seconds", "wall clock, without start-up")):
        low, middle, high = (forecast[name][end] for end in ("low", "middle", "high"))
        text = (
            between(low, middle, high)
            if name == "epochs"
            else f"{duration(middle)} ({duration(low)} to {duration(high)})"
        )
        value = f"{spent[name]:,.0f}" if name == "epochs" else duration(spent[name])
        inside = "inside its range" if low <= spent[name] <= high else "outside its range"
        verdict = inside if view.record.finished else "not over yet"
        if trials != samples:
            verdict = "not compared"
        rows.append({"what": noun, "forecast": text, "spent": value, "verdict": verdict})
    columns = (
        Column("what", ""),
        Column("forecast", "forecast"),
        Column("spent", "spent"),
        Column("verdict", "verdict"),
    )
    return Sheet(
        "forecast",
        "Forecast and actual cost",
        Table(columns, rows),
        "Ranges are from the 10th to the 90th percentile."
        + (f" The forecast is for {count(trials, 'trial')}, the search for {samples:,}." if trials != samples else ""),
    )


def _seconds_without_start_up(view: View) -> float:
    """Wall clock of the search's sessions, each from the begin of its first training to its last measurement."""
    measured = [event for run in view.record.trials for event in run.measurements]
    total = 0.0
    for session in view.record.searched:
        own = [event for event in measured if session.opened.time <= event.time <= session.last]
        if own:
            begun = (e.began if e.began is not None else e.time - (e.seconds or 0.0) for e in own)
            total += max(event.time for event in own) - min(begun)
    return total


def _failures(view: View) -> Sheet:
    failures, retries = view.status["failures"], view.status["retries"]
    happened = [(row, str(row["state"])) for row in failures]
    happened += [(row, f"attempt {row['attempt']} ended") for row in retries]
    rows = [
        {
            "run": f"{row['trial']}-{row['repeat']}" if row["repeat"] else str(row["trial"]),
            "state": what,
            "reason": row["reason"] or "",
        }
        for row, what in happened
    ]
    columns = (Column("run", "trial"), Column("state", "what happened"), Column("reason", "why"))
    told = (
        f"{len(failures):,} of {count(len(view.record.runs), 'run')} failed, diverged or did not fit into memory."
        if rows
        else "No trial failed, diverged, or had to be tried again."
    )
    return Sheet("failures", "What failed and why", Table(columns, rows), told)
