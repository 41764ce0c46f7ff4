"""A line whose checksum is right may still say what no search writes: then it is refused with its number."""

from dataclasses import fields, is_dataclass

import pytest

from search.history import events
from search.history.events import Decision, EventError, Measured, State, parse
from search.history.ledger import entry_of

CONFIG = {
    "network": {"name": "cnn5", "width": 0.5},
    "optimizer": {"name": "sgd", "lr": 0.1},
    "training": {"batch_size": 32, "epochs": 4, "augment": None},
}
WHO = {"trial": 0, "repeat": 0}
ASKED = {
    **WHO,
    "config": CONFIG,
    "params": {},
    "distributions": {},
    "redrawn": 0,
    "parameters": 1,
    "flops": 1,
    "seed": 1,
}
MEASURED = {
    **WHO,
    **{"attempt": 1, "images": 240, "epoch": 1.0, "val_accuracy": 0.5, "seconds": None, "checkpoint": "0-0-1-240.pt"},
    **{"state": "running", "reason": None, "decision": "continue"},
}


def event(kind: str, seq: int, **fields: object) -> dict:
    return {"v": 1, "seq": seq, "time": 1.0, "event": kind, **fields}


WRITTEN = [
    event("opened", 0, slots=2),
    event("asked", 1, **ASKED),
    event("started", 2, **WHO, attempt=1, images=0),
    event("measured", 3, **MEASURED),
    event("ended", 4, **WHO, attempt=1, state="interrupted", reason="x", micro_batch=16),
    event("granted", 5, **WHO),
    event("testing", 6, **WHO),
    event("tested", 7, **WHO, correct=3, images=5),
    event("cut", 8, lines=2, tested=0),
    event("asked", 9, **ASKED | {"repeat": 1, "fold": 2, "folds": 3}),
    event("chosen", 10, trials=[3], finalists=[3, 0], repeats=[1, 2, 1, 2], images=60, weights={"3": 1.0}),
    event("asked", 11, **ASKED | {"repeat": 2, "teachers": [[0, 0], [0, 1]]}),
    event("closed", 12, reason="finished"),
    event("looked", 13, images=9, why="examples"),
]


def test_what_a_search_writes_goes_through_and_comes_back_as_it_was() -> None:
    assert [entry_of(each) for each in parse(WRITTEN)] == WRITTEN


def test_every_kind_of_event_is_among_what_a_search_writes() -> None:
    assert {each["event"] for each in WRITTEN} == set(events.KINDS)
    assert [type(each) for each in parse(WRITTEN)] == [events.KINDS[each["event"]] for each in WRITTEN]


def test_a_field_that_may_be_missing_may_be_null() -> None:
    (opened,) = parse([event("opened", 0, samples=None, slots=2)])
    assert (opened, opened.samples) == (next(parse([event("opened", 0, slots=2)])), None)


def test_a_state_and_a_decision_are_no_mere_words() -> None:
    *_, found = parse([event("asked", 0, **ASKED), event("measured", 1, **MEASURED)])
    assert isinstance(found, Measured)
    assert (found.state, found.decision) == (State.RUNNING, Decision.CONTINUE)
    assert isinstance(found.state, State) and isinstance(found.decision, Decision)


def test_every_kind_is_frozen_and_has_a_word_of_its_own() -> None:
    assert all(is_dataclass(kind) and kind.__dataclass_params__.frozen for kind in events.KINDS.values())
    assert all(kind.kind == word for word, kind in events.KINDS.items())
    assert all({"seq", "time"} <= {each.name for each in fields(kind)} for kind in events.KINDS.values())


def test_a_field_that_no_kind_names_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="nested"):
        Measured(**MEASURED, nested={})


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("levitated", {}, "no event 'levitated'"),
        ("opened", {}, "'slots' is missing"),
        ("opened", {"slots": "many"}, "slots is 'many'"),
        ("asked", ASKED | {"trial": "../../x"}, "trial is"),
        ("asked", ASKED | {"config": 5}, "config is wrong: .* must be an object, got int"),
        ("asked", ASKED | {"config": CONFIG | {"optimizer": {"name": "sgd", "lr": "0.1"}}}, "config is"),
        ("asked", ASKED | {"seed": -1}, "seed is -1"),
        ("measured", MEASURED | {"trial": 9}, "run 9-0 was never asked for"),
        ("granted", {"trial": 9, "repeat": 0}, "run 9-0 was never asked for"),
        ("measured", MEASURED | {"checkpoint": "../../secret.txt"}, "checkpoint is"),
        ("measured", MEASURED | {"epoch": True}, "epoch is True"),
        ("measured", MEASURED | {"state": "levitating"}, "state is"),
        ("measured", MEASURED | {"decision": "levitate"}, "decision is"),
        ("closed", {"reason": "finished"}, "no session was opened"),
        ("opened", {"slots": 1, "time": "noon"}, "time is"),
        ("measured", MEASURED | {"val_accuracy": 1.5}, "val_accuracy is"),
        ("measured", MEASURED | {"val_accuracy": None}, "val_accuracy is missing"),
        ("measured", MEASURED | {"metric": "balanced_accuracy"}, "val_balanced_accuracy is missing"),
        ("measured", MEASURED | {"metric": "kappa"}, "metric is 'kappa'"),
        ("asked", ASKED | {"with_validation": "yes"}, "with_validation is 'yes'"),
        ("closed", {"reason": ["x"]}, "reason is"),
        ("asked", ASKED | {"fold": 1.5}, "fold is 1.5"),
        ("asked", ASKED | {"teachers": [3]}, r"teachers is \[3\]"),
        ("asked", ASKED | {"teachers": [[3]]}, r"teachers is \[\[3\]\]"),
        ("asked", ASKED | {"repeat": 1, "teachers": [[0, 0], [4, 1]]}, "its teacher 4-1 was never asked for"),
        ("chosen", {"trials": ["3"], "finalists": [3], "repeats": [1], "images": 60}, "trials is"),
        ("chosen", {"trials": [3], "finalists": [3], "repeats": [1], "images": 60, "weights": {"3": 2}}, "weights is"),
    ],
)
def test_what_no_search_writes_is_refused_with_its_line(kind: str, fields: dict, message: str) -> None:
    with pytest.raises(EventError, match=r"ledger\.jsonl, line 2: .*" + message) as caught:
        list(parse([event("asked", 0, **ASKED), event(kind, 1, **fields)]))
    assert "\n" not in str(caught.value)
