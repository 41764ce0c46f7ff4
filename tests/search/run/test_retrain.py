"""Retrains and what their test passes cost, where something comes in between."""

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from architectures.errors import HpsearchError
from search.cli.retraining import retrain as retrain_command
from search.history import ledger, scores, store
from search.history.events import Closed, Measured, Opened, State, parse
from search.history.ledger import DiskError, Ledger, LedgerError
from search.history.record import Record, rank
from search.history.request import Request
from search.history.winners import last_retrain
from search.run import retrain_plan, testing
from search.run.engines import inline
from search.run.images import part_images
from search.run.launch import launch
from search.run.problem import RequestError
from search.run.retrain import retrain
from search.run.retrain_plan import Again, dry_run, knee_of, prepare
from search.run.session import Options
from tests.search import events
from tests.search.events import measured
from tests.search.run import searches
from trainables.augment import normalise
from trainables.data.load import load
from trainables.predictions import read_predictions
from trainables.saved_network import load_network
from trainables.worker.speed import Speed

WINNER = {
    "network": {"name": "cnn5", "width": 0.125},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "training": {"batch_size": 32},
}


@pytest.fixture
def found(tmp_path):
    """A finished search of one trial on sixty digits."""
    request = searches.listed(tmp_path, [WINNER], epochs=1, limit_train=60)
    outcome = launch(request, Options(engine="inline"), results=tmp_path, name="one")
    assert (outcome.reason, outcome.search.name) == ("finished", "one")
    return store.find(tmp_path, "one")


def retrain_one(search, *, epochs=1, width=1.0, patience=None, flips=False, **options):
    how = Again(epochs=epochs, width=width, patience=patience, flips=flips)
    return retrain(search, Options(engine="inline", **options), how, top=1, distinct=False)


def test_a_winner_is_trained_on_all_images_and_tested_once(found):
    outcome, (run,) = retrain_one(found)
    assert (outcome.reason, run.key, run.state) == ("finished", (0, 1), "done")
    assert [m.images for m in run.measurements] == [60]
    assert (run.measurements[0].val_accuracy, run.measurements[0].decision) == (None, "end")
    assert 0 <= run.test.correct <= run.test.images
    kept = {path.name for path in store.retrain_folder(found.folder, run).iterdir()}
    assert kept == {"config.json", "model.safetensors", "predictions.parquet", "README.md"}
    assert not list((found.folder / "checkpoints").glob("*"))


def test_trials_that_are_named_are_trained_again_whatever_their_place(tmp_path):
    lines = [WINNER | {"optimizer": {"name": "sgd", "lr": lr}} for lr in (0.1, 1e-9, 1e-8)]
    request = searches.listed(tmp_path, lines, epochs=1, limit_train=60)
    launch(request, Options(engine="inline"), results=tmp_path, name="three")
    found = store.find(tmp_path, "three")
    last = rank(Record(parse(ledger.read(found.ledger))))[-1].key[0]
    how = Again(epochs=1, trials=(last, last))
    outcome, (run,) = retrain(found, Options(engine="inline"), how, top=1, distinct=False)
    assert (outcome.reason, run.key, run.test is not None) == ("finished", (last, 1), True)
    with pytest.raises(RequestError, match="three has no knee, as its Pareto front has fewer than three trials"):
        retrain(found, Options(engine="inline"), replace(how, trials=("knee",)), top=1, distinct=False)
    with pytest.raises(RequestError, match=r"three has no measured trial 7 \(it has 0 to 2\); see hpsearch top --all"):
        retrain(found, Options(engine="inline"), replace(how, trials=(0, 7)), top=2, distinct=False)


def unfinished(tmp_path, ends):
    """A search of three trials that a Ctrl-C has ended. ends: the state and the accuracy of the first ones."""
    lines = [WINNER | {"optimizer": {"name": "sgd", "lr": lr}} for lr in (0.1, 0.01, 0.001)]
    request = searches.listed(tmp_path, lines, epochs=2, limit_train=60)
    search = launch(request, Options(engine="inline", max_time=1e-9), results=tmp_path, name="three").search
    with Ledger(search.ledger) as book:
        for trial, (state, value) in enumerate(ends):
            book.append(events.asked(trial))
            book.append(measured(48, value, trial=trial, state=state))
        book.append(Closed(reason="interrupted"))
    return search


