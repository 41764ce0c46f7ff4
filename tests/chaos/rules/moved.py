"""Images, caches and homes that lie elsewhere when a search goes on: the fingerprint proves that they are the same."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rules.pictures import encoded, picture
from rules.rule import PICTURES, Done, Place, Rule, both, change_json

RESUME = ("resume", PICTURES, "--samples", "2", "--engine", "inline")
RETRAIN = ("retrain", PICTURES, "--top", "1", "--epochs", "1", "--engine", "inline")
RUN = (f"results/{PICTURES}/*",)
SEARCH = f"results/{PICTURES}/search.json"


def moved(place: Place) -> None:
    """The images, in another folder."""
    (place.home / PICTURES).rename(place.home / "archive")


def repainted(place: Place) -> None:
    """The images elsewhere, every dog another one."""
    moved(place)
    for number, file in enumerate((place.home / "archive" / "dog").iterdir()):
        file.write_bytes(encoded(picture("cat", 30 + number)))


def without_one(place: Place) -> None:
    """The images elsewhere, one dog fewer."""
    moved(place)
    (place.home / "archive" / "dog" / "03.png").unlink()


def renamed(place: Place) -> None:
    """The images elsewhere, with another name of a class."""
    moved(place)
    (place.home / "archive" / "dog").rename(place.home / "archive" / "hound")


def with_test(place: Place) -> None:
    """The images elsewhere, sorted into parts since."""
    moved(place)
    (place.home / "train").mkdir()
    for name in ("cat", "dog"):
        (place.home / "archive" / name).rename(place.home / "train" / name)
        (place.home / "archive" / "test" / name).mkdir(parents=True)
        for number in range(2):
            file = place.home / "archive" / "test" / name / f"{number}.png"
            file.write_bytes(encoded(picture(name, 30 + number)))
    (place.home / "train").rename(place.home / "archive" / "train")


def refused(rule: str, shown: str, breaks: Callable[[Place], None], command: tuple[str, ...], *says: str) -> list[Rule]:
    """A resume and a retrain that are refused."""
    verbs = {"resume": RESUME, "retrain": RETRAIN}
    return [
        Rule(rule=f"{verb}: {rule}", input=shown, command=(*words, *command), breaks=breaks, says=says)
        for verb, words in verbs.items()
    ]


def goes_on(rule: str, shown: str, breaks: Callable[[Place], None], *command: str, cache: str = "") -> list[Rule]:
    """A resume and a retrain that go on, and record nothing of where the images are now; cache: where it is."""

    def after(place: Place, done: Done) -> Iterable[str]:
        request = json.loads((place.home / SEARCH).read_text())["request"]
        if not str(request["dataset"]).endswith(f"/{PICTURES}"):
            yield f"the recorded place is {request['dataset']}"
        if cache and not any((place.home / cache / "cache").glob("*.json")):
            yield f"there is no cache in {cache}"

    verbs = {"resume": RESUME, "retrain": RETRAIN}
    return [
        Rule(
            rule=f"{verb}: {rule}",
            input=shown,
            command=(*words, *command),
            breaks=breaks,
            code=0,
            lines=None,
            may_change=(*RUN, *((cache, f"{cache}/*") if cache else ())),
            after=after,
        )
        for verb, words in verbs.items()
    ]


def foreign(data: dict[str, Any]) -> dict[str, Any]:
    """A search that began on a machine with another home."""
    return data | {"request": data["request"] | {"data_dir": "/home/alice/.cache/hpsearch"}}


def with_variable(place: Place) -> None:
    """HPSEARCH_DATA names a folder."""
    place.environment["HPSEARCH_DATA"] = "mine"


ELSEWHERE = ("--dataset", "archive")
RULES = [
    *refused("images that are gone are asked for", "renamed folder", moved, (), "which is not here", "--dataset"),
    *refused(
        "other pixels are other images",
        "every dog",
        repainted,
        ELSEWHERE,
        "fingerprint differs",
    ),
    *refused("fewer images are other images", "one gone", without_one, ELSEWHERE, "fingerprint differs"),
    *refused("other classes are other images", "hound for dog", renamed, ELSEWHERE, "fingerprint differs"),
    *refused("another dataset is another one", "digits", moved, ("--dataset", "digits"), "fingerprint differs"),
    *refused("a place of images is there", "--dataset nowhere", moved, ("--dataset", "nowhere"), "'nowhere'"),
    *refused(
        "a place that holds no images is none", "--dataset results", moved, ("--dataset", "results"), "class folder"
    ),
    *refused(
        "a cache's folder is a folder", "--data-dir own.py", moved, (*ELSEWHERE, "--data-dir", "own.py"), "a file"
    ),
    *refused(
        "images that were sorted into parts since are others", "train/, test/", with_test, ELSEWHERE, "fingerprint"
    ),
    *goes_on("the same images elsewhere are the same", "--dataset archive", moved, *ELSEWHERE),
    *goes_on("a cache may be elsewhere", "--data-dir mine", lambda _: None, "--data-dir", "mine", cache="mine"),
    *goes_on("the environment names a cache", "HPSEARCH_DATA=mine", with_variable, cache="mine"),
    *goes_on(
        "a machine that is not the first has its own cache",
        "a home of somebody else",
        both(change_json(SEARCH, foreign)),
        cache=".cache/hpsearch",
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="moved") for rule in RULES]
