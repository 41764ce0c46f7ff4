"""What a study found: its arms over their repeats, their differences, and a comparison with published figures."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from architectures.errors import instead
from search.history.load import Loaded
from search.history.record import Run, rank
from search.history.store import retrain_folder
from search.history.winners import last_retrain
from search.readable import count, percent
from search.studies.study import MEASURES, PLACES, StudyError
from trainables.data.superclasses import SUPERCLASSES, superclasses_of
from trainables.metrics import wilson
from trainables.predictions import PredictionsError, read_predictions

#: From this many repeats a difference is tested; with fewer it has only an interval.
ENOUGH = 5
#: From this many published figures their ranking is compared with ours.
RANKED = 8
Row = dict[str, Any]
_NO_DIFFERENCE: Row = dict.fromkeys(("difference", "difference_low", "difference_high", "pairs", "p"))
_SAME = 1e-9  # values that differ by less count as equal; the difference is rounding


@dataclass(frozen=True)
class Answer:
    """What a study found on one part."""

    search: str
    """The search's name."""
    facts: Mapping[str, Any]
    """What was recorded of the study."""
    images: str
    """Its images and epochs, in words."""
    rows: list[Row]
    """One for each arm: means over repeats, deviation, interval, difference to the first arm, published figure."""
    lines: list[str]
    """The results in sentences; the last ones say how far they can be trusted."""


def answer(found: Loaded) -> Answer:
    """The answer of a search that is a study; raises StudyError if it is none, or has no finished run yet."""
    facts = found.search.facts.get("study")
    if facts is None:
        raise StudyError(
            f"{found.search.name} is not a study, so there is no question to answer; hpsearch top shows its trials"
        )
    if facts["measure"] not in MEASURES:
        raise StudyError(f"{found.search.name} compares by '{facts['measure']}'{instead(facts['measure'], MEASURES)}")
    rows = _of_arms(found, facts) if facts["arms"] else _of_places(found, facts)
    if not any(row["runs"] for row in rows):
        states = Counter(run.state.value for run in found.record.trials)
        how = ", ".join(f"{number} {state}" for state, number in states.items()) or "none has begun"
        raise StudyError(f"{found.search.name} has no run that has ended well ({how}); see hpsearch status")
    lines = [*against_published(facts, rows), *_caveats(found, facts, rows)]
    return Answer(found.search.name, facts, _images(found), rows, lines)


def _images(found: Loaded) -> str:
    data = found.search.facts["data"]
    epochs = sorted({run.config["training"]["epochs"] for run in found.record.trials})
    span = count(epochs[-1], "epoch") if len(epochs) == 1 else f"{epochs[0]} to {count(epochs[-1], 'epoch')}"
    return (
        f"{data['num_train']:,} images to train on, {data['num_validation']:,} for validation, "
        f"{len(data['classes'])} classes, {span}"
    )


# ---- rows


def _of_arms(found: Loaded, facts: Mapping[str, Any]) -> list[Row]:
    measure, arms = facts["measure"], facts["arms"]
    runs: dict[str, dict[int, Run]] = {name: {} for name in arms}
    for run in found.record.trials:
        if run.retrained and (run.test is not None or measure != "test_accuracy"):
            runs[arms[run.key[0] % len(arms)]][run.key[0] // len(arms)] = run
    first = _values(runs[arms[0]], measure)
    rows = [_row(found, facts, name, runs[name]) | difference(first, _values(runs[name], measure)) for name in arms]
    rows[0] |= _NO_DIFFERENCE
    corrected(rows)
    return rows


def _of_places(found: Loaded, facts: Mapping[str, Any]) -> list[Row]:
    """The best trials of a search instead of arms, with the test results of the last retrain."""
    rows = []
    retrained = last_retrain(found.record)[0]
    for place, run in zip(PLACES, rank(found.record), strict=False):
        best = run.best
        assert best is not None and best.val_accuracy is not None  # rank leaves out what was not measured
        images = found.search.facts["data"]["num_validation"]
        low, high = wilson(round(best.val_accuracy * images), images)
        mine = {each.key[1]: each for each in retrained if each.key[0] == run.key[0] and not each.teachers}
        tests = _values(mine, "test_accuracy")
        gap = best.train_accuracy - best.val_accuracy if best.train_accuracy is not None else None
        values = {"train_accuracy": best.train_accuracy, "val_accuracy": best.val_accuracy, "gap": gap}
        row = _row(found, facts, place, {0: run}) | values | {"low": low, "high": high, "test_accuracy": _mean(tests)}
        rows.append(row | _NO_DIFFERENCE)
    return rows


def _row(found: Loaded, facts: Mapping[str, Any], name: str, runs: Mapping[int, Run]) -> Row:
    """An arm's means over its repeats."""
    one = next(iter(runs.values()), None)
    means = {each: _mean(_values(runs, each)) for each in ("train_accuracy", "val_accuracy", "gap", "test_accuracy")}
    compared = list(_values(runs, facts["measure"]).values())
    low, high = _interval(compared)
    if low is not None and high is not None and facts["measure"] != "gap":
        low, high = max(0.0, low), min(1.0, high)  # an accuracy
    figures = [each for each in facts["published"] if each["arm"] == name]
    figure = next((each for each in figures if each["measure"] == facts["measure"]), None)
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
        "figures": figures,
        "seconds": float(np.mean([run.seconds for run in runs.values()])) if runs else None,
    }


