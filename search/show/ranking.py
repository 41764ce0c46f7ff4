"""The best trials of a search."""

from collections.abc import Sequence
from typing import Any

from search.history.load import Loaded
from search.history.metric import ACCURACY, METRICS, words
from search.history.pareto import in_words, knee
from search.history.record import Run, rank, state_of
from search.readable import count, duration, epochs, percent
from search.show.terminal import Rows, console, print_rows, standing
from trainables.intervals import wilson


def top(found: Loaded, number: int | None, *, distinct: bool = False, everything: bool = False) -> list[Run]:
    """The search's trials, best first; `everything` adds those without a value at the end."""
    ranked = rank(found.record, distinct=distinct)
    if everything:
        placed = {run.key for run in ranked}
        ranked += [run for run in found.record.trials if run.key not in placed]
    return ranked[:number]


def rows(found: Loaded, runs: Sequence[Run], **marks: Run | None) -> Rows:
    """A row of `trials` for each run as plain data, with None where it has no value and `config` as an object.

    marks: further columns, each true for one run and false for the others.
    """
    from search.history.columns import TRIALS, Trial, row_of  # imported late: only programs need every column

    return [
        row_of(Trial(run, found.running), TRIALS)
        | {"config": run.config}
        | {name: run is one for name, one in marks.items()}
        for run in runs
    ]


def print_top(found: Loaded, runs: Sequence[Run], *, everything: bool = False) -> None:
    """Print the ranking, accuracies with the interval that the number of validation images gives."""
    metrics, images = found.search.metrics, found.search.facts["data"]["num_validation"]
    ranked = {run.key for run in rank(found.record)}
    shown = []
    for place, run in enumerate(runs, 1):
        training = run.config["training"]
        row = {
            "": place if run.key in ranked else None,
            "trial": run.key[0],
            "network": run.network,
            "optimizer": run.config["optimizer"]["name"],
            "lr": f"{run.config['optimizer']['lr']:.2g}",
            "batch": training["batch_size"],
            "parameters": run.asked.parameters,
            **{f"val {words(metric)}": _value(metric, run.at_best(METRICS[metric]), images) for metric in metrics},
            "best epoch": f"{epochs(run.best.epoch)}/{training['epochs']}" if run.best else "",
            "state": standing(state_of(run, found.running), found.state),
            "time": duration(run.seconds),
        }
        shown.append(row | ({"reason": run.reason} if everything else {}))
    ranked_by = f"{found.search.name}: each trial at its best validation {words(metrics[0])}"
    title = f"{ranked_by}, accuracies with their 95 % interval on {images:,} images"
    print_rows(shown, f"{found.search.name} has no measured trial yet", title)
    if found.search.guess:
        console.print(found.search.guess.line(metrics))


def print_front(found: Loaded, best: Sequence[Run], costs: Sequence[str], retrain: str) -> None:
    """Say what a front is, and which of its trials is its knee. retrain: the command that retrains trials of it."""
    if not best:
        return
    objectives = f"{words(found.search.request.metric)} and {in_words(costs)}"
    console.print(f"Pareto front of {objectives}: {count(len(best), 'trial')}", soft_wrap=True)
    if one := knee(best, costs):
        console.print(
            f"the knee, the best compromise, is trial {one.key[0]}: {retrain} --trial {one.key[0]}",
            soft_wrap=True,
        )


def _value(metric: str, value: Any, images: int) -> str:
    """A metric's value for people; only accuracy has an interval, as others depend on the sizes of classes too."""
    if value is None:
        return ""
    if metric != ACCURACY:
        return percent(value)
    low, high = wilson(round(value * images), images)
    return f"{value:.1%} ({low:.1%}–{high:.1%})"