def test_a_named_trial_that_a_kill_has_ended_is_called_interrupted(tmp_path):
    found = unfinished(tmp_path, [])
    with Ledger(found.ledger) as book:
        book.append(events.asked(0))
        book.append(events.started(0))
    with pytest.raises(RequestError, match=r"three has no measured trial 0 \(it is interrupted\)"):
        retrain(found, Options(engine="inline"), Again(epochs=1, trials=(0,)), top=1, distinct=False)


def test_an_unfinished_search_of_which_no_trial_has_ended_is_resumed_first(tmp_path):
    found = unfinished(tmp_path, [(State.PAUSED, 0.5), (State.PAUSED, 0.9)])
    before = found.ledger.read_bytes()
    with pytest.raises(RequestError, match="three has no finished trial to retrain yet .*: hpsearch resume three "):
        prepare(found, Options(engine="inline"), Again(epochs=1), top=1, distinct=False)
    with Ledger(found.ledger), pytest.raises(RequestError, match="three is running in another process"):
        prepare(found, Options(engine="inline"), Again(epochs=1), top=1, distinct=False)
    assert prepare(found, Options(engine="inline"), Again(epochs=1, trials=(1,)), top=1, distinct=False).notes
    assert found.ledger.read_bytes() == before


def test_a_search_that_was_killed_before_its_record_began_is_resumed_first(found):
    found.ledger.unlink()
    with pytest.raises(RequestError, match="no finished trial to retrain yet .* hpsearch resume"):
        retrain_one(found)


@pytest.mark.parametrize("paused", [0.5, 0.95])
def test_a_retrain_of_an_unfinished_search_says_so(tmp_path, capsys, paused):
    found = unfinished(tmp_path, [(State.DONE, 0.9), (State.PAUSED, paused)])
    told = "note: the search is unfinished: 1 of 3 trials have ended, and the others may be better (hpsearch resume"
    said = []
    dry_run(found, Options(engine="inline"), Again(epochs=1), top=1, distinct=False, say=said.append)
    assert len(said) == 1 and said[0].startswith(told)
    capsys.readouterr()
    retrain_one(found)
    assert told in capsys.readouterr().err


def test_a_dry_run_of_a_retrain_says_that_it_measures_before_it_does(found, tmp_path, monkeypatch):
    monkeypatch.setattr(retrain_plan, "calibrate", lambda *given: given[3]("measuring") or {0: Speed(32, 0.1, 0.0)})
    asked = ["one", "--results", str(tmp_path), "--epochs", "1", "--width", "2", "--engine", "inline", "--dry-run"]
    done = CliRunner().invoke(retrain_command, asked)
    assert (done.exit_code, done.stderr) == (0, "measuring\n"), done.output


def test_a_trial_that_a_finished_search_left_paused_is_retrained_by_its_number(tmp_path):
    lines = [WINNER | {"optimizer": {"name": "sgd", "lr": lr}} for lr in (0.1, 1e-9, 1e-8)]
    request = replace(searches.listed(tmp_path, lines, epochs=2, limit_train=60), scheduler="halving", grace_period=1.0)
    launch(request, Options(engine="inline"), results=tmp_path, name="three")
    found = store.find(tmp_path, "three")
    (paused,) = [run.key[0] for run in Record(parse(ledger.read(found.ledger))).trials if run.state == "paused"]
    outcome, (run,) = retrain(found, Options(engine="inline"), Again(epochs=1, trials=(paused,)), top=1, distinct=False)
    assert (outcome.reason, run.key) == ("finished", (paused, 1))


