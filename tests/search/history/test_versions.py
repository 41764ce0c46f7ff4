"""A search that hpsearch 0.1.0 began goes on with today's code, and ends with the tables that 0.1.0 gave it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from search.history import ledger, store
from search.history.events import FINAL, parse
from search.history.record import Record
from search.run.launch import resume
from search.run.session import Options

#: Two states of one search: killed midway, and resumed to its end by 0.1.0.
OLD = Path(__file__).parents[2] / "data" / "0.1.0"

#: So many lines had 0.1.0 written in its second session when five trials were left: one at work, one that waited, and
#: three to draw. They train in seconds; one of those that the first kill left takes half a minute.
LINES = 47

#: Times, speeds, hosts and attempts.
MAY_DIFFER = ["seconds", "images_per_second", "attempt", "host", "pid", "time"]

#: What a training gives; another processor rounds otherwise.
TRAINED = ["train_loss", "val_loss", "best_val_loss", "train_accuracy", "val_accuracy", "best_val_accuracy"]


def killed(folder: Path) -> store.Search:
    """The search as a later kill left it, with its dataset where it is to be found on this machine."""
    shutil.copytree(OLD / "killed", folder / "results" / "killed")
    path = folder / "results" / "killed" / "search.json"
    data = json.loads(path.read_text())
    data["request"]["data_dir"] = str(folder / "data")
    path.write_text(json.dumps(data))
    search = store.find(folder / "results", "killed")
    lines = (OLD / "finished" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    assert b"".join(lines).startswith(search.ledger.read_bytes())
    search.ledger.write_bytes(b"".join(lines[:LINES]))
    return search


def states_in(search: store.Search) -> dict[int, str]:
    """How each trial stood when 0.1.0 was killed."""
    return {run.key[0]: run.state for run in Record(parse(ledger.read(search.ledger))).trials}


@pytest.mark.slow
def test_a_search_that_0_1_0_left_killed_is_resumed_to_its_end_with_the_tables_that_0_1_0_gave(tmp_path: Path) -> None:
    search = killed(tmp_path)
    states = states_in(search)
    ended = [trial for trial, state in states.items() if state in FINAL]
    before = search.ledger.read_bytes()
    outcome = resume(search, Options(engine="inline"), samples=None)
    assert outcome.reason == "finished"
    assert search.ledger.read_bytes().startswith(before), "what was recorded stays as it is"
    assert 0 < len(ended) < len(states) < len(outcome.record.trials), "some were at work, and some were not yet drawn"
    balanced = pd.read_parquet(search.folder / "epochs.parquet").set_index("trial").val_balanced_accuracy
    assert balanced[ended].isna().all() and not balanced.drop(ended).isna().all(), "what was not measured stays empty"
    for name, sort in (("trials", ["trial"]), ("epochs", ["trial", "epoch"])):
        theirs = pd.read_parquet(OLD / "finished" / f"{name}.parquet").sort_values(sort)
        columns = [column for column in theirs.columns if column not in MAY_DIFFER]
        ours = pd.read_parquet(search.folder / f"{name}.parquet").sort_values(sort)[columns]
        theirs = theirs[columns]
        pd.testing.assert_frame_equal(
            *(table[table.trial.isin(ended)].reset_index(drop=True) for table in (ours, theirs))
        )
        resumed = [table[~table.trial.isin(ended)].reset_index(drop=True) for table in (ours, theirs)]
        trained = [column for column in columns if column in TRAINED]
        # The best of two epochs that differ by less than the rounding may be another one.
        pd.testing.assert_frame_equal(
            *(table.drop(columns=[*trained, "best_epoch"], errors="ignore") for table in resumed)
        )
        for column in (each for each in trained if each.endswith("accuracy")):
            np.testing.assert_allclose(resumed[0][column], resumed[1][column], rtol=0, atol=0.05, err_msg=column)
