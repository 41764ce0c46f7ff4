"""The page of a search: every figure is drawn from its table, every table says what the record says."""

import json
import random
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from search.history import events, ledger, store
from search.history.card import card
from search.history.events import State, parse
from search.history.ledger import Ledger
from search.history.load import read_search
from search.history.record import Record
from search.page.blocks import Listing, Sheet
from search.page.drawing import write_figures
from search.page.importance import importance
from search.page.markdown import markdown
from search.page.page import as_file, data_of, embedded, page_of
from search.page.sections import provenance, winner_details
from search.page.sections.winner_details import calibration
from search.page.sections.winners import told_apart
from search.page.view import View
from search.show.winners import print_retrains, retrain_report
from search.spaces import config_of
from search.use.winners import pick
from tests.search.events import asked, ended
from tests.search.page.searches import CLASSES, Clock, accuracy_of, make_search, pass_over_test, train
from trainables.data.superclasses import SUPERCLASSES
from trainables.predictions import PredictionsError


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    make_search(folder, retrains=[(18, 1), (18, 2), (16, 1)])
    return folder


@pytest.fixture(scope="module")
def view(results):
    return View(read_search(results, "made"))


@pytest.fixture(scope="module")
def page(view):
    return page_of([view])


def figure(page, key):
    return next(block for block in page.drawn if block.key == key)


