import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import search
from search.history import ledger
from search.history.events import FINAL, Closed, Opened
from search.history.ledger import Ledger

#: Two states of one search that hpsearch 0.1.0 has made: killed midway, and resumed to its end.
OLD = Path(__file__).parents[2] / "data" / "0.1.0"


def same_columns(found: pd.DataFrame, expected: pd.DataFrame, *, dtypes: bool = True) -> None:
    """Hold every column that 0.1.0 wrote; later ones may have come."""
    found, expected = found[list(expected.columns)].reset_index(drop=True), expected.reset_index(drop=True)
    assert_frame_equal(found, expected, check_dtype=dtypes)


def test_a_finished_search_of_0_1_0_gives_the_tables_that_0_1_0_gave() -> None:
    found = search.load("finished", results=str(OLD))
    same_columns(found.trials, pd.read_parquet(OLD / "finished" / "trials.parquet"))
    same_columns(found.epochs, pd.read_parquet(OLD / "finished" / "epochs.parquet"))
    assert (found.state, found.samples, len(found.trials)) == ("finished", 14, 14)


def test_a_killed_search_of_0_1_0_gives_the_same_tables_for_what_had_ended() -> None:
    found = search.load("killed", results=str(OLD))
    trials, epochs = (pd.read_parquet(OLD / "finished" / f"{name}.parquet") for name in ("trials", "epochs"))
    ended = found.trials.trial[found.trials.state.isin(FINAL)].tolist()
    assert 0 < len(ended) < len(trials)
    for ours, theirs in ((found.trials, trials), (found.epochs, epochs)):
        # Other trials lack a value here, and pandas then makes floats of whole numbers.
        same_columns(ours[ours.trial.isin(ended)], theirs[theirs.trial.isin(ended)], dtypes=False)
    assert found.state == "killed"
    assert set(found.trials.state) - set(FINAL) == {"interrupted", "waiting"}


@pytest.mark.parametrize(
    ("copied", "ends", "state", "retraining"),
    [
        ("killed", [], "killed", None),
        ("killed", [("retrain", "finished")], "killed", "finished"),
        ("finished", [("retrain", "interrupted")], "finished", "interrupted"),
        ("finished", [("retrain", None)], "finished", "running"),
        ("finished", [("retrain", "interrupted"), ("search", None)], "running", "interrupted"),
        ("finished", [("retrain", "finished"), ("search", "out of time")], "out of time", "finished"),
    ],
)
def test_a_retrain_changes_nothing_in_the_state_of_the_search(
    tmp_path: Path, copied: str, ends: list[tuple[str, str | None]], state: str, retraining: str | None
) -> None:
    shutil.copytree(OLD / copied, tmp_path / "one")
    with Ledger(tmp_path / "one" / "ledger.jsonl") as book:
        for what, reason in ends:
            book.append(Opened(samples=None if what == "retrain" else 14, slots=1))
            if reason is None:
                found = search.load("one", results=str(tmp_path))
            else:
                book.append(Closed(reason=reason))
    if not ends or ends[-1][1] is not None:
        found = search.load("one", results=str(tmp_path))
    assert (found.state, found.retraining) == (state, retraining)


def test_a_session_that_ends_while_it_is_read_was_not_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(OLD / "killed", tmp_path / "one")
    book = Ledger(tmp_path / "one" / "ledger.jsonl")
    book.append(Opened(samples=14, slots=1))
    calls = []

    def then_end(function: Callable[[Path], Any]) -> Callable[[Path], Any]:
        def call(path: Path) -> Any:
            found = function(path)
            if not calls:
                book.append(Closed(reason="finished"))
                book.close()
            calls.append(function)
            return found

        return call

    for name in ("read", "is_open"):
        monkeypatch.setattr(ledger, name, then_end(getattr(ledger, name)))
    assert search.load("one", results=str(tmp_path)).state == "finished"
    assert len(calls) == 2


def test_a_search_is_printed_as_one_short_line() -> None:
    line = repr(search.load("finished", results=str(OLD)))
    assert line.startswith("<Loaded finished: finished, 14 of 14 trials, best val accuracy ") and len(line) < 120
