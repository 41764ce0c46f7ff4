"""Which of the tested networks a search's winners are, and the decision among finalists that they follow.

The page, `predict` and `export` all ask here, so that they mean the same networks after several retrains.
"""

from search.history.events import Chosen
from search.history.record import Record, Run, rank
from search.history.scores import tested


def last_retrain(record: Record) -> tuple[list[Run], Chosen | None]:
    """The tested winners of the last retrain, and the decision among finalists that it followed, if it did.

    Its winners were trained in the same way as the one that was tested last. A decision is followed unless a trial that
    it did not choose has been retrained so after it. One whose winners are still in training is not followed yet.
    """
    newest = max(tested(record), key=_tested_at, default=None)
    alike = [run for run in tested(record) if newest and _way(record, run) == _way(record, newest)]
    for chosen in reversed(record.choices):
        mine = [run for run in alike if run.key[0] in chosen.trials]
        since = [run for run in alike if _tested_at(run) > chosen.seq]
        if any(run not in mine for run in since):
            break
        if since or {run.key[0] for run in mine} >= set(chosen.trials):
            return mine, chosen
    return alike, None


def in_order(record: Record) -> list[Run]:
    """All tested networks, best first: by trial as finalists' folds tell them apart, then as the search ranks them.

    The test set ranks nothing. Repeats of a trial are in their order.
    """
    chosen = last_retrain(record)[1]
    ranked = [*(chosen.trials if chosen else ()), *(run.key[0] for run in rank(record))]
    places = {trial: place for place, trial in reversed(list(enumerate(ranked)))}
    return sorted(tested(record), key=lambda run: (places.get(run.key[0], len(ranked)), run.key))


def newest(record: Record) -> list[Run]:
    """The newest tested network of each trial that has one, best first."""
    return list({run.key[0]: run for run in in_order(record)}.values())


def _tested_at(run: Run) -> int:
    assert run.test is not None
    return run.test.seq


def _way(record: Record, run: Run) -> tuple[object, ...]:
    """In what way a winner was trained again, as far as trials have it in common: what differs from the search."""
    training, before = run.config["training"], record.runs[run.key[0], 0].config
    names = {*training, *before["training"]} - {"epochs", "patience"}
    changed = {name: training.get(name) for name in names if training.get(name) != before["training"].get(name)}
    is_wider = run.config["network"] != before["network"]
    own = repr(sorted(changed.items())), is_wider
    return training["epochs"], training.get("patience"), bool(run.asked.with_validation), *own
