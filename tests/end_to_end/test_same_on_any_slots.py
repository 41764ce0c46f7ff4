"""The installed command: a halving search is the same on 1, 2 and 4 slots of Ray, killed and resumed on others."""

import os
import signal

import pandas as pd
import pytest

from tests.end_to_end.commands import (
    INLINE,
    forked,
    hpsearch,
    loaded,
    make_home,
    measured,
    small_search,
    start,
    wait_for,
)
from tests.search.run.searches import MAY_DIFFER

HALVING = ("--scheduler", "halving", "--samples", "8", "--epochs", "8")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a search on one slot in it, without Ray."""
    folder = make_home(tmp_path_factory.mktemp("home"))
    forked(*small_search("one", *HALVING, *INLINE), cwd=folder)
    return folder


def tables(home, name):
    """What is on disk when the search has ended, without what may differ."""
    files = [home / "results" / name / f"{table}.parquet" for table in ("trials", "epochs")]
    return [pd.read_parquet(file).drop(columns=MAY_DIFFER, errors="ignore") for file in files]


def assert_same(home, name):
    for ours, theirs in zip(tables(home, name), tables(home, "one"), strict=True):
        pd.testing.assert_frame_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize(("slots", "until", "then"), [(1, 5, 2), (2, 12, 4), (4, 3, 1)])
def test_on_any_slots_with_a_kill_and_then_on_others_the_tables_are_the_same(home, slots, until, then):
    name = f"on-{slots}"
    process = start(home, *small_search(name, *HALVING, "--parallel", str(slots)))
    path = home / "results" / name / "ledger.jsonl"
    wait_for(lambda: measured(path) >= until)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert loaded(home, name).state == "killed"
    hpsearch("resume", name, "--parallel", str(then), cwd=home)
    assert_same(home, name)
    found = loaded(home, name)
    assert found.trials.state.value_counts().to_dict() == {"paused": 6, "done": 2}
    # 8, 5, 3, 2 and 2 trials to ½, 1, 2, 4 and 8 epochs; a rung within an epoch is rounded up to a batch
    assert found.trials.epoch.sum() == pytest.approx(4 + 2.5 + 3 + 4 + 8, abs=0.5)
    assert list((home / "results" / name / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_it_grows_only_when_it_is_finished(home):
    forked(*small_search("cut", *HALVING, *INLINE, "--max-time", "0.001"), cwd=home)
    refused = forked("resume", "cut", "--samples", "10", *INLINE, cwd=home, check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--samples can grow from 8 to 10 once the search is finished" in refused.stderr
    forked("resume", "cut", *INLINE, cwd=home)
    assert_same(home, "cut")
    grown = forked("resume", "cut", "--samples", "10", *INLINE, cwd=home)
    assert "note: the search grows from 8 to 10 trials" in grown.stderr
    assert len(loaded(home, "cut").trials) == 10
