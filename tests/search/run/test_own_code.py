"""A user's own space and networks are those that a search began with, or one line says which file has changed."""

import re
import sys

import pytest

import search
from search.history import store
from search.history.store import Request
from search.run import own_code
from search.run.launch import launch, resume
from search.run.own_code import CodeError
from search.run.retrain import Again, retrain
from search.run.session import Options
from search.show.status import print_status, status

INLINE = Options(engine="inline")
SPACE = """
from search.spaces import config_of
from rates_of_mine import RATES

def space(trial):
    trial.suggest_categorical("network", ("networks_of_mine:linear",))
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_categorical("sgd/lr", RATES)
    trial.suggest_categorical("batch_size", (32,))
    return config_of(trial.params)
"""
NETWORK = """
from torch import nn

def linear(input_shape, num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], num_classes))
"""
FILES = {"space_of_mine": SPACE, "networks_of_mine": NETWORK, "rates_of_mine": "RATES = (0.1, 0.01)\n"}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with a user's modules, one of which imports another, and one that no search needs."""
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "script_of_mine.py").touch()
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    yield tmp_path
    for name in FILES:
        sys.modules.pop(name, None)


@pytest.fixture
def begun(home):
    """A search of both configurations of the space, of which eight were asked for."""
    request = Request(
        space="space_of_mine:space", samples=8, epochs=1, dataset="digits", limit_train=100, augment="none",
        data_dir=str(home / "data"),
    )  # fmt: skip
    outcome = launch(request, INLINE, results=home, name="one")
    assert outcome.reason == "finished"
    return home


def found(home):
    return store.find(home, "one")


def test_a_launch_records_the_modules_that_a_space_and_its_networks_consist_of(begun):
    code = found(begun).facts["code"]
    assert set(code) == set(FILES)
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in code.values())
    assert own_code.digests(["cnn5", "cnn_all", "list.jsonl"]) == {}


@pytest.mark.parametrize("name", FILES)
def test_a_resume_with_an_edited_module_is_refused_with_the_file_unless_asked_for(begun, name):
    file = begun / f"{name}.py"
    file.write_text(FILES[name] + "# edited\n")
    with pytest.raises(CodeError) as raised:
        resume(found(begun), INLINE, samples=9)
    line = str(raised.value)
    assert line.startswith(f"{file}, part of this search's code, has changed since one began: ")
    assert "--changed-code" in line and "\n" not in line
    assert resume(found(begun), INLINE, samples=9, changed_code=True).reason == "finished"
    assert found(begun).facts["changed_code"] == [name]
    assert resume(found(begun), INLINE, samples=10).reason == "finished", "what was accepted is not asked again"


def test_an_edited_network_is_not_retrained_unless_asked_for_and_status_says_so(begun, capsys):
    (begun / "space_of_mine.py").write_text("raise SystemExit('no retrain needs the space')\n")
    (begun / "networks_of_mine.py").write_text(NETWORK + "# edited\n")
    how = {"top": 1, "distinct": False}
    for name in FILES:
        sys.modules.pop(name, None)  # as in another process
    with pytest.raises(CodeError, match="networks_of_mine.py, part of this search's code, has changed since one began"):
        retrain(found(begun), INLINE, Again(epochs=1), **how)
    retrain(found(begun), INLINE, Again(epochs=1), **how, changed_code=True)
    capsys.readouterr()
    print_status(status(search.load("one", results=str(begun))))
    assert "code       changed since the launch: networks_of_mine (--changed-code)\n" in capsys.readouterr().out


def test_a_search_that_did_not_record_its_code_goes_on(begun):
    store.record(found(begun), code={})
    (begun / "rates_of_mine.py").write_text("RATES = (0.1,)\n")
    assert resume(found(begun), INLINE, samples=9).reason == "finished"


def test_a_search_ends_when_its_space_is_exhausted_and_says_so(begun, capsys):
    record = search.load("one", results=str(begun)).record
    assert sorted(run.config["optimizer"]["lr"] for run in record.trials) == [0.01, 0.1]
    assert [session.reason for session in record.sessions] == ["finished"]
    capsys.readouterr()
    print_status(status(search.load("one", results=str(begun))))
    out = capsys.readouterr().out
    assert "of 2 in all\n" in out and "space      has only 2 configurations; 8 trials were asked for\n" in out
    outcome = resume(found(begun), INLINE, samples=20)
    assert outcome.reason == "finished" and len(outcome.record.trials) == 2
    assert "the space has only 2 configurations, so 2 trials instead of 20" in capsys.readouterr().err
