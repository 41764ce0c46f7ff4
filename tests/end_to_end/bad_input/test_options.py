"""Wrong verbs, options and values: one line that says what would be right, exit code 2."""

import re

import pytest

from tests.end_to_end.bad_input.cases import VERBS, Refused, says

NUMBERS = [
    *(("launch", option, value) for option in ("--samples", "--epochs", "--parallel") for value in ("0", "-1", "two")),
    *(("launch", "--limit-train", value) for value in ("0", "1.5", "all")),
    *(("launch", "--seed", value) for value in ("-1", "x", "1e3")),
    *(("launch", "--image-size", value) for value in ("0", "32x32", "9" * 12)),
    ("launch", "--parallel", "1000000"),
    *(("launch", "--validation", value) for value in ("0", "1", "-0.1", "1.5", "half", "nan")),
    *(("launch", "--max-time", value) for value in ("0", "-1", "1h", "nan", "inf", "1e400")),
    *(("launch", "--epochs", value) for value in ("1e3", "9" * 30)),
    *(("top", "--number", value) for value in ("0", "x")),
    *(
        ("retrain", option, v)
        for option in ("--top", "--epochs", "--repeats", "--parallel", "--width", "--patience")
        for v in ("0", "x")
    ),
    *(("resume", "--samples", value) for value in ("0", "x")),
    ("resume", "--max-time", "0"),
    ("resume", "--parallel", "0"),
    ("networks", "--classes", "1"),
    ("networks", "--classes", "ten"),
]


@pytest.mark.parametrize(("verb", "option", "value"), NUMBERS)
def test_a_number_that_is_none_or_outside_its_range_is_refused(refused: Refused, verb: str, option: str, value: str):
    line = refused(verb, option, value)
    says(line, option, value.removesuffix("e400").replace("1", "") if value == "1e400" else value.lstrip("-"))
    assert re.search(r"range|is not a valid (integer|number)|not a finite number", line)


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("--augment", ("none", "flip-crop", "published")),
        ("--sampler", ("random", "tpe")),
        ("--scheduler", ("asha", "none")),
    ],
)
def test_an_unknown_choice_names_the_known_ones(refused: Refused, option: str, known: tuple[str, ...]):
    says(refused("launch", option, "best"), option, "'best'", *known)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("begin",), ("'begin'", *VERBS)),
        (("launch", "--speed", "9"), ("--speed", "hpsearch launch --help")),
        (("--results", "x"), ("--results",)),
        (("launch", "--samples"), ("--samples", "requires an argument")),
        (("launch", "digits"), ("digits", "hpsearch launch --help")),
        (("status", "one", "two"), ("two",)),
        (("list", "one"), ("one",)),
        (("list", "--json=yes"), ("--json",)),
        (("launch", "--results", ""), ("--results", "empty")),
        (("launch", "--data-dir", ""), ("--data-dir", "empty")),
        (("launch", "--data-dir", "~no-such-user/data"), ("--data-dir", "~no-such-user/data")),
        (("launch", "--data-dir", "own.py"), ("own.py", "file")),
        (("list", "--results", "own.py"), ("own.py", "file")),
        (("list", "--results", "r" * 5000), ("--results",)),
    ],
)
def test_an_unknown_verb_or_a_misused_option_is_refused(
    refused: Refused, arguments: tuple[str, ...], parts: tuple[str, ...]
):
    says(refused(*arguments), *parts)


def test_a_job_is_not_a_dry_run(refused: Refused) -> None:
    assert "give one of them" in refused("launch", "--submit", "http://head:8265", "--storage", "/s", "--dry-run")