@pytest.mark.parametrize(("also", "number"), [(None, 1), ("flops", 2)])
def test_the_knee_is_that_by_the_search_s_own_costs_else_by_parameters(also, number):
    search = SimpleNamespace(name="three", request=Request(space="cnn_all", samples=4, data_dir="", also=also))
    values = [(0.9, 10**6, 10**6), (0.88, 10**3, 10**6), (0.87, 10**6, 10**3), (0.1, 10, 10)]
    runs = [
        events.run(trial, [measured(10, value, trial=trial)], parameters=parameters, flops=flops)
        for trial, (value, parameters, flops) in enumerate(values)
    ]
    assert knee_of(search, runs) == number


def test_fields_of_the_training_can_be_changed_and_that_is_another_retrain(found):
    changed = Again(epochs=1, training={"label_smoothing": 0.2, "cutout": 4})
    _, (plain,) = retrain_one(found)
    _, (other,) = retrain(found, Options(engine="inline"), changed, top=1, distinct=False)
    assert (plain.key, other.key) == ((0, 1), (0, 2))
    own = plain.config["training"]
    assert other.config["training"] == own | {"label_smoothing": 0.2, "cutout": 4}
    assert last_retrain(Record(parse(ledger.read(found.ledger))))[0] == [other]  # an ensemble has none of the first
    wrong = replace(changed, training={"cutmix": 2})
    with pytest.raises(HpsearchError, match="cutmix must be at most 1, got 2"):
        retrain(found, Options(engine="inline"), wrong, top=1, distinct=False)


def test_a_dry_run_forecasts_the_retrain_and_records_nothing(found, capsys):
    how, before = Again(epochs=3, repeats=2), found.ledger.read_bytes()
    asked = {"top": 1, "distinct": False}
    title, forecast = dry_run(found, Options(), how, **asked)
    assert title == "1 winner, 2 runs, 3 epochs, on all 60 training images"
    assert (forecast.trials, forecast.epochs.middle) == (2, 6)
    assert 0 < forecast.seconds.low == forecast.seconds.high and forecast.memory > forecast.disk > 0
    assert found.ledger.read_bytes() == before
    retrain(found, Options(engine="inline"), how, **asked)
    assert "forecast: 6 epochs in " in capsys.readouterr().err
    assert dry_run(found, Options(), how, **asked) == (title, None)


def test_a_forecast_uses_only_speeds_that_were_measured_here(found):
    planned = prepare(found, Options(engine="inline"), Again(epochs=3), top=1, distinct=False)
    assert planned.recorded().keys() == {0}
    known = list(parse(ledger.read(found.ledger)))
    elsewhere = [replace(event, host="elsewhere") if isinstance(event, Measured) else event for event in known]
    assert replace(planned, record=Record(elsewhere)).recorded() is None
    continued = [*known, Opened(slots=1, samples=1, device="cuda")]
    assert replace(planned, record=Record(continued)).recorded() is None
    retrained = [*known, Opened(slots=1, device="cuda")]
    assert replace(planned, record=Record(retrained)).recorded() == planned.recorded()


@pytest.mark.parametrize(
    ("network", "training", "message"),
    [
        ({"name": "cnn5", "width": 0.125}, {"cutout": 200}, "cutout .*200"),
        ({"name": "coursework_bn", "width": 0.125}, {"batch_size": 1}, "batch_size must be at least 2"),
    ],
)
def test_a_training_that_images_or_network_cannot_take_is_refused_before_anything_is_recorded(
    tmp_path, network, training, message
):
    request = searches.listed(tmp_path, [{**WINNER, "network": network}], epochs=1, limit_train=60)
    search = launch(request, Options(engine="inline"), results=tmp_path, name="one").search
    before = search.ledger.read_bytes()
    with pytest.raises(HpsearchError, match=message):
        retrain(search, Options(engine="inline"), Again(epochs=1, training=training), top=1, distinct=False)
    assert search.ledger.read_bytes() == before


