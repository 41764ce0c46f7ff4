"""What a study found, of real runs on digits: means, paired differences, and what is said of published figures."""

import math
import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from search.history import store
from search.history.events import Tested
from search.history.ledger import Ledger, read
from search.history.load import read_search
from search.history.request import Request
from search.history.store import retrain_folder
from search.page.drawing import draw
from search.page.page import as_file, page_of
from search.page.sections.study import grid_of
from search.page.view import View
from search.run.launch import launch, resume
from search.run.session import Options
from search.show.answers import print_answer
from search.studies import StudyError
from search.studies.answer import against_published, answer, corrected, difference, directions, ranking
from search.studies.preset import presets
from search.studies.study import Part, Published, Study, arm
from trainables.predictions import read_predictions

INLINE = Options(engine="inline")
TRAINING = {"batch_size": 16}
ARMS = {
    "slow": arm("cnn5", "sgd", 1e-4, training=TRAINING, width=0.125),
    "quick": arm("cnn5", "sgd", 0.05, arguments={"momentum": 0.9}, training=TRAINING, width=0.125),
    "same as slow": arm("cnn5", "sgd", 1e-4, training=TRAINING, width=0.125),
}
STUDY = Study(
    name="rates",
    question="Which rate?",
    source="a report",
    parts=(Part(dataset="digits"),),
    arms=ARMS,
    epochs=3,
    repeats=3,
    published=(Published(arm="slow", value=0.2), Published(arm="quick", value=0.9, std=0.01)),
)


def begin(study, folder, **words):
    (preset,) = presets(study, {}, repeats=None, quick=False)
    request = Request(**{**preset.words, "data_dir": str(folder / "data"), "limit_train": 160, **words})
    outcome = launch(request, INLINE, results=folder, name="rates", listed=preset.listed, study=dict(preset.facts))
    return outcome


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    assert begin(STUDY, folder).reason == "finished"
    return folder


