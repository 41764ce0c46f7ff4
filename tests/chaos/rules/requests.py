"""search.json: what was asked of a search, damaged or forged."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rules.rule import FINISHED, INTERRUPTED, Place, Rule, change, change_json, folder_in_place_of, unreadable

FILE = f"results/{FINISHED}/search.json"


def asked(rule: str, **request: Any) -> Rule:
    """A search.json whose request says something else."""
    return Rule(
        rule=rule,
        input=json.dumps(request),
        command=("resume", FINISHED),
        breaks=change_json(FILE, lambda data: data | {"request": data["request"] | request}),
        says=("search.json is damaged", *request),
    )


def data(rule: str, shown: str, how: Callable[[dict[str, Any]], Any], verb: str = "status") -> Rule:
    """A search.json with other data."""
    command = (verb, FINISHED)
    return Rule(rule=rule, input=shown, command=command, breaks=change_json(FILE, how), says=("is damaged",))


def without(*keys: str) -> Callable[[dict[str, Any]], Any]:
    """The data without what these keys lead to."""

    def how(found: dict[str, Any]) -> Any:
        inner = found
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return found

    return how


def other_images(place: Place) -> None:
    """The search's images are not those it began with."""
    how = change_json(FILE, lambda found: found | {"data": found["data"] | {"fingerprint": "0" * 16}})
    how(place)


def other_list(place: Place) -> None:
    """The copy of the list that a search keeps, damaged."""
    (place.search() / "space.jsonl").write_bytes(b"\x00\x00\x00\n")


RULES = [
    Rule(
        rule="search.json is whole",
        input="its first half",
        command=("list",),
        breaks=change(FILE, lambda content: content[: len(content) // 2]),
        says=("search.json is damaged",),
    ),
    Rule(
        rule="search.json is text",
        input="random bytes",
        command=("list",),
        breaks=lambda place: (place.home / FILE).write_bytes(place.rng.randbytes(500)),
        says=("search.json is damaged",),
    ),
    Rule(
        rule="search.json is not nested without end",
        input="100,000 brackets",
        command=("status", FINISHED),
        breaks=change(FILE, lambda _: b"[" * 100_000),
        says=("search.json is damaged",),
    ),
    Rule(
        rule="search.json is a file",
        input="a folder",
        command=("status", FINISHED),
        breaks=folder_in_place_of(FILE),
        says=("search.json is damaged",),
    ),
    Rule(
        rule="search.json can be read",
        input="mode 000",
        command=("status", FINISHED),
        breaks=unreadable(FILE),
        says=("search.json", "Permission denied"),
    ),
    Rule(
        rule="search.json is no newer than the command",
        input="version 2",
        command=("status", FINISHED),
        breaks=change_json(FILE, lambda found: found | {"v": 2}),
        says=("newer", "update"),
    ),
    data("search.json is an object", "[]", lambda found: []),
    data("search.json has a request", "none", without("request")),
    data("a request has all its parts", "no samples", without("request", "samples")),
    data("a search was created at a time", "yesterday", lambda found: found | {"created": "yesterday"}),
    data("a search knows its images", "no fingerprint", without("data", "fingerprint"), "resume"),
    data("a search knows its validation's size", "no number", without("data", "num_validation"), "top"),
    data("slots are a number", "many", lambda found: found | {"slots": "many"}, "resume"),
    data("a forecast is whole", "none of its epochs", lambda found: found | {"forecast": {"epochs": 5}}),
    asked("recorded samples are a whole number", samples="three"),
    asked("recorded epochs are at least one", epochs=0),
    asked("a recorded dataset is a name", dataset=5),
    asked("a recorded share lies inside (0, 1)", validation=7),
    replace(asked("a recorded sampler is known", sampler="best"), says=("unknown sampler 'best'", "random, tpe")),
    replace(asked("a recorded scheduler is known", scheduler="best"), says=("unknown scheduler 'best'", "halving")),
    asked("a recorded augmentation is known", augment="best"),
    asked("a recorded seed is not negative", seed=-1),
    Rule(
        rule="a dataset stays as it was",
        input="another fingerprint",
        command=("resume", FINISHED),
        breaks=other_images,
        says=("has changed",),
    ),
    Rule(
        rule="a search's list stays as it was",
        input="NUL bytes",
        command=("resume", FINISHED),
        breaks=other_list,
        says=("space.jsonl", "line 1"),
    ),
    Rule(
        rule="a recorded space exists still",
        input="small.py gone",
        command=("resume", INTERRUPTED),
        breaks=lambda place: (place.home / "small.py").unlink(),
        says=("small:space",),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="search.json") for rule in RULES]
