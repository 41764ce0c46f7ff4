"""Which of the tested networks are a search's winners, and the choice among finalists that led to them.

The page, `predict` and `export` all use this, so that they agree on the networks after several retrains.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from search.history.events import Chosen
from search.history.hyperparameters import width_of
from search.history.record import Record, Run, rank
from search.history.scores import flipped, sets_of, tested


def last_retrain(record: Record) -> tuple[list[Run], Chosen | None]:
    """The tested winners of the last retrain, and the choice among finalists that it followed, if any.

    Its winners were trained in the same way as the one that was tested last. A choice counts as followed unless another
    trial was later retrained in this way. It does not count yet while its winners are still in training.
    """
    alike = _last_together(record)
    for chosen in reversed(record.choices):
        mine = [run for run in alike if run.key[0] in chosen.trials]
        since = [run for run in alike if _tested_at(run) > chosen.seq]
        if any(run not in mine for run in since):
            break
        if since or {run.key[0] for run in mine} >= set(chosen.trials):
            return mine, chosen
    return alike, None


def in_order(record: Record) -> list[Run]:
    """All tested networks, best first: first the trials chosen among finalists, then as the search ranks them.

    Test results do not affect the order. Repeats of a trial are ordered by number.
    """
    chosen = last_retrain(record)[1]
    ranked = [*(chosen.trials if chosen else ()), *(run.key[0] for run in rank(record))]
    places = {trial: place for place, trial in reversed(list(enumerate(ranked)))}
    return sorted(tested(record), key=lambda run: (places.get(run.key[0], len(ranked)), run.key))


def newest(record: Record, *, students: bool = False) -> list[Run]:
    """The newest tested network of each trial that has one, best first. students: of students instead of winners."""
    return list({run.key[0]: run for run in in_order(record) if bool(run.teachers) == students}.values())


def _tested_at(run: Run) -> int:
    assert run.test is not None
    return run.test.seq


def _last_together(record: Record) -> list[Run]:
    """The newest tested runs, as many as one command can have retrained and tested, ordered by trial and repeat."""
    found: list[tuple[Run, _Way]] = []
    runs = tested(record)
    sets = sets_of(runs)
    for run in sorted(runs, key=_tested_at, reverse=True):
        way = _way(record, run, sets[run.key])
        if all(way.can_be_that_of(other) for _, other in found):
            found.append((run, way))
    return sorted((run for run, _ in found), key=lambda run: run.key)


@dataclass(frozen=True)
class _Way:
    """How a winner was retrained and tested."""

    training: Mapping[str, Any]
    """The settings of its training."""
    given: frozenset[str]
    """The settings that the command has certainly given."""
    with_validation: bool
    """Whether the dataset's own validation images were trained on."""
    widths: tuple[float, float]
    """Between which factors the command's --width lies."""
    tested: tuple[int, bool]
    """Its test images, and whether they were mirrored as well."""

    def can_be_that_of(self, other: "_Way") -> bool:
        """Whether one command can have asked for both. What it gives for all, a winner may have had in the search."""
        if (self.with_validation, self.tested) != (other.with_validation, other.tested):
            return False
        if max(self.widths[0], other.widths[0]) > min(self.widths[1], other.widths[1]):
            return False
        return all(self.training.get(name) == other.training.get(name) for name in self.given | other.given)


def _way(record: Record, run: Run, test_set: int) -> _Way:
    """How a winner was retrained and tested; a student was trained when its teachers were, and tested on its own."""
    tested = test_set, flipped(run)
    run = record.runs[run.teachers[0]] if run.teachers else run
    training, before = run.config["training"], record.runs[run.key[0], 0].config["training"]
    changed = {name for name in {*training, *before} if training.get(name) != before.get(name)}
    given = frozenset(changed | {"epochs", "patience"})
    return _Way(training, given, bool(run.asked.with_validation), _factors(record, run), tested)


def _factors(record: Record, run: Run) -> tuple[float, float]:
    """Between which factors the command's --width lies: a width that is a whole number was rounded."""
    network, before = run.config["network"], record.runs[run.key[0], 0].config["network"]
    was, is_whole = width_of(before["name"], before)
    if network == before and not (is_whole and was):
        return 1.0, 1.0
    now = network.get("width", was)
    around = 0.5 if is_whole else 1e-6 * now
    return (now - around) / was, (now + around) / was