def test_arms_share_the_seeds_of_their_repeats_so_equal_arms_train_alike(finished):
    record = read_search(finished, "rates").record
    seeds = [[run.asked.seed for run in record.trials if run.key[0] // 3 == repeat] for repeat in range(3)]
    assert all(len(set(shared)) == 1 for shared in seeds)
    assert len({shared[0] for shared in seeds}) == 3
    for repeat in range(3):
        slow, same = (record.runs[3 * repeat + place, 0] for place in (0, 2))
        assert [m.val_loss for m in slow.measurements] == [m.val_loss for m in same.measurements]


def test_every_run_is_tested_once_as_retrains_are(finished):
    found = read_search(finished, "rates")
    assert found.record.test_passes == 9
    for run in found.record.trials:
        labels, probabilities, _ = read_predictions(retrain_folder(found.search.folder, run))
        assert run.test.correct == (probabilities.argmax(1) == labels).sum()
    assert not list((found.search.folder / "checkpoints").iterdir()), "a network is kept once"


def test_means_deviations_and_paired_differences_are_those_of_the_runs(finished):
    found = read_search(finished, "rates")
    tests = {run.key[0]: run.test.correct / run.test.images for run in found.record.trials}
    slow, quick = (np.array([tests[3 * repeat + place] for repeat in range(3)]) for place in (0, 1))
    first, second, third = answer(found).rows
    assert first["difference"] is None
    assert math.isclose(second["test_accuracy"], quick.mean())
    assert math.isclose(second["std"], quick.std(ddof=1))
    low, high = stats.t.interval(0.95, 2, quick.mean(), stats.sem(quick))
    assert np.allclose((second["low"], second["high"]), (low, high))
    low, high = stats.t.interval(0.95, 2, (quick - slow).mean(), stats.sem(quick - slow))
    assert np.allclose((second["difference_low"], second["difference_high"]), (low, high))
    assert second["p"] is None, "three repeats are too few for a test"
    assert third["difference"] == 0
    last = [found.record.runs[3 * repeat + 1, 0].measurements[-1] for repeat in range(3)]
    assert math.isclose(second["gap"], np.mean([m.train_accuracy - m.val_accuracy for m in last]))


def test_the_answer_is_shown_with_its_caveats(finished, capsys):
    print_answer(answer(read_search(finished, "rates")))
    shown = capsys.readouterr().out
    assert "Which rate? (a report)" in shown
    assert "Differences to slow, compared with those of a report: 1 in the same direction (quick)." in shown
    assert "slow: published 20.0%, " in shown and "in which 95 % of further runs are expected." in shown
    assert "Intervals are over repeats with other seeds, on the same split and test images." in shown


def test_a_killed_study_is_resumed_to_the_same_answer(finished, tmp_path):
    whole = read(finished / "rates" / "ledger.jsonl")
    tested = [place for place, line in enumerate(whole) if line["event"] == "tested"]
    for kept in (len(whole) // 2, tested[3]):
        folder = tmp_path / str(kept)
        shutil.copytree(finished / "rates", folder / "rates")
        lines = (finished / "rates" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
        (folder / "rates" / "ledger.jsonl").write_bytes(b"".join(lines[:kept]))
        assert resume(store.find(folder, "rates"), INLINE, samples=None).reason == "finished"
        ours, theirs = (answer(read_search(place, "rates")).rows for place in (folder, finished))
        assert [row | {"seconds": 0} for row in ours] == [row | {"seconds": 0} for row in theirs]


def test_an_unfinished_study_says_which_arms_have_fewer_repeats(finished, tmp_path):
    shutil.copytree(finished / "rates", tmp_path / "rates")
    path = tmp_path / "rates" / "ledger.jsonl"
    lines, whole = path.read_bytes().splitlines(keepends=True), read(path)
    kept = [place for place, line in enumerate(whole) if line["event"] == "tested"][3]
    path.write_bytes(b"".join(lines[: kept + 1]))
    found = answer(read_search(tmp_path, "rates"))
    assert [row["runs"] for row in found.rows] == [2, 1, 1]
    assert any(line.startswith("Arms have unequal repeats, of 3: slow 2, quick 1") for line in found.lines)
    with Ledger(path):
        pass
    path.write_bytes(b"".join(lines[:6]))
    with pytest.raises(StudyError, match=r"rates has no run that has ended well \(.*\); see hpsearch status"):
        answer(read_search(tmp_path, "rates"))


def test_one_repeat_has_no_deviation_and_says_so(tmp_path):
    few = replace(STUDY, repeats=1, arms={name: ARMS[name] for name in ("slow", "quick")}, published=(), source="")
    assert begin(few, tmp_path, epochs=1).reason == "finished"
    found = answer(read_search(tmp_path, "rates"))
    assert [row["std"] for row in found.rows] == [None, None]
    assert "One repeat has no deviation and no interval: launch it with --repeats 3 or more." in found.lines
    page = page_of([View(read_search(tmp_path, "rates"))])
    figure = next(figure for figure in page.figures if figure.key == "arms-compared")
    assert {(row["low"], row["high"]) for row in figure.table.rows} == {(None, None)}
    matplotlib = pytest.importorskip("matplotlib.figure")
    draw(matplotlib.Figure().subplots(), figure)


def test_a_search_that_asks_nothing_has_no_answer(finished, tmp_path):
    shutil.copytree(finished / "rates", tmp_path / "plain")
    path = tmp_path / "plain" / "search.json"
    path.write_text(path.read_text().replace('"study"', '"other"'))
    with pytest.raises(StudyError, match=r"plain is not a study, so there is no question to answer"):
        answer(read_search(tmp_path, "plain"))


def row(arm, published=None, difference=None, half=0.01, pairs=5, **more):
    ends = {"difference_low": difference - half, "difference_high": difference + half} if difference is not None else {}
    none = {"difference_low": None, "difference_high": None, "figures": []}
    return {"arm": arm, "published": published, "difference": difference, "pairs": pairs} | none | ends | more


def test_a_published_direction_is_met_missed_or_cannot_be_told():
    rows = [row("a", 0.6, 0.05), row("b", 0.6, -0.05), row("c", 0.6, 0.005), row("d", 0.4, -0.05)]
    assert directions(row("first", 0.5), rows, "report 9") == (
        "Differences to first, compared with those of report 9 (95 % intervals for all 4 together): "
        "2 in the same direction (a, d); 1 in the opposite direction (b); 1 uncertain (c)."
    )


def test_many_differences_need_wider_intervals():
    near = row("near", 0.6, 0.011)
    assert "compared with the published ones: 1 in the same direction (near)" in directions(
        row("first", 0.5), [near], ""
    )
    others = [row(f"arm {n}", 0.6, 0.05) for n in range(9)]
    assert "1 uncertain (near)" in directions(row("first", 0.5), [near, *others], "")


def test_a_ranking_of_many_figures_is_compared_as_a_whole():
    published = np.linspace(0.1, 0.9, 10)
    assert ranking(published, published).startswith("Rank correlation of 10 published figures with ours: 1.00")
    shuffled = [0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.8, 0.4, 0.6, 0.05]
    expected = stats.spearmanr(published, shuffled).statistic
    assert f"ours: {expected:.2f} (95 % -" in ranking(published, shuffled)
    assert ranking(published, [0.5] * 10) is None


def test_levels_are_compared_only_as_published_with_what_further_runs_would_give():
    ours = [0.58, 0.60, 0.62]
    one = row("a", 0.66, runs=3, test_accuracy=0.6, std=float(np.std(ours, ddof=1)), published_std=None)
    facts = {"measure": "test_accuracy", "source": "report 9", "changed": ["--quick"], "published": [{}], "arms": ["a"]}
    assert against_published(facts, [one]) == []
    half = stats.t.ppf(0.975, 2) * 0.02 * math.sqrt(1 + 1 / 3)
    assert against_published(facts | {"changed": []}, [one]) == [
        f"a: published 66.0%, within the {0.6 - half:.1%} to {0.6 + half:.1%} in which 95 % of further runs are "
        "expected."
    ]
    assert "outside" in against_published(facts | {"changed": []}, [one | {"published": 0.75}])[0]


def test_differences_that_are_all_the_same_have_no_interval():
    first = dict(enumerate(n / 360 for n in (300, 310, 290, 305, 288)))
    found = difference(first, {repeat: value + 7 / 360 for repeat, value in first.items()})
    assert math.isclose(found["difference"], 7 / 360)
    assert (found["difference_low"], found["difference_high"], found["p"]) == (None, None, None)


def test_an_interval_of_an_accuracy_lies_within_0_and_1(finished, tmp_path):
    shutil.copytree(finished / "rates", tmp_path / "rates")
    with Ledger(tmp_path / "rates" / "ledger.jsonl") as book:
        for tested in [each for each in book.events if isinstance(each, Tested)]:
            book.append(replace(tested, correct=tested.images if tested.trial // 3 else 0))
    rows = answer(read_search(tmp_path, "rates")).rows
    assert {(each["low"], each["high"]) for each in rows} == {(0.0, 1.0)}


def test_repeats_that_are_all_the_same_have_no_interval_and_no_published_level_to_meet(finished, tmp_path):
    shutil.copytree(finished / "rates", tmp_path / "rates")
    with Ledger(tmp_path / "rates" / "ledger.jsonl") as book:
        for tested in [each for each in book.events if isinstance(each, Tested)]:
            book.append(replace(tested, correct=300 if tested.trial % 3 == 1 else 200))
    found = answer(read_search(tmp_path, "rates"))
    assert [(row["low"], row["high"]) for row in found.rows] == [(None, None)] * 3
    assert not any("further runs are expected" in line for line in found.lines)
    assert "Differences to slow, compared with those of a report: 1 uncertain (quick)." in found.lines
    page = page_of([View(read_search(tmp_path, "rates"))])
    figure = next(each for each in page.figures if each.key == "arms-compared")
    assert {(row["low"], row["high"]) for row in figure.table.rows} == {(None, None)}


def test_a_difference_that_does_not_vary_is_uncertain_and_counts():
    constant = row("constant", 0.6, 0.05) | {"difference_low": None, "difference_high": None}
    facts = {"measure": "test_accuracy", "source": "", "changed": ["--quick"], "published": [{}], "arms": ["a"]}
    rows = [row("first", 0.5, runs=5), row("near", 0.6, 0.011, runs=5), constant | {"runs": 5}]
    assert against_published(facts, rows) == [
        "Differences to first, compared with the published ones (95 % intervals for all 2 together): "
        "2 uncertain (near, constant)."
    ]
    assert "1 in the same direction (near)" in against_published(facts, rows[:2])[0]
    alone = [rows[0], constant | {"runs": 1, "pairs": 1}]
    assert against_published(facts, alone) == [], "single runs say nothing of directions"


def test_tests_are_corrected_for_how_many_there_are():
    rows = [{"p": p} for p in (0.01, 0.04, 0.03, None)]
    corrected(rows)
    assert [each["p"] for each in rows] == [0.03, 0.06, 0.06, None]


def test_the_page_shows_the_answer_in_place_of_winners(finished):
    found = read_search(finished, "rates")
    page = page_of([View(found)])
    assert [section.key for section in page.sections] == ["asked", "trust", "goes", "mattered", "close"]
    figure = next(figure for figure in page.figures if figure.key == "arms-compared")
    ours = {row["arm"]: row["value"] for row in figure.table.rows if row["source"] == "ours"}
    assert ours == {row["arm"]: row["test_accuracy"] for row in answer(found).rows}
    published = [row for row in figure.table.rows if row["source"] == "published"]
    assert [(row["value"], row["low"], row["high"]) for row in published] == [(0.2, None, None), (0.9, None, None)]
    assert "Which rate?" in as_file(page)


def test_the_page_of_a_study_is_made_without_the_lost_predictions_of_an_arm_and_says_so(finished, tmp_path):
    shutil.copytree(finished / "rates", tmp_path / "rates")
    (tmp_path / "rates" / "retrain" / "0-0" / "predictions.parquet").unlink()
    page = page_of([View(read_search(tmp_path, "rates"))])
    (line,) = next(block for block in page.sections[0].blocks if block.key == "lost").lines
    assert "0-0/predictions.parquet is gone; restore it" in line
    assert "winner-0-0" not in {block.key for block in page.drawn}


def test_arms_that_are_a_grid_are_drawn_as_one(finished):
    found = answer(read_search(finished, "rates"))
    names = ("relu+adam", "relu+sgd", "elu+adam")
    rows = [row | {"arm": name} for row, name in zip(found.rows, names, strict=True)]
    grid = grid_of(replace(found, rows=rows))
    assert (grid.x.order, grid.y.order) == (("adam", "sgd"), ("relu", "elu"))
    assert [cell["value"] for cell in grid.table.rows] == [row["test_accuracy"] for row in rows]
    assert grid_of(found) is None
