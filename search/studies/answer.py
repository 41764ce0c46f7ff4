"""What a study found: its arms over their repeats, their differences, and how that compares with what was published."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from search.history.load import Loaded
from search.history.record import Run, rank
from search.history.scores import tested
from search.history.store import retrain_folder
from search.readable import count, percent
from search.studies.study import MEASURES, PLACES, StudyError
from trainables.data.superclasses import SUPERCLASSES, superclasses_of
from trainables.metrics import wilson
from trainables.predictions import PredictionsError, read_predictions

#: Repeats from which a difference is tested; fewer have an interval alone.
ENOUGH = 5
#: Published figures from which their ranking is compared with ours.
RANKED = 8
Row = dict[str, Any]
_NO_DIFFERENCE: Row = dict.fromkeys(("difference", "difference_low", "difference_high", "p"))


@dataclass(frozen=True)
class Answer:
    """What a study found on one part."""

    search: str
    """The search's name."""
    facts: Mapping[str, Any]
    """What was recorded of the study."""
    images: str
    """What it was asked on, in words."""
    rows: list[Row]
    """One for each arm: means over repeats, deviation, interval, difference to the first arm, published figure."""
    lines: list[str]
    """What that says, in sentences; the last ones say how far it may be trusted."""


def answer(found: Loaded) -> Answer:
    """The answer of a search that is a study; raises StudyError for one that is none, or has no finished run yet."""
    facts = found.search.facts.get("study")
    if facts is None:
        raise StudyError(
            f"{found.search.name} is no study, so there is no question to answer; hpsearch top shows its trials"
        )
    rows = _of_arms(found, facts) if facts["arms"] else _of_places(found, facts)
    if not any(row["runs"] for row in rows):
        raise StudyError(f"{found.search.name} has no finished run yet; hpsearch status shows how far it is")
    lines = [*against_published(facts, rows), *_caveats(found, facts, rows)]
    return Answer(found.search.name, facts, _images(found), rows, lines)


def _images(found: Loaded) -> str:
    data, request = found.search.facts["data"], found.search.request
    return (
        f"{data['num_train']:,} images to train on, {data['num_validation']:,} for validation, "
        f"{len(data['classes'])} classes, {count(request.epochs, 'epoch')}"
    )


# ---- rows