def test_what_an_earlier_retrain_has_done_is_not_done_again(found):
    retrain_one(found)
    before = found.ledger.read_bytes()
    outcome, (run,) = retrain_one(found)
    assert (outcome.reason, run.key, outcome.record.test_passes) == ("finished", (0, 1), 1)
    assert outcome.detail == "nothing is left to train or to test"
    assert found.ledger.read_bytes() == before, "its wall clock has not grown"
    with Ledger(found.ledger), pytest.raises(LedgerError, match="running in another process"):
        retrain_one(found)


def test_the_command_repeated_prints_the_same(found):
    words = ["one", "--top", "1", "--epochs", "1", "--engine", "inline", "--results", str(found.folder.parent)]
    first, again = (CliRunner().invoke(retrain_command, [*words, "--json"]) for _ in range(2))
    assert (again.exit_code, json.loads(again.stdout)) == (first.exit_code, json.loads(first.stdout)), again.output
    assert again.stderr == "one: nothing is left to train or to test\n"


def test_a_repeated_retrain_whose_session_was_killed_at_its_end_closes_it(found):
    retrain_one(found)
    *others, closed = found.ledger.read_bytes().splitlines(keepends=True)
    assert b'"closed"' in closed
    found.ledger.write_bytes(b"".join(others))
    retrain_one(found)
    assert [line["event"] for line in ledger.read(found.ledger)[len(others) :]] == ["opened", "closed"]


def test_a_disk_that_is_full_when_a_winner_is_asked_for_pauses_the_retrain(found, monkeypatch):
    append = Ledger.append

    def refuse(self, event):
        if not isinstance(event, Opened):
            raise DiskError("no room")
        return append(self, event)

    monkeypatch.setattr(Ledger, "append", refuse)
    outcome, runs = retrain_one(found)
    assert (outcome.reason, outcome.detail, runs) == ("disk full", "no room", [])


def test_max_time_is_kept(found, monkeypatch):
    seen = []
    monkeypatch.setattr(inline, "train", lambda driver, *_: seen.append(driver.deadline))
    retrain_one(found, max_time=60.0)
    assert seen == [pytest.approx(time.time() + 60, abs=30)]


def test_a_retrain_that_is_out_of_time_is_finished_by_the_next_one(found):
    outcome, runs = retrain_one(found, max_time=1e-9)
    assert (outcome.reason, runs) == ("out of time", [])
    outcome, (run,) = retrain_one(found)
    assert (outcome.reason, run.state) == ("finished", "done")


@pytest.mark.parametrize("finalists", [(), ("--finalists", "1", "--folds", "2")])
def test_the_json_of_a_retrain_that_is_out_of_time_says_so(found, finalists):
    words = ["one", "--top", "1", "--epochs", "1", "--engine", "inline", "--results", str(found.folder.parent)]
    short = CliRunner().invoke(retrain_command, [*words, *finalists, "--json", "--max-time", "1e-9"])
    data = json.loads(short.stdout)
    assert (short.exit_code, data["reason"], data["winners"], data["finalists"]) == (0, "out of time", [], [])
    assert data["test_passes"] == 0 and "out of time; nothing recorded is lost" in short.stderr
    again = json.loads(CliRunner().invoke(retrain_command, [*words, *finalists, "--json"]).stdout)
    assert (again["reason"], len(again["winners"]), again.keys()) == ("finished", 1, data.keys())


