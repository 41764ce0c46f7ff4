"""What an event may say. A line's checksum shows what has changed since it was written, not what never was one."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from architectures.errors import HpsearchError
from search.history.record import FINAL, is_family
from trainables.optimizers import ARGUMENTS

#: Where a configuration's values are numbers and where they are words, in the tables as in the events.
FLOATS = (
    "lr",
    "weight_decay",
    *ARGUMENTS,
    "label_smoothing",
    "width",
    "conv_dropout",
    "head_dropout",
)
TEXTS = ("activation", "pool", "norm", "head_widths", "schedule", "augment")
STATES = ("waiting", "running", "interrupted", *FINAL)
_MOST = 2**63 - 1


class EventError(HpsearchError):
    """A line of a ledger that no search has written: one line with its number."""


def checked(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events in order; raises EventError at the first that no search writes."""
    asked: set[tuple[int, int]] = set()
    opened = False
    for event in events:
        _check(event, asked, opened)
        opened = opened or event["event"] == "opened"
        if event["event"] == "asked":
            asked.add((event["trial"], event["repeat"]))
        yield event


def _check(event: dict[str, Any], asked: set[tuple[int, int]], opened: bool) -> None:
    try:
        kind = event["event"]
        if not _number(event["time"]):
            raise ValueError(f"time is {event['time']!r:.60}")
        if kind not in _FIELDS:
            raise ValueError(f"there is no event {kind!r}")
        for name, fits in _FIELDS[kind].items():
            if not fits(event[name]):
                raise ValueError(f"{name} is {event[name]!r:.60}")
        for name in event.keys() & _OPTIONAL.keys():
            if not _OPTIONAL[name](event[name]):
                raise ValueError(f"{name} is {event[name]!r:.60}")
        if kind == "measured" and event["val_accuracy"] is None and not event["repeat"] and event["decision"] != "end":
            raise ValueError("val_accuracy is missing")
        if kind == "closed" and not opened:
            raise ValueError("no session was opened")
        if kind != "asked" and "trial" in _FIELDS[kind] and (event["trial"], event["repeat"]) not in asked:
            raise ValueError(f"run {event['trial']}-{event['repeat']} was never asked for")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        lacks = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        line = event["seq"] + 1
        raise EventError(
            f"ledger.jsonl, line {line}: its checksum is right, but {lacks}; go on from before it with --until {line}"
        ) from error


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _or_none(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


def _state(value: Any) -> bool:
    return value in STATES


def _checkpoint(value: Any) -> bool:
    return value is None or bool(re.fullmatch(r"\d+-\d+-\d+-\d+\.pt", value, re.ASCII))


def _config(value: Any) -> bool:
    network, optimizer, training = value["network"], value["optimizer"], value["training"]
    parts = (network, optimizer, training) if is_family(network["name"]) else (optimizer, training)
    for part in parts:
        for name, held in part.items():
            if name in FLOATS and not _or_none(_number)(held):
                return False
            if name in TEXTS and not isinstance(held, str | list | None):
                return False
    return _text(optimizer["name"]) and _count(training["batch_size"]) and _count(training["epochs"])


_RUN = {"trial": _count, "repeat": _count}
_ATTEMPT = {**_RUN, "attempt": _count}
_FIELDS: dict[Any, dict[str, Callable[[Any], bool]]] = {
    "opened": {"slots": _count},
    "closed": {"reason": _text},
    "cut": {"lines": _count, "tested": _count},
    "asked": {
        **_RUN,
        "config": _config,
        "params": lambda value: isinstance(value, dict),
        "distributions": lambda value: isinstance(value, dict) and all(map(_text, value.values())),
        "redrawn": _count,
        "parameters": _count,
        "flops": _count,
        "seed": _count,
    },
    "started": {**_ATTEMPT, "images": _count},
    "measured": {
        **_ATTEMPT,
        "images": _count,
        "epoch": _number,
        "val_accuracy": _or_none(_share),
        "seconds": _or_none(_number),
        "checkpoint": _checkpoint,
        "state": _state,
        "reason": _or_none(_text),
        "decision": lambda value: value in ("continue", "pause", "stop", "end"),
    },
    "ended": {**_ATTEMPT, "state": _state, "reason": _or_none(_text)},
    "testing": {**_RUN},
    "tested": {**_RUN, "correct": _count, "images": _count},
}
_OPTIONAL: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("train_loss", "val_loss", "learning_rate"), _or_none(_number)),
    "train_accuracy": _or_none(_share),
    "images_per_second": _or_none(_number),
    "host": _text,
    "pid": _count,
    "samples": _or_none(_count),
    "micro_batch": _or_none(_count),
}
