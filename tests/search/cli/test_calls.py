"""The verbs that train, from Python: the command's words, and its tables in return."""

import shlex
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import search
from architectures.errors import HpsearchError
from search.history.request import Request
from search.studies import STUDIES
from search.studies.study import Part, Study, arm

SMALL = {
    "space": "cnn5",
    "dataset": "digits",
    "samples": 2,
    "epochs": 1,
    "limit_train": 60,
    "augment": "none",
    "scheduler": "none",
    "engine": "inline",
}


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setenv("HPSEARCH_DATA", str(tmp_path / "data"))
    return {**SMALL, "results": tmp_path / "results"}


def test_a_search_is_launched_resumed_and_retrained_with_the_words_of_the_command(words):
    found = search.launch(**words, name="one", precision="float32", seed=3)
    assert list(found.trials.state) == ["done", "done"]
    assert (found.search.name, found.search.request.seed, found.search.request.precision) == ("one", 3, "float32")
    results = words["results"]
    assert len(search.resume("one", samples=3, results=results).trials) == 3
    again = search.retrain("one", top=1, epochs=1, flips=True, with_validation=False, results=results)
    assert again.retrains.test_accuracy.notna().all()
    assert again.retrains.flips.all()


def test_a_search_trains_in_a_thread_which_hears_no_signals(words):
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(search.launch, **words, name="one").result()
        assert list(found.trials.state) == ["done", "done"]
        assert found.record.sessions[-1].reason == "finished"
        again = threads.submit(search.retrain, "one", top=1, epochs=1, results=words["results"]).result()
    assert again.retrains.test_accuracy.notna().all()


def test_a_space_of_ones_own_is_found_in_the_working_folder(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    code = "from search.spaces import find_space\nspace = find_space('cnn5').function\n"
    (tmp_path / "space_of_one.py").write_text(code)
    found = search.launch(**words | {"space": "space_of_one:space"})
    assert list(found.trials.state) == ["done", "done"]


def test_what_is_left_out_is_as_on_the_command_line(words):
    request = search.launch(**words).search.request
    assert (request.validation, request.sampler) == (Request.validation, Request.sampler)


def test_a_quiet_search_says_its_table_and_nothing_else(words, capsys):
    search.launch(**words, name="one", quiet=True)
    out, err = capsys.readouterr()
    assert (out.splitlines()[0].partition(":")[0], err) == ("one", "")
    assert "next:" not in out
    search.retrain("one", top=1, epochs=1, results=words["results"], quiet=True)
    out, err = capsys.readouterr()
    assert (out.splitlines()[0].partition(" on ")[0], err) == ("one: winners", "")


def test_what_goes_wrong_has_a_traceback_where_somebody_debugs(words, capsys):
    for debug in (False, True):
        with pytest.raises(HpsearchError, match="a dataset is one of"):
            search.launch(**words | {"dataset": "nowhere"}, debug=debug)
        assert ("Traceback" in capsys.readouterr().err) == debug


def test_the_results_folder_of_the_variable_is_searched_too(words, monkeypatch):
    monkeypatch.setenv("HPSEARCH_RESULTS", str(words.pop("results")))
    assert len(search.launch(**words).trials) == 2


def test_an_unknown_word_names_the_known_ones_and_a_wrong_value_is_refused_as_by_the_command(words):
    with pytest.raises(TypeError, match=r"launch\(\) has no option 'sample'; it takes address, also, augment"):
        search.launch(sample=3)
    with pytest.raises(HpsearchError, match="^Invalid value for '--samples': 0 is not in the range"):
        search.launch(**{**words, "samples": 0})
    assert not words["results"].exists()


def test_an_option_that_may_be_given_again_takes_a_list():
    with pytest.raises(HpsearchError, match="'nix' is not one of 'tensorboard'"):
        search.launch(follow=["tensorboard", "nix"])


@pytest.mark.parametrize("trials", [7, [7], np.int64(7), np.array([7])], ids=repr)
def test_an_option_that_may_be_given_again_also_takes_one_value(trials):
    with pytest.raises(HpsearchError, match="--students 2 exceeds 1 winner;"):
        search.retrain(trial=trials, students=2)


@pytest.mark.parametrize("value", ["no", "yes", 0, 1])
def test_a_flag_is_true_or_false(words, value):
    with pytest.raises(TypeError, match=rf"retrain\(flips=…\) takes True or False; got {value!r}"):
        search.retrain("one", flips=value, results=words["results"])


def test_a_ctrl_c_outside_the_session_is_a_keyboard_interrupt(words, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("search.run.launch.launch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search.launch(**words)


def test_an_interrupted_search_is_returned_and_says_how_to_continue(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [""])  # as in an interpreter
    found = search.launch(**{**words, "samples": 40}, name="one", max_time=0.001)
    assert found.search.name == "one" and len(found.trials) < 40
    command = shlex.split(capsys.readouterr().err.rpartition("Continue with: ")[2])
    assert command[:3] == ["hpsearch", "resume", "one"]
    search.resume("one", results=words["results"])
    search.retrain("one", top=1, epochs=40, max_time=0.001, results=words["results"])
    command = shlex.split(capsys.readouterr().err.rpartition("Continue with: ")[2])
    assert command[:6] == ["hpsearch", "retrain", "one", "--top", "1", "--epochs"]


def test_a_study_of_several_parts_returns_the_last_one(words, monkeypatch):
    arms = {"one": arm("cnn5"), "two": arm("cnn5", "sgd", 0.01)}
    parts = (Part(dataset="digits"), Part(dataset="digits"))
    monkeypatch.setitem(STUDIES, "two", Study(name="two", question="Which?", parts=parts, arms=arms, epochs=1))
    asked = {"study": "two", "name": "mine", "repeats": 1, "limit_train": 60, "results": words["results"]}
    assert search.launch(**asked, engine="inline").search.name == "mine-digits-2"


@pytest.mark.parametrize("word", [{"dry_run": True}, {"submit": "http://127.0.0.1:1"}])
def test_what_leaves_no_search_here_is_refused(words, word):
    with pytest.raises(TypeError, match="leaves no search here to return"):
        search.launch(**words, **word)


def test_the_home_folder_is_known_by_its_sign_also_to_python(words, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HPSEARCH_RESULTS", "~/mine")
    words.pop("results")
    assert search.launch(**words, name="one").search.folder == tmp_path / "mine" / "one"
    assert search.load().search.name == search.load(results="~/mine").search.name == "one"
