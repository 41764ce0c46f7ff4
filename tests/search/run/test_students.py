"""Retrains whose winners teach a student."""

from dataclasses import replace

import pytest

from search.history import ledger, scores, store
from search.history.card import card
from search.history.events import parse
from search.history.load import read_search
from search.history.record import Record
from search.history.winners import last_retrain, newest
from search.run.engines import inline
from search.run.launch import launch
from search.run.problem import RequestError
from search.run.retrain import retrain
from search.run.retrain_plan import Again, dry_run, prepare
from search.run.run_files import RunFiles
from search.run.session import Options
from search.use.winners import UseError, pick
from tests.search.run import searches
from trainables.files import Folder

LINES = [
    {"network": {"name": name, "width": 0.125}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {"batch_size": 32}}
    for name in ("cnn5", "cnn4")
]
HOW = Again(epochs=2, students=1)
ASKED = {"top": 2, "distinct": False}


def searched(tmp_path, name):
    """A finished search of two trials on sixty digits."""
    request = searches.listed(tmp_path, LINES, epochs=1, limit_train=60)
    launch(request, Options(engine="inline"), results=tmp_path, name=name)
    return store.find(tmp_path, name)


@pytest.fixture
def found(tmp_path):
    return searched(tmp_path, "two")


def distilled(search, how=HOW, **options):
    return retrain(search, Options(engine="inline", **options), how, **ASKED)


def weights_of(search, run):
    return (store.retrain_folder(search.folder, run) / "model.safetensors").read_bytes()


def trained(search):
    """How many measurements there are of each run."""
    record = Record(parse(ledger.read(search.ledger)))
    return {key: len(run.measurements) for key, run in record.runs.items() if key[1]}


def test_the_first_winner_is_trained_once_more_by_what_all_winners_say(found):
    outcome, (first, second, student) = distilled(found)
    assert (outcome.reason, outcome.record.test_passes) == ("finished", 3)
    assert (first.teachers, second.teachers, student.teachers) == ((), (), (first.key, second.key))
    assert student.key == (first.key[0], 2) and student.config == first.config
    assert not list((found.folder / "checkpoints").glob("*"))
    loaded = read_search(found.folder.parent, "two")
    both = f"{first.key[0]}-1, {second.key[0]}-1"
    assert sorted(loaded.retrains.teachers) == ["", "", both]
    assert scores.over_repeats(loaded.retrains).empty  # a student is no repeat of its trial's own retrain
    told = f"It was distilled from {both}: trained on their predictions for the augmented images, not on labels."
    assert told in card(loaded, student)
    assert "distilled" not in card(loaded, first)
    assert {run.key for run in last_retrain(loaded.record)[0]} == {first.key, second.key, student.key}
    assert {run.key for run in newest(loaded.record)} == {first.key, second.key}
    assert (pick(loaded, 1), pick(loaded, 1, student=True)) == tuple(
        loaded.record.runs[k] for k in (first.key, student.key)
    )
    with pytest.raises(
        UseError, match=f"two has no student of trial {second.key[0]} yet: hpsearch retrain two .* --students 2"
    ):
        pick(loaded, 2, student=True)
    members = scores.ensemble(found.folder, [first, second, student])["members"]
    assert [each["trial"] for each in members] == [first.key[0], second.key[0]]  # those who taught


def test_labels_and_teachers_make_another_network(found):
    _, (first, _, student) = distilled(found)
    assert weights_of(found, first) != weights_of(found, student)
    assert first.measurements[-1].train_loss != student.measurements[-1].train_loss


def test_what_is_trained_already_is_not_trained_again(found):
    retrain(found, Options(engine="inline"), replace(HOW, students=0), **ASKED)
    _, runs = distilled(found)
    assert list(trained(found).values()) == [2, 2, 2]
    before = ledger.read(found.ledger)
    _, again = distilled(found)
    assert [run.key for run in again] == [run.key for run in runs]
    assert ledger.read(found.ledger) == before
    _, plain = retrain(found, Options(engine="inline"), replace(HOW, students=0), **ASKED)
    assert [run.key for run in plain] == [run.key for run in runs[:2]]


def test_a_student_is_foreseen_as_untrained_although_its_winner_is_trained(found):
    retrain(found, Options(engine="inline"), replace(HOW, students=0), top=1, distinct=False)
    _, winners, students = prepare(found, Options(engine="inline"), HOW, **ASKED).lots
    assert [list(lot.left) for lot in winners] == [[], [2]]
    assert [list(lot.left) for lot in students] == [[2], [2]]


