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
    *(("launch", "--max-time", value) for value in ("0", "-1", "1d", "nan", "inf", "1e400")),
    *(("launch", "--epochs", value) for value in ("1e3", "9" * 30)),
    *(("launch", "--threads", value) for value in ("0", "x")),
    *(("top", "--number", value) for value in ("0", "x")),
    *(
        ("retrain", option, v)
        for option in (
            "--top",
            "--epochs",
            "--repeats",
            "--parallel",
            "--width",
            "--patience",
            "--finalists",
            "--folds",
        )
        for v in ("0", "x")
    ),
    *(("resume", "--samples", value) for value in ("0", "x")),
    ("retrain", "--folds", "1"),
    ("resume", "--max-time", "0"),
    ("resume", "--parallel", "0"),
    ("networks", "--classes", "1"),
    ("networks", "--classes", "ten"),
]


@pytest.mark.parametrize(("verb", "option", "value"), NUMBERS)
def test_a_number_that_is_none_or_outside_its_range_is_refused(refused: Refused, verb: str, option: str, value: str):
    line = refused(verb, option, value)
    says(line, option, value.removesuffix("e400").replace("1", "") if value == "1e400" else value.lstrip("-"))
    assert re.search(r"range|is not a valid (integer|number)|not a finite number|not a time such as", line)


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("--augment", ("none", "flip-crop", "published")),
        ("--sampler", ("random", "tpe", "gp", "qmc")),
        ("--hears", ("everything", "waves")),
        ("--scheduler", ("asha", "asha-promote", "halving", "none")),
    ],
)
def test_an_unknown_choice_names_the_known_ones(refused: Refused, option: str, known: tuple[str, ...]):
    says(refused("launch", option, "best"), option, "'best'", *known)


@pytest.mark.parametrize(
    ("scheduler", "option", "value", "rule"),
    [
        *(("halving", "--grace-period", value, "is not above 0") for value in ("0", "-1")),
        *(("halving", "--keep", value, "is not inside (0, 1)") for value in ("0", "1", "-0.5", "60")),
        *(("asha", "--reduction-factor", value, "is not at least 2") for value in ("1", "0", "-3", "1.99")),
        *(("asha", "--grace-period", value, "is not a valid number") for value in ("half", "1/2")),
        *(("asha", "--grace-period", value, "is not a finite number") for value in ("nan", "inf")),
        *(
            (name, "--grace-period", "31", "at most the epochs of a trial (--epochs 30)")
            for name in ("asha", "halving")
        ),
        ("asha", "--keep", "0.5", "applies only to --scheduler halving"),
        ("halving", "--reduction-factor", "3", "applies only to --scheduler asha, asha-promote"),
        ("none", "--grace-period", "1", "takes no option"),
    ],
)
def test_a_scheduler_s_option_that_does_not_fit_is_refused(
    refused: Refused, scheduler: str, option: str, value: str, rule: str
):
    says(refused("launch", "--scheduler", scheduler, option, value), option, rule)


@pytest.mark.parametrize("value", ["0", "-5m", "soon", "1d", "nan", "inf", "1e3"])
def test_a_budget_is_a_time(refused: Refused, value: str):
    says(refused("launch", f"--budget={value}"), "--budget", "is not a time such as 90s, 30m or 1.5h")


@pytest.mark.parametrize(
    "more", [("--samples", "5"), ("--submit", "http://head:8265", "--storage", "/s")], ids=["samples", "submit"]
)
def test_a_budget_takes_the_place_of_samples_and_measures_this_machine(refused: Refused, more: tuple[str, ...]):
    says(refused("launch", "--budget", "5m", *more), "--budget", more[0], "give one of them")


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


@pytest.mark.parametrize("verb", [("retrain",), ("launch",), ("launch", "--study", "padding")])
def test_a_dry_run_measures_this_machine(refused: Refused, verb: tuple[str, ...]) -> None:
    says(refused(*verb, "--dry-run", "--address", "10.0.0.5:6379"), "--dry-run", "--address", "give one of them")


@pytest.mark.parametrize("verb", ["launch", "resume", "retrain"])
def test_quiet_and_debug_contradict_each_other(refused: Refused, verb: str) -> None:
    says(refused(verb, "--quiet", "--debug"), "--quiet", "--debug", "give one of them")


@pytest.mark.parametrize("more", [("--json",), ("--storage", "/s")], ids=["json", "storage"])
def test_a_search_is_watched_by_people_on_this_machine(refused: Refused, more: tuple[str, ...]) -> None:
    says(refused("status", "--watch", *more), "--watch", f"leave out {more[0]}")


def test_an_export_of_a_storages_search_needs_a_place(refused: Refused) -> None:
    says(refused("export", "--format", "card", "--storage", "/s"), "a storage", "give --out")


@pytest.mark.parametrize("option", ["--folds", "--finalist-epochs", "--finalist-width"])
def test_an_option_of_finalists_without_any_is_refused(refused: Refused, option: str):
    says(refused("retrain", option, "4"), option, "4", "--finalists")


def test_students_are_some_of_the_winners(refused: Refused):
    says(refused("retrain", "--top", "2", "--students", "3"), "--students 3", "2 winners")
    says(refused("retrain", "--student-width", "0.5"), "--student-width 0.5", "how many with --students")
    says(refused("retrain", "--students", "1", "--student-width", "0"), "--student-width", "0<x<=64")
