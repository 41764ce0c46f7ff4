import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click import Context
from click.testing import CliRunner

import search
from search.cli.launching import resume
from search.cli.looking import top
from search.cli.sessions import conclude
from search.cli.types import OptionError
from search.history import events
from search.history.ledger import Ledger
from search.readable import brief, count, epochs
from search.run.session import Outcome
from search.show import ranking
from search.show.overview import in_words, summary
from search.show.status import print_status, status
from search.show.terminal import print_rows
from tests.search.events import asked, measured, started

OLD = Path(__file__).parents[2] / "data" / "0.1.0"


def test_a_finished_search_is_counted_by_state_and_rung():
    found = status(search.load("finished", results=str(OLD)))
    assert (found["state"], found["samples"], sum(found["trials"].values())) == ("finished", 14, 14)
    assert found["best_val_accuracy"] == max(search.load("finished", results=str(OLD)).trials.best_val_accuracy)
    assert sum(rung["stopped"] for rung in found["rungs"]) == found["trials"]["stopped"]


def test_an_unranked_trial_has_no_place(tmp_path, capsys):
    shutil.copytree(OLD / "finished", tmp_path / "one")
    with Ledger(tmp_path / "one" / "ledger.jsonl") as book:
        asked = next(event for event in book.events if isinstance(event, events.Asked))
        book.append(replace(asked, trial=99))
    found = search.load("one", results=str(tmp_path))
    ranking.print_top(found, ranking.top(found, None, everything=True), everything=True)
    _, rows = capsys.readouterr().out.split("\n ──", 1)
    *_, ranked, unranked = (line.split() for line in rows.splitlines() if line.strip())
    assert (ranked[0], unranked[0]) == ("14", "99")


def test_the_ranking_for_programs_has_the_columns_of_the_table_and_configurations_as_objects():
    done = CliRunner().invoke(top, ["finished", "--json", "--results", str(OLD)])
    table = search.load("finished", results=str(OLD)).trials.set_index("trial", drop=False)
    rows = json.loads(done.output)
    assert len(rows) == table.best_val_accuracy.notna().sum()
    for row in rows:
        assert list(row) == list(table)
        expected = {name: None if pd.isna(value) else value for name, value in table.loc[row["trial"]].items()}
        assert row == expected | {"config": json.loads(expected["config"])}


@pytest.mark.parametrize("options", [["-n", "3"], ["--distinct"]])
def test_every_trial_and_some_of_them_cannot_be_asked_for_together(options):
    with pytest.raises(OptionError, match=r"^--all shows every trial, and --\w+ only some of them$"):
        top.main(["finished", "--all", *options, "--results", str(OLD)], standalone_mode=False)


def test_units_in_a_tables_head_are_written_as_people_write_them(capsys):
    print_rows([{"forward_mflop": 1, "memory_mib": 2, "activation_kib": 3}], "")
    assert capsys.readouterr().out.split()[:6] == ["forward", "MFLOP", "memory", "MiB", "activation", "KiB"]


def test_a_search_is_a_row_of_the_list():
    row = summary(search.load("killed", results=str(OLD)))
    assert (row["name"], row["state"], row["trials"], row["samples"]) == ("killed", "killed", 11, 14)
    assert 0 < row["best_val_accuracy"] < 1, "a fraction of one"
    shown = in_words(row)
    assert (shown["trials"], shown["best_val_accuracy"]) == ("11/14", f"{row['best_val_accuracy']:.1%}")


def retrained(results, copied, *reasons):
    """A search of which a retrain began and ended for each reason; None for one that was killed."""
    shutil.copytree(OLD / copied, results / "one")
    with Ledger(results / "one" / "ledger.jsonl") as book:
        for reason in reasons:
            book.append(events.Opened(slots=1))
            if reason:
                book.append(events.Closed(reason=reason))
    return search.load("one", results=str(results))


def test_a_search_that_was_killed_is_not_finished_by_a_retrain(tmp_path, capsys):
    found = retrained(tmp_path, "killed", "finished")
    data = status(found)
    assert (data["state"], data["retraining"], data["holds"]) == ("killed", "finished", 14)
    print_status(data)
    said = capsys.readouterr().out
    assert said.startswith("one: killed\n") and "has only" not in said
    assert in_words(summary(found))["state"] == "killed"


