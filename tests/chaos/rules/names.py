"""Names that are not UTF-8, wherever a name can stand: refused with the name escaped, or shown escaped."""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rules.datasets import COMMAND
from rules.pictures import IMAGES, classes, parts, shards
from rules.rule import DIGITS, FINISHED, LAUNCH, READ_IMAGES, Place, Rule

LATIN_1 = b"caf\xe9"
"""A name from an old archive: é is one byte."""
NAME, ESCAPED = os.fsdecode(LATIN_1), "caf\\xe9"
SEARCH = (
    "launch",
    *DIGITS,
    "--samples",
    "1",
    "--epochs",
    "1",
    "--space",
    "small:space",
    "--name",
    "new",
    "--engine",
    "inline",
)
NEW = ("results/new", "results/new/*")


def called(path: str, prepare: Callable[[Place], object]) -> Callable[[Place], None]:
    """The last part of a path in the home folder, with that name."""

    def breaks(place: Place) -> None:
        prepare(place)
        file = place.home / path
        file.rename(file.with_name(NAME + file.suffix))

    return breaks


def refused(rule: str, shown: str, breaks: Callable[[Place], object], command: tuple[Any, ...] = COMMAND) -> Rule:
    """Refused with the name escaped."""
    return Rule(rule=rule, input=shown, command=command, breaks=breaks, says=(ESCAPED,))


def understood(rule: str, shown: str, breaks: Callable[[Place], object], command: tuple[Any, ...], **more: Any) -> Rule:
    """Understood; whatever is said of it is escaped."""
    return Rule(
        rule=rule, input=shown, command=command, breaks=breaks, code=0, lines=None, **({"may_change": NEW} | more)
    )


def nothing(_: Place) -> None:
    """The place as it is."""


def damaged(place: Place) -> None:
    """A picture with such a name that is none."""
    classes()(place)
    (place.home / "images" / "dog" / f"{NAME}.png").write_text("a dog")


def home(place: Place) -> None:
    """A user whose home has such a name, in which Ray and the cache keep files."""
    (place.home / NAME).mkdir()
    place.environment["HOME"] = str(place.home / NAME)


RULES = [
    refused(
        "a class folder of train has a name in UTF-8",
        "train/caf\\xe9",
        called("images/train/dog", parts(train=3, test=2)),
    ),
    refused(
        "a class folder of val has a name in UTF-8", "val/caf\\xe9", called("images/val/dog", parts(train=3, val=2))
    ),
    refused(
        "a class folder of test has a name in UTF-8", "test/caf\\xe9", called("images/test/dog", parts(train=3, test=2))
    ),
    refused(
        "a dataset's folder has a name in UTF-8",
        "caf\\xe9/",
        called("images", classes()),
        (*READ_IMAGES, "--dataset", LATIN_1),
    ),
    refused("a dataset that is not there is shown escaped", "caf\\xe9", nothing, (*READ_IMAGES, "--dataset", LATIN_1)),
    refused("a picture that is none is shown escaped", "caf\\xe9.png", damaged),
    refused(
        "a Parquet file that is of no part is shown escaped",
        "caf\\xe9.parquet",
        called("images/train.parquet", shards("train.parquet")),
    ),
    refused("a search's name is UTF-8", "--name caf\\xe9", nothing, (*LAUNCH[:-1], LATIN_1)),
    refused("a search that is not there is shown escaped", "status caf\\xe9", nothing, ("status", LATIN_1)),
    refused(
        "a list that is not there is shown escaped",
        "caf\\xe9.jsonl",
        nothing,
        (*LAUNCH, "--space", LATIN_1 + b".jsonl"),
    ),
    refused("a space that is not known is shown escaped", "--space caf\\xe9", nothing, (*LAUNCH, "--space", LATIN_1)),
    refused(
        "a module that is not there is shown escaped",
        "caf\\xe9:space",
        nothing,
        (*LAUNCH, "--space", LATIN_1 + b":space"),
    ),
    refused("a network that is not known is shown escaped", "networks caf\\xe9", nothing, ("networks", LATIN_1)),
    refused(
        "a column that is not there is shown escaped",
        "--label caf\\xe9",
        shards("train.parquet"),
        (*COMMAND, "--label", LATIN_1),
    ),
    Rule(
        rule="an option's choice is shown escaped",
        input="--sampler caf\\xe9",
        command=("launch", "--sampler", LATIN_1),
        says=("caf\\udce9",),  # as click shows it
    ),
    refused(
        "images that are not there are shown escaped",
        "resume --dataset caf\\xe9",
        nothing,
        ("resume", FINISHED, "--dataset", LATIN_1),
    ),
    refused("a cluster's address is shown escaped", "--address caf\\xe9", nothing, (*LAUNCH, "--address", LATIN_1)),
    understood("a picture may have any name", "caf\\xe9.png", called("images/dog/02.png", classes()), IMAGES),
    understood(
        "a file that is no picture may have any name",
        "caf\\xe9.txt",
        lambda place: [classes()(place), (place.home / "images" / "dog" / f"{NAME}.txt").write_text("me")],
        IMAGES,
    ),
    understood(
        "a cache may have any name",
        "--data-dir caf\\xe9",
        nothing,
        (*SEARCH, "--data-dir", LATIN_1),
        may_change=(*NEW, NAME, f"{NAME}/*"),
    ),
    refused("a results folder's path is UTF-8", "--results caf\\xe9", nothing, (*SEARCH, "--results", LATIN_1)),
    Rule(
        rule="a search in results that were renamed does not go on",
        input="resume --results caf\\xe9",
        command=("resume", FINISHED, "--results", LATIN_1, "--samples", "4", "--engine", "inline"),
        breaks=called("results", nothing),
        says=(ESCAPED, "UTF-8"),
    ),
    Rule(
        rule="a storage's path is UTF-8",
        input="--storage caf\\xe9",
        command=(*SEARCH, "--storage", LATIN_1),
        breaks=nothing,
        says=(ESCAPED, "UTF-8"),
        may_change=(NAME,),
    ),
    # The precision that was measured is kept in its cache folder.
    understood("a home may have any name", "HOME=caf\\xe9", home, SEARCH, may_change=(*NEW, f"{NAME}/.cache*")),
    understood(
        "results of any name are listed",
        "list --results caf\\xe9",
        called("results", nothing),
        ("list", "--results", LATIN_1),
        may_change=(),
    ),
    understood(
        "a search in results of any name is shown",
        "status --results caf\\xe9",
        called("results", nothing),
        ("status", FINISHED, "--results", LATIN_1),
        may_change=(),
    ),
    understood(
        "a search in results of any name is ranked",
        "top --results caf\\xe9",
        called("results", nothing),
        ("top", FINISHED, "--results", LATIN_1),
        may_change=(),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="names") for rule in RULES]
