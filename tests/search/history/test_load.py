from pathlib import Path

import pandas as pd
from pandas.testing import assert_frame_equal

import search
from search.history.events import FINAL

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