class Document(HTMLParser):
    """What a browser would find: tags, the attributes of each, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self._script = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._script = dict(attributes).get("id", "code") if tag == "script" else None

    def handle_data(self, data):
        if self._script:
            self.scripts[self._script] = self.scripts.get(self._script, "") + data


def test_the_sections_come_in_the_order_in_which_people_ask(page):
    assert [section.key for section in page.sections] == ["won", "trust", "goes", "mattered", "close"]
    keys = [block.key for section in page.sections for block in section.blocks]
    assert len(set(keys)) == len(keys)


def test_every_figure_has_a_sentence_a_text_alternative_and_rows(page):
    assert len(page.figures) > 15
    for each in page.figures:
        assert each.sentence.endswith((".", ").")), each.key
        assert each.alt and each.title and each.table.rows, each.key


def test_every_mark_names_columns_of_its_table_and_has_rows_on_its_axes(page):
    for each in page.figures:
        columns = {column.name for column in each.table.columns}
        assert all(set(row) >= columns for row in each.table.rows), each.key
        for choice in each.choices or (None,):
            bind = choice.bind if choice else {}
            for mark in each.marks:
                named = [mark.x, mark.y, mark.group, mark.low, mark.high, mark.value, mark.where and mark.where[0]]
                bound = {bind.get(name, name) for name in named if name}
                assert bound <= columns, (each.key, choice)
            for way, axis in (("x", (choice and choice.axis) or each.x), ("y", each.y)):
                column = bind.get(getattr(each.marks[0], way), getattr(each.marks[0], way))
                values = {row[column] for row in each.table.rows if row[column] is not None}
                assert axis.kind != "text" or values <= set(axis.order), (each.key, column)


def test_the_curves_are_the_measurements_of_the_search(page, view):
    rows = figure(page, "curves").table.rows
    epochs = view.found.epochs.query("repeat == 0")
    assert [(r["trial"], r["epoch"], r["value"]) for r in rows] == list(
        zip(epochs.trial, epochs.epoch, epochs.val_accuracy, strict=True)
    )


def test_the_best_so_far_rises_and_ends_at_the_best_with_everything_spent(page, view):
    rows = figure(page, "best-so-far").table.rows
    values = [row["value"] for row in rows]
    assert values == sorted(values)
    assert values[-1] == view.found.trials.best_val_accuracy.max()
    assert rows[-1]["epochs"] == view.found.trials.epoch.sum() == 10 * 4 + 10 * 1
    assert rows[-1]["images"] == view.found.trials.images.sum()
    assert rows[-1]["seconds"] == 50 * 10


def test_the_rungs_count_every_trial_that_reached_them(page):
    rows = figure(page, "rungs").table.rows
    first = {row["what"]: row["trials"] for row in rows if row["epoch"] == "1"}
    assert first == {"continued": 10, "stopped": 10, "paused": 0}
    assert "10 trials were not trained to the end" in figure(page, "rungs").sentence
    assert "about 30 more epochs (50 were trained)" in figure(page, "rungs").sentence


def states(page):
    return dict(next(block for section in page.sections for block in section.blocks if block.key == "states").rows)


def test_the_time_left_of_trials_that_pause_is_that_of_the_forecast(tmp_path):
    make_search(tmp_path, finished=False)
    found = read_search(tmp_path, "made")
    halving = replace(found.search, request=replace(found.search.request, scheduler="halving"))
    forecast = {"trials": 20, "epochs": {"low": 60, "middle": 60, "high": 60}, "seconds": {}}
    known = replace(halving, facts=halving.facts | {"forecast": forecast | {"seconds": forecast["epochs"]}})
    assert states(page_of([View(replace(found, search=known, running=True))]))["time left"] == "about 45 s"
    paused = replace(found, search=halving, running=True)
    paused.record.runs[1, 0].state = State.PAUSED
    assert "time left" not in states(page_of([View(paused)])), "there is no forecast"


def test_trials_that_were_not_continued_count_as_stopped_early(tmp_path):
    make_search(tmp_path)
    found = read_search(tmp_path, "made")
    found.record.runs[1, 0].state = State.PAUSED
    drawn = page_of([View(found)])
    assert "A line for each of 20 trials; 10 were stopped early." in figure(drawn, "curves").sentence
    assert figure(drawn, "rungs").sentence.startswith("10 trials were not trained to the end.")


def test_a_finished_search_keeps_its_page_while_and_after_a_retrain_is_interrupted(tmp_path):
    made = make_search(tmp_path)
    with Ledger(made.ledger) as book:
        book.append(events.Opened(slots=1))
        for told in ("running", "interrupted"):
            if told == "interrupted":
                book.append(events.Closed(reason="interrupted"))
            found = replace(read_search(tmp_path, "made"), running=told == "running")
            found.record.runs[1, 0].state = State.PAUSED
            drawn = page_of([View(found)])
            assert drawn.state == f"finished, retrain {told}"
            assert states(drawn)["not continued"] == "1"
            assert "10 were stopped early." in figure(drawn, "curves").sentence
            assert figure(drawn, "rungs").sentence.startswith("10 trials were not trained to the end.")
            assert f"The search is finished; a retrain is {told}." in markdown([View(found)])


def test_a_retrain_does_not_finish_the_search_that_was_interrupted(tmp_path):
    made = make_search(tmp_path, finished=False)
    with Ledger(made.ledger) as book:
        for event in (events.Closed(reason="interrupted"), events.Opened(slots=1), events.Closed(reason="finished")):
            book.append(event)
    found = read_search(tmp_path, "made")
    found = replace(found, search=replace(found.search, request=replace(found.search.request, samples=30)))
    found.record.sessions[0].opened = replace(found.record.sessions[0].opened, samples=30)
    drawn = page_of([View(found)])
    assert drawn.state == "interrupted"
    assert states(drawn)["not drawn yet"] == "10"
    assert "This search is not over: it is interrupted, and 20 trials of 30 have been drawn." in markdown([View(found)])


@pytest.mark.parametrize(
    ("trials", "verdicts"),
    [(20, ["inside its range"] * 2), (None, ["inside its range"] * 2), (10, ["not compared"] * 2)],
)
def test_a_forecast_is_compared_with_the_search_that_it_is_of_and_without_start_up(tmp_path, trials, verdicts):
    make_search(tmp_path)
    found = read_search(tmp_path, "made")
    found.record.sessions[0].opened = replace(found.record.sessions[0].opened, time=1_700_000_000.0 - 300)  # starts up
    spread = {"epochs": dict.fromkeys(("low", "middle", "high"), 50)}
    spread["seconds"] = dict.fromkeys(("low", "middle", "high"), 500)
    forecast = spread | ({"trials": trials} if trials else {})  # 0.1.0 recorded none
    found = replace(found, search=replace(found.search, facts=found.search.facts | {"forecast": forecast}))
    (sheet,) = (block for block in provenance.section(View(found)).blocks if block.key == "forecast")
    assert [row["verdict"] for row in sheet.table.rows] == verdicts
    assert sheet.table.rows[1]["what"] == "wall clock, without start-up"
    assert sheet.table.rows[1]["spent"] == "8 min 20 s"
    assert ("The forecast is for 10 trials, the search for 20." in sheet.sentence) == (trials == 10)


def test_the_headline_is_of_the_newest_retrain_which_predict_uses(tmp_path):
    make_search(tmp_path, retrains=[(18, 1), (18, 2)])
    found = read_search(tmp_path, "made")
    best = pick(found, 1)
    assert best.key == (18, 2)
    blocks = (block for section in page_of([View(found)]).sections for block in section.blocks)
    told, value = next(block for block in blocks if block.key == "headline").rows[0]
    assert told.startswith("test accuracy of 18-2 ")
    assert value.startswith(f"{best.test.correct / best.test.images:.1%} ")


@pytest.mark.parametrize(
    ("measure", "told"),
    [
        ("test_accuracy", "Arms are compared by test accuracy, and nothing was chosen by it."),
        ("val_accuracy", "hpsearch chose no network by test accuracy."),
        ("gap", "hpsearch chose no network by test accuracy."),
    ],
)
def test_the_test_set_compares_arms_only_if_the_study_does(tmp_path, measure, told):
    found = make_search(tmp_path, trials=2)
    with Ledger(found.ledger) as book:
        for trial in (0, 1):
            pass_over_test(found, book, trial, 0, CLASSES)
    texts = {"name": "s", "question": "?", "source": "", "remark": "", "part": None}
    lists = {"arms": ["one", "two"], "changed": [], "published": []}
    store.record(found, study={**texts, **lists, "repeats": 1, "measure": measure})
    (said, *_) = provenance.section(View(read_search(tmp_path, "made"))).blocks[0].lines
    assert said == f"2 test-set evaluations for 2 tested runs. {told}"


def test_the_timeline_has_no_two_trainings_at_once_on_a_slot(page):
    rows = figure(page, "timeline").table.rows
    assert sum(row["state"] == "retrain" for row in rows) == 3
    for slot in {row["slot"] for row in rows}:
        spans = sorted((row["begin"], row["end"]) for row in rows if row["slot"] == slot)
        assert all(begin >= end - 0.1 for (_, end), (begin, _) in pairwise(spans))


def test_the_winners_are_in_the_order_of_validation_with_their_ensemble_last(page, view):
    rows = figure(page, "winners").table.rows
    assert [row["role"] for row in rows] == ["winner"] * 3 + ["ensemble"]
    tested = view.found.retrains.set_index(["trial", "repeat"]).test_accuracy
    order = sorted({18, 16}, key=lambda trial: -accuracy_of(trial, 4))
    keys = [key for trial in order for key in sorted(tested.index) if key[0] == trial]
    assert [row["test_accuracy"] for row in rows[:-1]] == [tested[key] for key in keys]
    report = retrain_report(view.found, sorted(keys))
    assert [(row["trial"], row["repeat"]) for row in report["winners"]] == list(tested.index) == keys
    assert [(row["trial"], row["repeat"]) for row in report["ensemble"]["members"]] == sorted(keys)
    assert all(row["test_low"] < row["test_accuracy"] < row["test_high"] for row in rows)


def test_the_front_holds_what_nothing_cheaper_beats(page):
    rows = figure(page, "cost").table.rows
    for name in ("parameters", "flops", "seconds"):
        for row in rows:
            beaten = any(o[name] <= row[name] and o["value"] > row["value"] for o in rows)
            same = any(o[name] < row[name] and o["value"] == row["value"] for o in rows)
            assert row[f"front_{name}"] == (not beaten and not same)


def test_importance_comes_with_its_range_and_only_of_what_every_trial_has(page, view):
    rows = figure(page, "importance").table.rows
    assert sum(row["share"] for row in rows) == pytest.approx(1)
    assert all("/" not in row["parameter"] for row in rows)
    assert {row["parameter"] for row in rows} <= {
        "network",
        "optimizer",
        "weight_decay",
        "batch_size",
        "label_smoothing",
        "schedule",
    }
    assert all(row["low"] <= row["high"] for row in rows)
    assert "cannot tell which parameter mattered" in figure(page, "importance").sentence  # no parameter made the curves


def test_a_parameter_that_makes_the_accuracy_is_known_to_matter(view):
    trials = [
        replace(
            run, measurements=[replace(m, val_accuracy=run.asked.params["batch_size"] / 300) for m in run.measurements]
        )
        for run in view.record.trials
    ]
    found = importance(trials)
    assert found is not None and found.known == ["batch_size"]


def test_trials_that_paused_at_a_rung_within_an_epoch_are_all_compared_whatever_their_batches(view):
    """The rung is reached at 0.5 epochs with some batches and at 0.55 with others."""
    trials = [
        replace(run, measurements=[replace(run.measurements[0], epoch=(0.5, 0.55)[run.key[0] % 2])])
        for run in view.record.trials
    ]
    found = importance(trials)
    assert (found.epoch, found.trials) == (0.55, len(trials))


def test_a_share_lies_in_its_range_also_where_every_subsample_gives_more_or_less(view):
    rng = random.Random(0)
    trials = [
        replace(run, measurements=[replace(each, val_accuracy=rng.random()) for each in run.measurements])
        for run in view.record.trials
    ]
    found = importance(trials)
    assert all(share.low <= share.whole <= share.high for share in found.shares.values())
    ends = {end for share in found.shares.values() for end in (share.whole - share.low, share.high - share.whole)}
    assert 0.0 in ends, "here some do"


def test_slices_of_a_branch_show_the_trials_of_that_branch_alone(page, view):
    found = figure(page, "slices")
    for choice in found.choices:
        column = choice.bind["parameter"]
        has = [run.key[0] for run in view.record.trials if column in run.asked.params]
        assert [row["trial"] for row in found.table.rows if row[column] is not None] == has


def test_choices_and_ranges_that_depend_on_other_draws_get_a_page(tmp_path):
    def depends(trial):
        network = trial.suggest_categorical("network", ("cnn5", "cnn6"))
        trial.suggest_categorical("batch_size", (16, 32) if network == "cnn5" else (64, 128))
        trial.suggest_float("label_smoothing", 0.0, 0.1 if network == "cnn5" else 0.2)
        trial.suggest_int("epochs", 2, 8)
        trial.suggest_categorical("optimizer", ("adam",))
        trial.suggest_float("adam/lr", 1e-4, 1e-2, log=True)
        return config_of(trial.params)

    make_search(tmp_path, "depends", trials=40, function=depends)
    found = View(read_search(tmp_path, "depends"))
    page = page_of([found])
    importance = {row["parameter"] for row in figure(page, "importance").table.rows}
    assert importance == {"network", "epochs", "adam/lr"}, "batch sizes and smoothing come from several ranges"
    slices = figure(page, "slices")
    axes = {choice.bind["parameter"]: choice.axis for choice in slices.choices}
    assert set(axes["batch_size"].order) == {"16", "32", "64", "128"}
    assert axes["label_smoothing"].kind == "number"
    write_figures(page, tmp_path / "figures")
    (listing,) = (block for section in page.sections for block in section.blocks if block.key == "trials")
    kinds = {column.name: column.kind for column in listing.table.columns}
    assert (kinds["batch_size"], kinds["epochs"], kinds["trained"]) == ("count", "count", "epoch")
    assert {row["trained"] for row in listing.table.rows} == {1.0, 4.0}


def test_a_trial_that_diverged_is_never_the_best_so_far(tmp_path):
    search = make_search(tmp_path, "diverged")
    runs = Record(parse(ledger.read(search.ledger))).trials
    best = max(runs, key=lambda run: run.at_best("value"))
    with Ledger(search.ledger) as book:
        book.append(ended(State.DIVERGED, "NaN", trial=best.key[0]))
    found = View(read_search(tmp_path, "diverged"))
    rows = figure(page_of([found]), "best-so-far").table.rows
    assert best.key[0] not in {row["trial"] for row in rows}
    assert rows[-1]["value"] == found.ranked[0].at_best("value")


def test_the_time_of_slots_is_not_told_if_a_session_that_trained_began_without_any(tmp_path, page):
    assert figure(page, "timeline").sentence.startswith("Slots were busy ") and "slots busy" in states(page)
    found = make_search(tmp_path, trials=4)
    opened, *others = ledger.read(found.ledger)
    found.ledger.unlink()
    with Ledger(found.ledger) as book:
        for event in parse([opened | {"slots": 0}, *others]):
            book.append(event)
    of = page_of([View(read_search(tmp_path, "made"))])
    assert figure(of, "timeline").sentence.startswith("Gaps are times") and "slots busy" not in states(of)
    assert "more of training at each trial's own speed" in figure(of, "rungs").sentence


def test_repeats_and_students_are_told_of_in_the_same_words_on_the_page_the_card_and_the_terminal(tmp_path, capsys):
    made, clock = make_search(tmp_path, retrains=[(18, 1), (18, 2)]), Clock()
    with Ledger(made.ledger, clock=clock) as book:
        drawn = next(each for each in book.events if isinstance(each, events.Asked) and each.trial == 18)
        for repeat, more in ((3, {}), (4, {}), (5, {"teachers": [[18, 1], [18, 2]]})):
            config = {**drawn.config, "training": {**drawn.config["training"], "epochs": 3}}
            book.append(asked(18, repeat, config=config, with_validation=False, **more))
            train(book, clock, 18, repeat, 3, 3)
            pass_over_test(made, book, 18, repeat, CLASSES)
        tested = book.events[-1]
        book.append(events.Testing(trial=18, repeat=5))
        book.append(replace(tested, flips=True))
    found = read_search(tmp_path, "made")
    blocks = {block.key: block for section in page_of([View(found)]).sections for block in section.blocks}
    apart = [line.partition(":")[0] for line in blocks["repeats"].lines]
    assert apart == ["Trial 18 (2 epochs)", "Trial 18 (3 epochs)"]
    flips = "are averaged over each test image and its mirror image."
    taught = "was distilled from 18-1, 18-2: trained on their predictions for the augmented images, not on labels."
    (student,) = (row["who"] for row in blocks["winners-table"].table.rows if row["who"].startswith("18-5 "))
    assert f"Predictions of {student} {flips}" in blocks["winners-table"].sentence
    assert taught in blocks["winners-table"].sentence
    keys = [run.key for run in found.record.retrains]
    print_retrains(found, keys)
    said = " ".join(capsys.readouterr().out.split())
    assert f"Predictions of 18-5 {flips}" in said and f"18-5 {taught}" in said
    assert "trial 18 (2 epochs): accuracy" in said and "trial 18 (3 epochs): accuracy" in said
    assert f"Predictions {flips}" in card(found, found.record.runs[18, 5])
    report = retrain_report(found, keys)
    assert [row["config"] for row in report["repeats"]] == [report["winners"][at]["config"] for at in (0, 2)]


def of_page(found):
    return {block.key: block for section in page_of([View(found)]).sections for block in section.blocks}


def test_winners_of_different_test_images_are_not_averaged_and_the_page_and_the_terminal_say_so(tmp_path, capsys):
    made, clock = make_search(tmp_path, retrains=[(18, 1), (18, 2)]), Clock()
    with Ledger(made.ledger, clock=clock) as book:
        drawn = {each.trial: each for each in book.events if isinstance(each, events.Asked) and not each.repeat}
        for trial, repeat, images in ((18, 3, 90), (16, 1, 90)):
            config = {**drawn[trial].config, "training": {**drawn[trial].config["training"], "epochs": 2}}
            book.append(replace(drawn[trial], repeat=repeat, config=config, with_validation=False))
            train(book, clock, trial, repeat, 2, 2)
            pass_over_test(made, book, trial, repeat, CLASSES, images=images)
    found = read_search(tmp_path, "made")
    blocks = of_page(found)
    *winners, both = blocks["winners-table"].table.rows
    assert [row["who"].split()[0] for row in winners] == ["16-1", "18-1", "18-2", "18-3"]
    assert both["who"] == "ensemble of 2", "of the last two"
    told = "The test images changed between these tests, so their accuracies cannot be compared directly (test set 1: "
    assert told in blocks["winners-table"].sentence
    assert "They are for different test images" in blocks["winners"].sentence
    assert [line.partition(":")[0] for line in blocks["repeats"].lines] == ["Trial 18"], "without the third"
    keys = [run.key for run in found.record.retrains]
    print_retrains(found, keys)
    said = " ".join(capsys.readouterr().out.split())
    assert f"{told}18-1, 18-2; test set 2: 16-1, 18-3)." in said
    assert retrain_report(found, keys)["ensemble"] is None
    assert [row["test_set"] for row in retrain_report(found, keys)["winners"]] == [2, 1, 1, 2]


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"x")])
def test_lost_predictions_of_one_winner_are_said_and_all_others_are_shown(tmp_path, capsys, damage):
    make_search(tmp_path, retrains=[(18, 1), (16, 1)])
    lost = tmp_path / "made" / "retrain" / "18-1" / "predictions.parquet"
    damage(lost)
    found = read_search(tmp_path, "made")
    blocks = of_page(found)
    (line,) = blocks["lost"].lines
    assert line.startswith(str(lost)) and line.endswith("; restore it, or retrain the winner again")
    (winner,) = blocks["winners-table"].table.rows
    assert winner["who"].startswith("16-1 ") and "curves-16-1" not in blocks and "winner-16-1" in blocks
    assert line in markdown([View(found)]).replace("\\", "")
    sides = page_of([View(found), View(found)]).sections[0].blocks
    assert line in sides[0].lines
    with pytest.raises(PredictionsError, match="retrain the winner again"):
        _ = found.retrains
    print_retrains(found, [(18, 1), (16, 1)])
    assert str(lost) in (said := capsys.readouterr().out) and "16-1" in said
    print_retrains(found, [(16, 1)])
    assert str(lost) not in capsys.readouterr().out, "nothing of that winner is shown"


def test_the_confusions_are_all_test_images(page):
    rows = figure(page, "confusion-18-2").table.rows
    assert sum(row["images"] for row in rows) == 120


def test_a_hundred_classes_are_shown_by_superclass_before_one_by_one(tmp_path):
    classes = tuple(sorted(name for members in SUPERCLASSES.values() for name in members))
    make_search(tmp_path, trials=1, retrains=[(0, 1)], classes=classes, images=300)
    blocks = {block.key: block for block in winner_details.section(View(read_search(tmp_path, "made"))).blocks}
    coarse, fine = blocks["superclasses-0-1"], blocks["confusion-0-1"]
    assert list(blocks).index(coarse.key) < list(blocks).index(fine.key)
    assert coarse.x.order == coarse.y.order == tuple(SUPERCLASSES)
    assert [set(fine.x.order[n : n + 5]) for n in range(0, 100, 5)] == [set(own) for own in SUPERCLASSES.values()]
    above = {name: coarse_name for coarse_name, members in SUPERCLASSES.items() for name in members}
    counted = Counter()
    for row in fine.table.rows:
        counted[above[row["label"]], above[row["predicted"]]] += row["images"]
    assert {(row["label"], row["predicted"]): row["images"] for row in coarse.table.rows} == counted


def test_calibration_weighs_each_bin_by_its_images():
    import numpy as np

    probabilities = np.array([[0.95, 0.05], [0.95, 0.05], [0.65, 0.35], [0.65, 0.35]])
    rows, error = calibration(np.array([0, 0, 0, 1]), probabilities)
    assert [(row["accuracy"], row["images"]) for row in rows] == [(0.5, 2), (1.0, 2)]
    assert error == pytest.approx(0.5 * 0.15 + 0.5 * 0.05)


def test_the_file_needs_nothing_else_and_is_small(page):
    text = as_file(page)
    assert len(text) < 3e6
    found = Document(text)
    for tag, attributes in found.tags:
        for name in ("src", "href", "action", "data", "srcset"):
            assert not attributes.get(name, "#").startswith(("http", "//", "/")), (tag, attributes)
    policy = next(a["content"] for t, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'nonce-")
    drawn = json.loads(found.scripts["data"])["drawn"]
    assert drawn.keys() == {block.key for block in page.drawn}


def test_the_data_in_the_page_are_the_rows_of_the_tables(page):
    drawn = data_of(page)["drawn"]
    for block in page.drawn:
        values = drawn[block.key]["table"]["values"]
        for column in block.table.columns:
            for row, shown in zip(block.table.rows, values[column.name], strict=True):
                assert shown == pytest.approx(row[column.name], rel=1e-5) if isinstance(shown, float) else True
                assert (shown is None) == (row[column.name] is None)


def test_what_users_have_named_is_text_everywhere(tmp_path):
    evil = ("<script>alert(1)</script>", "../../etc/passwd", "</script><img src=x onerror=alert(2)>\u2028")
    make_search(tmp_path, retrains=[(0, 1)], trials=4, classes=evil)
    text = as_file(page_of([View(read_search(tmp_path, "made"))]))
    found = Document(text)
    assert not [tag for tag, attributes in found.tags if tag == "img" or "onerror" in attributes]
    nonces = {a.get("nonce") for t, a in found.tags if t == "script" and a.get("type") is None}
    assert len(nonces) == 1 and None not in nonces
    assert "\u2028" not in found.scripts["data"]
    labels = json.loads(found.scripts["data"])["drawn"]["confusion-0-1"]["table"]["values"]["label"]
    assert set(labels) == set(evil)


def test_data_are_embedded_without_a_letter_that_html_knows():
    text = embedded({"a": "</script><!--&\u2028\u2029"})
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == {"a": "</script><!--&\u2028\u2029"}


# ---- searches that lack something


@pytest.mark.parametrize(
    ("made", "told"),
    [
        ({"trials": 0, "finished": False}, "No trial has been measured yet"),
        ({"trials": 1}, "The best of 1 measured trial"),
        ({"trials": 6}, "No winner has been retrained and tested yet"),
        ({"trials": 6, "finished": False}, "This search is not over"),
        ({"trials": 6, "retrains": [(0, 1)], "never": 1}, "Never predicted: dog."),
        ({"trials": 2, "classes": ("a", "b"), "retrains": [(0, 1)]}, "There is one winner"),
    ],
)
def test_a_search_that_lacks_something_gets_a_page_that_says_so(tmp_path, made, told):
    make_search(tmp_path, **made)
    page = page_of([View(read_search(tmp_path, "made"))])
    assert told in as_file(page)
    for block in page.drawn:
        assert isinstance(block, Listing) or all(mark.kind for mark in block.marks)


def test_a_search_that_has_not_begun_gets_a_page(tmp_path):
    make_search(tmp_path, trials=0).ledger.unlink()
    assert "No trial has been measured yet" in as_file(page_of([View(read_search(tmp_path, "made"))]))


def test_several_searches_stand_side_by_side_with_the_winners_of_each(tmp_path, results):
    make_search(tmp_path, "other", trials=4, retrains=[(2, 1)])
    make_search(tmp_path, "bare", trials=2)
    views = [View(read_search(results, "made")), *(View(read_search(tmp_path, name)) for name in ("other", "bare"))]
    page = page_of(views)
    (section,) = page.sections
    assert {row["search"] for row in figure(page, "sides").table.rows} == {"made", "other", "bare"}
    sheets = {block.key: block.table.rows for block in section.blocks if isinstance(block, Sheet)}
    assert [row["trials"] for row in sheets["sides-searches"]] == [20, 4, 2]
    assert all(row["low"] < row["value"] < row["high"] for row in sheets["sides-searches"])
    found = sheets["sides-winners"]
    assert [row["search"] for row in found] == ["made"] * 4 + ["other"]
    tests = figure(page, "sides-tests").table.rows
    alone = [row for view in views[:2] for row in figure(page_of([view]), "winners").table.rows]
    for name in ("test_accuracy", "test_low", "test_high"):
        assert [row[name] for row in tests] == [row[name] for row in alone] == [row[name] for row in found]
    assert len({row["who"] for row in tests}) == len(tests)


def test_the_cost_of_a_search_is_compared_without_its_retrains(tmp_path):
    make_search(tmp_path, "one", retrains=[(18, 1)])
    make_search(tmp_path, "two")
    pages = [View(read_search(tmp_path, name)) for name in ("one", "two")]
    (section,) = page_of(pages).sections
    (rows,) = (block.table.rows for block in section.blocks if block.key == "sides-searches")
    assert [row["epochs"] for row in rows] == [50, 50]
    assert rows[0]["time"] == rows[1]["time"]
    one, two = (
        dict(next(b for s in page_of([view]).sections for b in s.blocks if b.key == "headline").rows) for view in pages
    )
    for told in ("epochs trained", "wall clock"):
        assert one[told] == two[told]
    assert one["epochs of retrains"] == "2"
    assert not any("of retrains" in told for told in two)


def test_searches_of_other_images_are_said_to_be_so(tmp_path):
    for name in ("one", "two"):
        make_search(tmp_path, name, trials=2)
    described = tmp_path / "two" / "search.json"
    described.write_text(described.read_text().replace('"fingerprint": "0123"', '"fingerprint": "4567"'))
    text = as_file(page_of([View(read_search(tmp_path, name)) for name in ("one", "two")]))
    assert "These searches have different images" in text


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (1, "1 further evaluation was interrupted or repeated, and is counted too."),
        (2, "2 further evaluations were interrupted or repeated, and are counted too."),
    ],
)
def test_passes_over_the_test_set_that_no_retrain_needed_are_named(tmp_path, more, told):
    made = make_search(tmp_path, trials=2, retrains=[(0, 1)])
    with Ledger(made.ledger) as book:
        for _ in range(more):
            book.append(events.Testing(trial=0, repeat=1))
    (said, *_) = provenance.section(View(read_search(tmp_path, "made"))).blocks[0].lines
    assert said == f"{1 + more} test-set evaluations for 1 retrained network. {told}"


@pytest.mark.parametrize(
    ("lows", "told"),
    [
        ((0.5, 0.45), "The two intervals overlap, so the difference may be chance."),
        ((0.5, 0.3), "The highest interval stands apart from the others."),
        ((0.5, 0.45, 0.3), "1 of the 2 other intervals overlaps the highest one, so such a difference may be chance."),
        ((0.5, 0.45, 0.45), "2 of the 2 other intervals overlap the highest one, so such a difference may be chance."),
    ],
)
def test_winners_whose_intervals_overlap_are_counted(lows, told):
    rows = [{"test_accuracy": low + 0.05, "test_low": low, "test_high": low + 0.1} for low in lows]
    assert told_apart(rows) == told
