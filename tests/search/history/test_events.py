"""A line whose checksum is right may still say what no search writes: then it is refused with its number."""

import pytest

from search.history.events import EventError, checked

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


def test_what_a_search_writes_goes_through() -> None:
    written = [
        event("opened", 0, samples=None, slots=2),
        event("asked", 1, **ASKED),
        event("started", 2, **WHO, attempt=1, images=0),
        event("measured", 3, **MEASURED),
        event("ended", 4, **WHO, attempt=1, state="interrupted", reason="x", micro_batch=16),
        event("tested", 5, **WHO, correct=3, images=5),
        event("cut", 6, lines=2, tested=0),
        event("closed", 7, reason="finished"),
    ]
    assert list(checked(written)) == written


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        ("levitated", {}, "no event 'levitated'"),
        ("opened", {}, "'slots' is missing"),
        ("opened", {"slots": "many"}, "slots is 'many'"),
        ("asked", ASKED | {"trial": "../../x"}, "trial is"),
        ("asked", ASKED | {"config": 5}, "not subscriptable"),
        ("asked", ASKED | {"config": CONFIG | {"optimizer": {"name": "sgd", "lr": "0.1"}}}, "config is"),
        ("asked", ASKED | {"seed": -1}, "seed is -1"),
        ("measured", MEASURED | {"trial": 9}, "run 9-0 was never asked for"),
        ("measured", MEASURED | {"checkpoint": "../../secret.txt"}, "checkpoint is"),
        ("measured", MEASURED | {"epoch": True}, "epoch is True"),
        ("measured", MEASURED | {"state": "levitating"}, "state is"),
        ("closed", {"reason": "finished"}, "no session was opened"),
        ("opened", {"slots": 1, "time": "noon"}, "time is"),
        ("measured", MEASURED | {"val_accuracy": 1.5}, "val_accuracy is"),
        ("measured", MEASURED | {"val_accuracy": None}, "val_accuracy is missing"),
        ("closed", {"reason": ["x"]}, "reason is"),
    ],
)
def test_what_no_search_writes_is_refused_with_its_line(kind: str, fields: dict, message: str) -> None:
    with pytest.raises(EventError, match=r"ledger\.jsonl, line 2: .*" + message) as caught:
        list(checked([event("asked", 0, **ASKED), event(kind, 1, **fields)]))
    assert "\n" not in str(caught.value)