@pytest.mark.parametrize(("reason", "told"), [("interrupted", "interrupted"), (None, "killed"), (None, "running")])
def test_a_finished_search_continues_no_paused_trial_while_or_after_it_is_retrained(tmp_path, capsys, reason, told):
    found = replace(retrained(tmp_path, "finished", reason), running=told == "running")
    found.record.trials[0].state = events.State.PAUSED
    print_status(status(found))
    said = capsys.readouterr().out
    assert said.startswith(f"one: finished, retrain {told}\n") and "1 not continued" in said
    assert in_words(summary(found))["state"] == f"finished, retrain {told}"
    ranking.print_top(found, ranking.top(found, None))
    table = capsys.readouterr().out
    assert table.count("not continued") == 1 and "paused" not in table


def test_the_cost_of_a_search_is_without_its_retrains_whose_cost_is_told_apart(tmp_path, capsys):
    own = status(search.load("finished", results=str(OLD)))
    assert (own["retrain_sessions"], own["retrain_epochs"], own["last_retrain"]) == (0, 0, None)
    print_status(own)
    assert "for retrains" not in capsys.readouterr().out
    retrained(tmp_path, "finished")
    with Ledger(tmp_path / "one" / "ledger.jsonl") as book:
        events_of_retrain = (
            *(events.Opened(slots=1), asked(1, 1, fold=1, folds=2), started(1, 1), asked(1, 2), started(1, 2)),
            *(measured(n, None, trial=1, repeat=repeat) for repeat in (1, 2) for n in (10, 20)),
            events.Closed(reason="finished"),
        )
        for event in events_of_retrain:
            book.append(event)
    found = status(search.load("one", results=str(tmp_path)))
    for key in ("epochs_trained", "training_seconds", "wall_clock_seconds", "sessions"):
        assert found[key] == own[key]
    assert (found["retrain_epochs"], found["retrain_seconds"], found["retrain_sessions"]) == (4, 4, 1)
    assert found["retrain_wall_clock_seconds"] > 0
    print_status(found)
    (told,) = (line for line in capsys.readouterr().out.splitlines() if "for retrains" in line)
    assert told.startswith("           4 epochs, 4 s of training in slots, ")
    assert told.endswith(" of wall clock in 1 session for retrains")


AGAIN = "give the same hpsearch retrain command again to continue it"


