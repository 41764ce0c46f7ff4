"""Which of the tested networks are a search's winners, and the choice among finalists that led to them.

The page, `predict` and `export` all use this, so that they agree on the networks after several retrains.
"""

from search.history.events import Chosen
from search.history.hyperparameters import width_of
from search.history.record import Record, Run, rank
from search.history.scores import tested


def last_retrain(record: Record) -> tuple[list[Run], Chosen | None]:
    """The tested winners of the last retrain, and the choice among finalists that it followed, if any.

    Its winners were trained in the same way as the one that was tested last. A choice counts as followed unless another
    trial was later retrained in this way. It does not count yet while its winners are still in training.
    """
    newest = max(tested(record), key=_tested_at, default=None)
    alike = [run for run in tested(record) if newest and _is_alike(record, run, newest)]
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


def _is_alike(record: Record, run: Run, other: Run) -> bool:
    """Whether one command can have retrained both."""
    (low, high), (lowest, highest) = _factors(record, run), _factors(record, other)
    return _way(record, run) == _way(record, other) and max(low, lowest) <= min(high, highest)


def _way(record: Record, run: Run) -> tuple[object, ...]:
    """How a winner was retrained, as far as trials can share it: the settings that differ from the search.

    That of a student is that of its teachers.
    """
    run = record.runs[run.teachers[0]] if run.teachers else run
    training, before = run.config["training"], record.runs[run.key[0], 0].config
    names = {*training, *before["training"]} - {"epochs", "patience"}
    changed = {name: training.get(name) for name in names if training.get(name) != before["training"].get(name)}
    own = repr(sorted(changed.items())), run.config["network"] != before["network"]
    return training["epochs"], training.get("patience"), bool(run.asked.with_validation), *own


def _factors(record: Record, run: Run) -> tuple[float, float]:
    """Between which factors the command's --width lies: a width that is a whole number was rounded."""
    run = record.runs[run.teachers[0]] if run.teachers else run
    network, before = run.config["network"], record.runs[run.key[0], 0].config["network"]
    if network == before:
        return 1.0, 1.0
    (was, is_whole), now = width_of(before["name"], before), network["width"]
    around = 0.5 if is_whole else 1e-6 * now
    return (now - around) / was, (now + around) / was