def test_a_test_pass_that_is_interrupted_counts_and_is_made_again(found, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("trainables.saved_network.write_predictions", full)
        outcome, _ = retrain_one(found)
    assert outcome.reason == "disk full"
    outcome, (run,) = retrain_one(found)
    assert outcome.reason == "finished" and run.test.images > 0
    lines = ledger.read(found.ledger)
    assert [e["event"] for e in lines if e["event"].startswith("test")] == ["testing", "testing", "tested"]
    assert Record(parse(lines)).test_passes == 2


def test_a_winner_may_be_trained_wider_and_the_record_says_so(found):
    _, (narrow,) = retrain_one(found)
    _, (wide,) = retrain_one(found, width=2)
    assert (narrow.key, wide.key) == ((0, 1), (0, 2))
    assert (narrow.config["network"]["width"], wide.config["network"]["width"]) == (0.125, 0.25)
    assert wide.asked.parameters > narrow.asked.parameters
    network = load_network(store.retrain_folder(found.folder, wide))
    assert sum(p.numel() for p in network.model.parameters()) == wide.asked.parameters
    _, (again,) = retrain_one(found, width=2)
    assert again.key == wide.key


def test_a_width_that_leaves_no_channel_is_refused_before_anything_is_recorded(found):
    before = found.ledger.read_bytes()
    with pytest.raises(RequestError, match=r"^network 'cnn5': width \S+ leaves none of \d+ channels; use at least"):
        retrain_one(found, width=0.001)
    assert found.ledger.read_bytes() == before


def test_with_patience_a_winner_is_judged_on_the_validation_images_and_its_best_epoch_kept(found):
    _, (run,) = retrain_one(found, epochs=12, patience=2)
    assert {m.images % 48 for m in run.measurements} == {0}  # a fifth of sixty is for validation
    assert run.measurements[-1].epoch in (run.best.epoch + 2, 12)
    assert run.config["training"]["patience"] == 2 and run.test.images > 0
    _, (other,) = retrain_one(found, epochs=12)
    assert other.key != run.key and other.measurements[0].val_accuracy is None


def test_flips_at_test_time_are_another_test_pass_and_recorded(found):
    _, (run,) = retrain_one(found)
    folder = store.retrain_folder(found.folder, run)
    _, plain, _ = read_predictions(folder)
    outcome, (flipped,) = retrain_one(found, flips=True)
    labels, both, _ = read_predictions(folder)
    assert flipped.key == run.key and outcome.record.test_passes == 2
    assert (run.test.flips, flipped.test.flips) == (None, True)
    assert flipped.test.correct == (both.argmax(1) == labels).sum()
    pixels = load("digits", "test", data_dir=found.folder.parent / "data").pixels
    model = load_network(folder).model.eval()
    with torch.no_grad():
        mirrored = model(normalise(torch.from_numpy(pixels)).flip(3)).softmax(1).numpy()
    np.testing.assert_allclose(both, (plain + mirrored) / 2, atol=2e-2)  # perhaps in bfloat16
    assert retrain_one(found, flips=True)[0].record.test_passes == 2


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_a_network_whose_predictions_are_lost_is_tested_again_by_the_same_retrain(found, damage):
    _, (run,) = retrain_one(found)
    folder = store.retrain_folder(found.folder, run)
    before = read_predictions(folder)[1]
    damage(folder / "predictions.parquet")
    outcome, (again,) = retrain_one(found)
    assert (again.key, outcome.record.test_passes) == (run.key, 2)
    assert again.measurements == run.measurements, "it is not trained again"
    np.testing.assert_array_equal(read_predictions(folder)[1], before)


def test_a_network_of_which_all_is_lost_is_trained_again_by_the_second_retrain(found):
    _, (run,) = retrain_one(found)
    folder = store.retrain_folder(found.folder, run)
    for path in folder.iterdir():
        path.unlink()
    _, (failed,) = retrain_one(found)
    assert failed.state == "failed" and "No such file" in failed.reason
    outcome, (again,) = retrain_one(found)
    assert (again.key, again.state, outcome.record.test_passes) == (run.key, "done", 2)
    assert len(list(folder.iterdir())) == 4


def test_a_test_on_other_images_than_before_says_so_and_makes_no_ensemble_with_those(found, monkeypatch, capsys):
    told = "the test images of digits are not those of earlier tests of this search"
    retrain_one(found)
    assert told not in capsys.readouterr().err
    fewer = part_images(found.request, "test").take(np.arange(300))
    monkeypatch.setattr(testing, "part_images", lambda request, part: fewer)
    outcome, (run,) = retrain_one(found, epochs=2)
    assert told in capsys.readouterr().err
    assert [each.key for each in last_retrain(outcome.record)[0]] == [run.key]
    both = [outcome.record.runs[0, repeat] for repeat in (1, 2)]
    assert scores.ensemble(found.folder, both) is None
