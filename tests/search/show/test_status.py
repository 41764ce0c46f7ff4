import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import search
from search.history import events
from search.history.ledger import Ledger
from search.readable import count
from search.show.overview import summary
from search.show.status import print_status, status

OLD = Path(__file__).parents[2] / "data" / "0.1.0"


def test_a_finished_search_is_counted_by_state_and_rung():
    found = status(search.load("finished", results=str(OLD)))
    assert (found["state"], found["samples"], sum(found["trials"].values())) == ("finished", 14, 14)
    assert found["best_val_accuracy"] == max(search.load("finished", results=str(OLD)).trials.best_val_accuracy)
    assert sum(rung["stopped"] for rung in found["rungs"]) == found["trials"]["stopped"]


def test_a_search_is_a_row_of_the_list():
    row = summary(search.load("killed", results=str(OLD)))
    assert (row["name"], row["state"], row["trials"]) == ("killed", "killed", "11/14")


@pytest.mark.parametrize(("passes", "words"), [(1, "was read 1 time\n"), (2, "was read 2 times\n")])
def test_test_passes_are_counted_in_words(tmp_path, capsys, passes, words):
    shutil.copytree(OLD / "finished", tmp_path / "one")
    with Ledger(tmp_path / "one" / "ledger.jsonl") as book:
        asked = next(event for event in book.events if isinstance(event, events.Asked))
        book.append(replace(asked, repeat=1))
        for _ in range(passes):
            book.append(events.Testing(trial=asked.trial, repeat=1))
    print_status(status(search.load("one", results=str(tmp_path))))
    assert words in capsys.readouterr().out


def test_a_count_has_a_plural_and_thousands():
    assert [count(n, "trial") for n in (0, 1, 2, 1200)] == ["0 trials", "1 trial", "2 trials", "1,200 trials"]