def _values(runs: Mapping[int, Run], measure: str) -> dict[int, float]:
    """The runs' values of a measure, by repeat; runs without one are left out."""
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
    """The superclass accuracy of networks for CIFAR-100's fine labels, by repeat; empty for other labels."""
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
    """The 95 % interval of the mean over repeats, by Student's t.

    None for fewer than two values, and for values that are all the same, as nothing is known of how they vary.
    """
    if len(values) < 2 or np.ptp(values) < _SAME:
        return None, None
    half = float(stats.t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return float(np.mean(values)) - half, float(np.mean(values)) + half


def difference(first: Mapping[int, float], mine: Mapping[int, float]) -> Row:
    """An arm minus the first arm, by the repeats that both have, which share their seeds."""
    differences = [mine[repeat] - first[repeat] for repeat in sorted(set(first) & set(mine))]
    low, high = _interval(differences)
    is_tested = low is not None and len(differences) >= ENOUGH
    return {
        "difference": float(np.mean(differences)) if differences else None,
        "difference_low": low,
        "difference_high": high,
        "pairs": len(differences),
        "p": float(stats.ttest_1samp(differences, 0.0).pvalue) if is_tested else None,
    }


def corrected(rows: list[Row]) -> None:
    """Apply Holm's correction for the number of tests to their p-values."""
    tests = sorted((row for row in rows if row["p"] is not None), key=lambda row: row["p"])
    largest = 0.0
    for place, row in enumerate(tests):
        largest = max(largest, min(1.0, row["p"] * (len(tests) - place)))
        row["p"] = largest


# ---- sentences


def against_published(facts: Mapping[str, Any], rows: list[Row]) -> list[str]:
    """Sentences that compare the figures with the published ones."""
    if not facts["published"]:
        return ["Nothing was published to compare this with."] if facts["source"] else []
    measure = facts["measure"]
    stated = [row for row in rows if row["published"] is not None and row["runs"]]
    compared = [row for row in stated if row["difference"] is not None]
    lines = []
    if rows[0] in stated and any(row["pairs"] > 1 for row in compared):
        lines.append(directions(rows[0], compared, facts["source"]))
    if len(stated) >= RANKED and (
        told := ranking([row["published"] for row in stated], [row[measure] for row in stated])
    ):
        lines.append(told)
    if not facts["changed"]:
        lines += [_level(row, measure) for row in stated if facts["arms"] and (row["std"] or 0.0) > _SAME]
    return lines


def directions(first: Row, others: list[Row], source: str) -> str:
    """Whether differences to the first arm have the published direction, by simultaneous intervals (Bonferroni).

    A difference without an interval is uncertain.
    """
    same: list[str] = []
    opposite: list[str] = []
    open_: list[str] = []
    for row in others:
        if row["difference_low"] is None:
            open_.append(row["arm"])
            continue
        published, degrees = row["published"] - first["published"], row["pairs"] - 1
        wider = float(stats.t.ppf(1 - 0.025 / len(others), degrees) / stats.t.ppf(0.975, degrees))
        half = wider * (row["difference_high"] - row["difference_low"]) / 2
        if abs(row["difference"]) <= half or not published:
            open_.append(row["arm"])
        else:
            (same if (row["difference"] > 0) == (published > 0) else opposite).append(row["arm"])
    found = {"in the same direction": same, "in the opposite direction": opposite, "uncertain": open_}
    parts = [
        f"{len(arms)} {words} ({', '.join(arms) if len(arms) <= 4 else f'{arms[0]}, {arms[1]} …'})"
        for words, arms in found.items()
        if arms
    ]
    together = f" (95 % intervals for all {len(others)} together)" if len(others) > 1 else ""
    theirs = f"those of {source}" if source else "the published ones"
    return f"Differences to {first['arm']}, compared with {theirs}{together}: {'; '.join(parts)}."


def ranking(published: Sequence[float], ours: Sequence[float]) -> str | None:
    """Spearman's correlation with its 95 % interval (Bonett and Wright 2000); None if all figures are the same."""
    if np.ptp(published) < _SAME or np.ptp(ours) < _SAME:
        return None
    r = float(stats.spearmanr(published, ours).statistic)
    half = 1.96 * math.sqrt((1 + r * r / 2) / (len(ours) - 3))
    z = math.atanh(max(-0.999999, min(0.999999, r)))
    low, high = math.tanh(z - half), math.tanh(z + half)
    return f"Rank correlation of {len(ours)} published figures with ours: {r:.2f} (95 % {low:.2f} to {high:.2f})."


def _level(row: Row, measure: str) -> str:
    """Whether a published figure lies where further runs are expected, with its own deviation if that is published."""
    spread, runs = row["std"], row["runs"]
    further = row["published_std"] if row["published_std"] is not None else spread
    half = float(stats.t.ppf(0.975, runs - 1)) * math.sqrt(spread**2 / runs + further**2)
    ours = row[measure]
    verdict = "within" if abs(row["published"] - ours) <= half else "outside"
    return (
        f"{row['arm']}: published {percent(row['published'])}, {verdict} the {percent(ours - half)} to "
        f"{percent(ours + half)} in which 95 % of further runs are expected."
    )


def _caveats(found: Loaded, facts: Mapping[str, Any], rows: list[Row]) -> list[str]:
    lines = []
    there = ", as there" if facts["source"] else ""
    if not facts["arms"]:
        lines.append(
            "Intervals are for the validation images, which also chose these trials, so the values and their intervals "
            "are a little too high."
        )
    elif facts["repeats"] == 1:
        lines.append("One repeat has no deviation and no interval: launch it with --repeats 3 or more.")
    else:
        lines.append("Intervals are over repeats with other seeds, on the same split and test images.")
    if facts["arms"] and len({row["runs"] for row in rows}) > 1:
        less = [f"{row['arm']} {row['runs']}" for row in rows if row["runs"] < facts["repeats"]]
        lines.append(f"Arms have unequal repeats, of {facts['repeats']}: {', '.join(less)}. {_why(found)}")
    elif facts["arms"] and rows[0]["runs"] < facts["repeats"]:
        lines.append(f"{rows[0]['runs']} of {facts['repeats']} repeats have ended. {_why(found)}")
    if facts["changed"] and facts["published"]:
        lines.append(f"With {' and '.join(facts['changed'])} it is not as published, so levels are not compared.")
    if tests := sum(row["p"] is not None for row in rows):
        lines.append(f"p is of a paired t-test, corrected for {count(tests, 'test')} (Holm).")
    if facts["arms"] and facts["measure"] != "test_accuracy":
        lines.append(f"Arms are compared by {MEASURES[facts['measure']]}{there}; test accuracy stands beside it.")
    if facts["measure"] == "val_accuracy" and any(
        run.config["training"].get("patience") for run in found.record.trials
    ):
        lines.append("It is that of the best epoch, which the same images chose, so it is a little too high.")
    return [*lines, *([facts["remark"]] if facts["remark"] else [])]


def _why(found: Loaded) -> str:
    if found.state == "running":
        return "The study is still running."
    if not found.record.finished:
        return "The study is not over."
    states = sorted({run.state.value for run in found.record.trials if not run.retrained})
    return f"The others are {' or '.join(states)}, and not in the means." if states else "The others were not tested."