def _of_arms(found: Loaded, facts: Mapping[str, Any]) -> list[Row]:
    measure, arms = facts["measure"], facts["arms"]
    runs: dict[str, dict[int, Run]] = {name: {} for name in arms}
    for run in found.record.trials:
        if run.retrained and (run.test is not None or measure != "test_accuracy"):
            runs[arms[run.key[0] % len(arms)]][run.key[0] // len(arms)] = run
    first = _values(runs[arms[0]], measure)
    rows = [_row(found, facts, name, runs[name]) | _difference(first, _values(runs[name], measure)) for name in arms]
    rows[0] |= _NO_DIFFERENCE
    corrected(rows)
    return rows


def _of_places(found: Loaded, facts: Mapping[str, Any]) -> list[Row]:
    """The best trials of a search, in the place of arms, with the tests of their retrains."""
    rows = []
    retrained = tested(found.record)
    for place, run in zip(PLACES, rank(found.record), strict=False):
        again = {each.key[1]: each for each in retrained if each.key[0] == run.key[0]}
        row = _row(found, facts, place, {0: run}) | _NO_DIFFERENCE
        validation = run.at_best("val_accuracy")
        images = found.search.facts["data"]["num_validation"]
        low, high = wilson(round(validation * images), images)
        tests = list(_values(again, "test_accuracy").values())
        rows.append(
            row
            | {
                "val_accuracy": validation,
                "low": low,
                "high": high,
                "test_accuracy": float(np.mean(tests)) if tests else None,
            }
        )
    return rows


def _row(found: Loaded, facts: Mapping[str, Any], name: str, runs: Mapping[int, Run]) -> Row:
    """An arm's means over its repeats."""
    one = next(iter(runs.values()), None)
    means = {each: _mean(_values(runs, each)) for each in ("train_accuracy", "val_accuracy", "gap", "test_accuracy")}
    compared = list(_values(runs, facts["measure"]).values())
    low, high = _interval(compared)
    published = {each["measure"]: each for each in facts["published"] if each["arm"] == name}
    figure = published.get(facts["measure"]) or next(iter(published.values()), None)
    return {
        "arm": name,
        "network": one.network if one else None,
        "parameters": one.asked.parameters if one else None,
        "runs": len(runs),
        **means,
        "coarse_accuracy": _mean(_coarse(found, runs)),
        "std": float(np.std(compared, ddof=1)) if len(compared) > 1 else None,
        "low": low,
        "high": high,
        "published": figure["value"] if figure else None,
        "published_std": figure["std"] if figure else None,
        "published_measure": figure["measure"] if figure else None,
        "seconds": float(np.mean([run.seconds for run in runs.values()])) if runs else None,
    }


def _values(runs: Mapping[int, Run], measure: str) -> dict[int, float]:
    """By repeat, a run's value of a measure; runs without one are left out."""
    found = {repeat: _value(run, measure) for repeat, run in runs.items()}
    return {repeat: value for repeat, value in found.items() if value is not None}


def _value(run: Run, measure: str) -> float | None:
    if measure == "test_accuracy":
        return run.test.correct / run.test.images if run.test else None
    last = run.last
    if last is None:
        return None
    if measure == "gap":
        ends = last.train_accuracy, last.val_accuracy
        return None if ends[0] is None or ends[1] is None else ends[0] - ends[1]
    found: float | None = getattr(last, measure)
    return found


def _coarse(found: Loaded, runs: Mapping[int, Run]) -> dict[int, float]:
    """By repeat, how often a network of CIFAR-100's fine labels has the superclass right; empty for other labels."""
    classes = found.search.facts["data"]["classes"]
    supers = superclasses_of(classes)
    if supers is None:
        return {}
    superclass = np.array(supers)
    right = {}
    for repeat, run in runs.items():
        if run.test is None:
            continue
        try:
            labels, probabilities, _ = read_predictions(retrain_folder(found.search.folder, run))
        except (OSError, PredictionsError):
            continue
        coarse = np.zeros((len(labels), len(SUPERCLASSES)))
        np.add.at(coarse.T, superclass, probabilities.T)
        right[repeat] = float(np.mean(coarse.argmax(1) == superclass[labels]))
    return right


def _mean(values: Mapping[int, float]) -> float | None:
    return float(np.mean(list(values.values()))) if values else None


def _interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The 95 % interval of the mean over repeats, by Student's t; none of fewer than two."""
    if len(values) < 2:
        return None, None
    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def _difference(first: Mapping[int, float], mine: Mapping[int, float]) -> Row:
    """An arm minus the first arm, by the repeats that both have, which share their seeds."""
    both = sorted(set(first) & set(mine))
    differences = [mine[repeat] - first[repeat] for repeat in both]
    low, high = _interval(differences)
    p = None
    if len(differences) >= ENOUGH and np.std(differences) > 0:
        p = float(stats.ttest_1samp(differences, 0.0).pvalue)
    return {
        "difference": float(np.mean(differences)) if differences else None,
        "difference_low": low,
        "difference_high": high,
        "p": p,
    }


def corrected(rows: list[Row]) -> None:
    """Holm's correction of the tests' p-values, for how many there are."""
    tests = sorted((row for row in rows if row["p"] is not None), key=lambda row: row["p"])
    largest = 0.0
    for place, row in enumerate(tests):
        largest = max(largest, min(1.0, row["p"] * (len(tests) - place)))
        row["p"] = largest


# ---- sentences


def against_published(facts: Mapping[str, Any], rows: list[Row]) -> list[str]:
    """What the figures say to those that were published."""
    measure = facts["measure"]
    stated = [row for row in rows if row["published_measure"] == measure and row["runs"]]
    if not stated:
        return ["Nothing was published to compare this with."] if facts["source"] else []
    lines = []
    if rows[0] in stated and len(stated) > 1:
        lines.append(directions(rows[0], stated[1:], facts["source"]))
    if len(stated) >= RANKED:
        lines.append(ranking([row["published"] for row in stated], [row[measure] for row in stated]))
    if not facts["quick"]:
        lines += [_level(row, measure) for row in stated if row["low"] is not None]
    return lines


def directions(first: Row, others: list[Row], source: str) -> str:
    """Whether differences to the first arm have the published direction."""
    same: list[str] = []
    opposite: list[str] = []
    open_: list[str] = []
    for row in others:
        published = row["published"] - first["published"]
        low, high = row["difference_low"], row["difference_high"]
        if low is None or low <= 0 <= high or not published:
            open_.append(row["arm"])
        else:
            (same if (low > 0) == (published > 0) else opposite).append(row["arm"])
    parts = [
        f"{len(arms)} {words} ({', '.join(arms) if len(arms) <= 4 else f'{arms[0]}, {arms[1]} …'})"
        for words, arms in (("as published", same), ("against it", opposite), ("cannot be told", open_))
        if arms
    ]
    return f"Differences to {first['arm']} that {source or 'the publication'} states: {'; '.join(parts)}."


def ranking(published: Sequence[float], ours: Sequence[float]) -> str:
    """Spearman's correlation with its 95 % interval (Bonett and Wright 2000)."""
    r = float(stats.spearmanr(published, ours).statistic)
    half = 1.96 * math.sqrt((1 + r * r / 2) / (len(ours) - 3))
    z = math.atanh(max(-0.999999, min(0.999999, r)))
    low, high = math.tanh(z - half), math.tanh(z + half)
    return f"Rank correlation of {len(ours)} published figures with ours: {r:.2f} (95 % {low:.2f} to {high:.2f})."


def _level(row: Row, measure: str) -> str:
    """Whether a published figure lies in our interval, its own deviation added."""
    spread = row["published_std"] or 0.0
    inside = row["low"] - spread <= row["published"] <= row["high"] + spread
    ours = f"{percent(row[measure])} ({percent(row['low'])}–{percent(row['high'])})"
    return (
        f"{row['arm']}: published {percent(row['published'])}, ours {ours}: {'in line' if inside else 'not in line'}."
    )


def _caveats(found: Loaded, facts: Mapping[str, Any], rows: list[Row]) -> list[str]:
    lines = []
    if not facts["arms"]:
        lines.append("Intervals are of validation images, of which the best of many trials has the highest value.")
    elif facts["repeats"] == 1:
        lines.append("One repeat has no deviation and no interval: launch it with --repeats 3 or more.")
    else:
        lines.append("Intervals are over repeats with other seeds, on the same split and test images.")
    if facts["arms"] and len({row["runs"] for row in rows}) > 1:
        less = [f"{row['arm']} {row['runs']}" for row in rows if row["runs"] < facts["repeats"]]
        lines.append(f"Arms have unequal repeats, of {facts['repeats']}: {', '.join(less)}. {_why(found)}")
    elif facts["arms"] and rows[0]["runs"] < facts["repeats"]:
        lines.append(f"{rows[0]['runs']} of {facts['repeats']} repeats have ended. {_why(found)}")
    if facts["quick"]:
        lines.append("A quick run: fewer images and epochs than published, so levels are not compared.")
    if any(row["p"] is not None for row in rows):
        tests = sum(row["p"] is not None for row in rows)
        lines.append(f"p is of a paired t-test, corrected for {count(tests, 'test')} (Holm).")
    if facts["measure"] != "test_accuracy":
        lines.append(f"Arms are compared by {MEASURES[facts['measure']]}, as there; test accuracy stands beside it.")
    return [*lines, *([facts["remark"]] if facts["remark"] else [])]


def _why(found: Loaded) -> str:
    states = {run.state.value for run in found.record.trials if not run.retrained}
    if found.state != "finished":
        return f"The study is {found.state}: hpsearch resume {found.search.name}"
    return f"The others are {' or '.join(sorted(states))}." if states else "The others were not tested."