@pytest.mark.parametrize(
    ("asked_for", "reason", "told"),
    [
        (2, None, f"1 of 2 runs asked for so far ended; {AGAIN}"),
        (0, None, AGAIN),
        (2, "out of time", f"1 of 2 runs asked for so far ended; {AGAIN}"),
        (2, "finished", None),
        (2, "taken over", None),  # it continues on another machine
    ],
)
def test_an_unfinished_retrain_says_how_far_it_is_and_how_it_goes_on(tmp_path, capsys, asked_for, reason, told):
    retrained(tmp_path, "finished")
    with Ledger(tmp_path / "one" / "ledger.jsonl") as book:
        earlier = (asked(1, 1), started(1, 1), measured(10, None, trial=1, repeat=1, state=events.State.DONE))
        for event in (events.Opened(slots=1), *earlier, events.Closed(reason="finished"), events.Opened(slots=1)):
            book.append(event)
        for repeat in range(2, 2 + asked_for):
            book.append(asked(1, repeat))
        if asked_for:
            book.append(started(1, 2))
            book.append(measured(10, None, trial=1, repeat=2, state=events.State.DONE))
        if reason:
            book.append(events.Closed(reason=reason))
    found = search.load("one", results=str(tmp_path))
    print_status(status(found))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("retrain ")] == ([f"retrain    {told}"] if told else [])
    with Context(resume):
        conclude(Outcome(found.search, found.record, "finished"), tmp_path, quiet=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"retrain {reason or 'killed'}: {told}" if told else last.startswith("next: ")
    print_status(status(replace(found, running=True)))
    assert told is None or told not in capsys.readouterr().out


def test_a_forecast_for_fewer_trials_says_so(tmp_path, capsys):
    found = search.load("finished", results=str(OLD))
    print_status(status(found))
    assert "without start-up\n" in capsys.readouterr().out
    grown = replace(found.record.sessions[-1].opened, samples=40)
    found.record.sessions[-1].opened = grown
    print_status(status(found))
    assert "without start-up; it is for 14 trials\n" in capsys.readouterr().out


@pytest.mark.parametrize(("passes", "words"), [(1, "; 1 test-set evaluation\n"), (2, "; 2 test-set evaluations\n")])
def test_test_passes_are_counted_in_words(tmp_path, capsys, passes, words):
    shutil.copytree(OLD / "finished", tmp_path / "one")
    with Ledger(tmp_path / "one" / "ledger.jsonl") as book:
        asked = next(event for event in book.events if isinstance(event, events.Asked))
        book.append(replace(asked, repeat=1))
        for _ in range(passes):
            book.append(events.Testing(trial=asked.trial, repeat=1))
    print_status(status(search.load("one", results=str(tmp_path))))
    assert words in capsys.readouterr().out


def test_a_retrain_that_failed_is_named_as_in_the_tables(tmp_path, capsys):
    shutil.copytree(OLD / "finished", tmp_path / "one")
    with Ledger(tmp_path / "one" / "ledger.jsonl") as book:
        asked = next(event for event in book.events if isinstance(event, events.Asked))
        book.append(replace(asked, repeat=1))
        attempts = ((0, "interrupted", "its worker was killed"), (1, "failed", "its worker was killed again"))
        for attempt, state, reason in attempts:
            of = {"trial": asked.trial, "repeat": 1, "attempt": attempt}
            book.append(events.Started(**of, images=0))
            book.append(events.Ended(**of, state=events.State(state), reason=reason))
    print_status(status(search.load("one", results=str(tmp_path))))
    said = capsys.readouterr().out.splitlines()
    assert f"trial {asked.trial}-1: failed, its worker was killed again" in said
    assert f"trial {asked.trial}-1: attempt 0 ended, its worker was killed" in said


def test_the_share_of_training_is_unknown_if_a_session_that_trained_began_without_slots(tmp_path, capsys):
    shutil.copytree(OLD / "finished", tmp_path / "one")
    book = tmp_path / "one" / "ledger.jsonl"
    known = status(search.load("one", results=str(tmp_path)))
    assert 0 < known["training_share"] <= 1
    with Ledger(book) as lines:  # a later session, which trained nothing
        lines.append(events.Opened(slots=0))
        lines.append(events.Closed(reason="interrupted"))
    assert status(search.load("one", results=str(tmp_path)))["training_share"] == pytest.approx(known["training_share"])
    with Ledger(book) as lines:
        lines.append(events.Opened(slots=0))
        measured = next(event for event in lines.events if isinstance(event, events.Measured))
        lines.append(replace(measured, attempt=9))
        lines.append(events.Closed(reason="finished"))
    found = status(search.load("one", results=str(tmp_path)))
    assert found["training_share"] is None
    print_status(found)
    assert "slots busy" not in capsys.readouterr().out


def test_a_share_of_more_than_the_slots_time_is_unknown_since_machines_joined(tmp_path):
    shutil.copytree(OLD / "finished", tmp_path / "one")
    with Ledger(tmp_path / "one" / "ledger.jsonl") as lines:
        measured = next(event for event in lines.events if isinstance(event, events.Measured))
        lines.append(replace(measured, attempt=9, seconds=1e9))
    assert status(search.load("one", results=str(tmp_path)))["training_share"] is None


def test_a_count_has_a_plural_and_thousands():
    assert [count(n, "trial") for n in (0, 1, 2, 1200)] == ["0 trials", "1 trial", "2 trials", "1,200 trials"]
    assert [count(n, "pass") for n in (1, 2)] == ["1 pass", "2 passes"]
    assert [count(2, noun) for noun in ("box", "batch", "epoch", "flash")] == [
        "2 boxes", "2 batches", "2 epochs", "2 flashes"
    ]  # fmt: skip


def test_epochs_and_seconds_are_short():
    assert [epochs(n) for n in (0, 0.5, 0.500870, 0.556522, 4, 10)] == ["0", "0.5", "0.5", "0.56", "4", "10"]
    assert [brief(n) for n in (0.134, 2.5, 9.7, 203)] == ["0.13 s", "2.5 s", "10 s", "3 min 23 s"]
