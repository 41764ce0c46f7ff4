"""Searches that begin with configurations of the user's and with an earlier search, launched and resumed."""

import json
import shutil
from pathlib import Path

import pytest

from search.history import store
from search.history.events import parse
from search.history.ledger import read
from search.history.record import Record
from search.history.store import Request
from search.run.launch import launch, resume
from search.run.session import Options
from search.samplers.make import make_sampler
from search.spaces import find_space

OPTIONS = Options(engine="inline")


def record(search: store.Search) -> Record:
    return Record(parse(read(search.ledger)))


@pytest.mark.slow
def test_a_search_tries_what_is_first_and_begins_with_an_earlier_one_also_when_that_is_gone(tmp_path: Path) -> None:
    def asked(**more: object) -> Request:
        same = {"space": "cnn5", "epochs": 1, "dataset": "digits", "data_dir": str(tmp_path), "limit_train": 100}
        return Request(**{**same, "augment": "none", "scheduler": "none", **more})  # type: ignore[arg-type]

    earlier = launch(asked(samples=9), OPTIONS, results=tmp_path, name="earlier").search
    wanted = {"network": {"name": "cnn5", "width": 0.25}, "optimizer": {"name": "sgd", "lr": 0.05}}
    (tmp_path / "mine.jsonl").write_text(json.dumps(wanted))
    begins = {"first": str(tmp_path / "mine.jsonl"), "warm_start": str(earlier.folder)}
    search = launch(asked(samples=3, sampler="gp", **begins), OPTIONS, results=tmp_path, name="later").search

    assert search.request.hears == "everything"
    assert search.facts["prior"] == {"search": "earlier", "trials": 9}
    assert len((search.folder / "prior.jsonl").read_text().splitlines()) == 9
    first, guided, at_random = record(search).trials
    assert first.config["network"]["width"] == 0.25 and first.config["optimizer"]["lr"] == 0.05
    trained = [run.asked.params for run in record(earlier).trials]
    random = make_sampler(find_space("cnn5"), "random", 0, lambda config: None)
    assert guided.asked.params != random.draw(1).params, "nine earlier trials are enough to learn from"
    assert trained[2] == random.draw(2).params != at_random.asked.params, "that one is not trained again"

    shutil.rmtree(earlier.folder)
    (tmp_path / "mine.jsonl").unlink()
    resume(store.find(tmp_path, "later"), OPTIONS, samples=5)
    assert [run.state for run in record(search).trials] == ["done"] * 5
    assert not [run for run in record(search).trials if run.asked.params in trained]