def test_an_interrupted_student_is_continued_with_its_teachers(found, tmp_path, monkeypatch):
    other = searched(tmp_path, "other")
    distilled(other)

    def stop(driver, *rest):  # after the first epoch that the student trains
        driver.listen(
            lambda event: event.kind == "started" and event.repeat == 2 and vars(driver).update(interrupted=True)
        )
        return train(driver, *rest)

    train = inline.train
    with monkeypatch.context() as patch:
        patch.setattr(inline, "train", stop)
        outcome, _ = distilled(found)
    assert outcome.reason == "interrupted"
    outcome, runs = distilled(found)
    assert (outcome.reason, runs[-1].attempt) == ("finished", 2)
    weights = [
        (store.retrain_folder(each.folder, runs[-1]) / "model.safetensors").read_bytes() for each in (found, other)
    ]
    assert weights[0] == weights[1]
    assert not list((found.folder / "checkpoints").glob("*"))


def test_one_winner_may_teach_itself_and_a_seed_of_each_repeat_is_taught(found):
    how = replace(HOW, repeats=2)
    _, runs = retrain(found, Options(engine="inline"), how, top=1, distinct=False)
    assert [run.key[1] for run in runs] == [1, 2, 3, 4]
    assert [run.teachers for run in runs] == [(), ()] + 2 * [(runs[0].key, runs[1].key)]
    assert len({run.asked.seed for run in runs}) == 4


def test_a_student_whose_teacher_was_deleted_fails_and_says_so(found, monkeypatch):
    def lend(files, run, teachers):
        for each in teachers:
            (store.retrain_folder(found.folder, each) / "model.safetensors").unlink(missing_ok=True)
        return real(files, run, teachers)

    real = RunFiles.lend
    monkeypatch.setattr(RunFiles, "lend", lend)
    _, runs = distilled(found)
    assert runs[-1].state == "failed" and "teacher-1+model.safetensors" in runs[-1].reason


def test_a_dry_run_counts_the_student_and_the_answers_of_its_teachers(found):
    title, forecast = dry_run(found, Options(), HOW, **ASKED)
    assert title == "2 winners, 1 run each, 2 epochs, on all 60 training images, then 1 student"
    assert (forecast.trials, forecast.epochs.middle) == (3, 6)
    assert [row["runs"] for row in forecast.families] == ["1 seed", "1 seed", "1 student"]
    distilled(found)
    assert dry_run(found, Options(), HOW, **ASKED) == (title, None)


def test_teachers_are_read_where_checkpoints_are_kept(found, tmp_path):
    """Workers on other machines reach that place, and not the search's folder."""
    _, (first, second, student) = distilled(found)
    files = RunFiles(found.folder, checkpoints=Folder(str(tmp_path / "shared")))
    names = files.lend(student, [first, second])
    assert [name.rpartition("-teacher-")[2] for name in names] == ["1", "2"]
    parts = ("config.json", "model.safetensors")
    assert files.checkpoints.names() == sorted(f"{name}+{part}" for name in names for part in parts)
    files.release(student)
    assert files.checkpoints.names() == []


def test_as_many_winners_as_asked_for_have_a_student(found):
    how = replace(HOW, students=2)
    title, forecast = dry_run(found, Options(), how, **ASKED)
    assert title.endswith("then 2 students") and (forecast.trials, forecast.epochs.middle) == (4, 8)
    _, runs = distilled(found, how)
    (first, second), students = runs[:2], runs[2:]
    assert [run.key for run in students] == [(first.key[0], 2), (second.key[0], 2)]
    assert {run.teachers for run in students} == {(first.key, second.key)}
    assert dry_run(found, Options(), how, **ASKED) == (title, None)
    assert dry_run(found, Options(), HOW, **ASKED)[1] is None


def test_wide_winners_may_teach_a_narrow_student(found):
    how = replace(HOW, width=2, student_width=1)
    title, forecast = dry_run(found, Options(), how, **ASKED)
    (first, second, student) = distilled(found, how)[1]
    assert (first.config["network"]["width"], student.config["network"]["width"]) == (0.25, 0.125)
    assert student.asked.parameters < first.asked.parameters
    assert [row["parameters"] for row in forecast.families] == [
        each.asked.parameters for each in (first, second, student)
    ]
    assert dry_run(found, Options(), how, **ASKED) == (title, None)
    loaded = read_search(found.folder.parent, "two")
    assert {run.key for run in last_retrain(loaded.record)[0]} == {first.key, second.key, student.key}
    with pytest.raises(RequestError, match="leaves none of 32 channels"):
        distilled(found, replace(how, student_width=0.001))
