"""What a search is to begin with: configurations to try first, and an earlier search."""

import json
from pathlib import Path

import pytest

from search.history.store import Search
from tests.end_to_end.bad_input.cases import GOOD, Refused, says

LEARN = ("--sampler", "gp")


def first(*lines: str) -> str:
    Path("first.jsonl").write_text("".join(line + "\n" for line in lines))
    return "first.jsonl"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((json.dumps(GOOD), "nonsense"), ("first.jsonl, line 2", "JSON")),
        ((json.dumps(GOOD), "", json.dumps({"network": {"name": "cnn5"}})), ("first.jsonl, line 3", "optimizer")),
        ((json.dumps({**GOOD, "network": {"name": "cnn1"}}),), ("first.jsonl, line 1", "impossible", "cnn1")),
        ((), ("first.jsonl", "holds no configuration")),
        ((json.dumps(GOOD),) * 3, ("3 configurations", "--samples 2")),
    ],
)
def test_a_line_of_what_is_tried_first_is_named(launch: Refused, lines: tuple[str, ...], said: tuple[str, ...]) -> None:
    size = ("--image-size", "4") if "impossible" in said else ()
    says(launch("--space", "cnn5", "--samples", "2", *size, "--first", first(*lines)), *said)


def test_what_is_tried_first_has_to_be_there_and_goes_with_no_list(launch: Refused) -> None:
    says(launch("--first", "none.jsonl"), "none.jsonl", "No such file")
    says(launch("--space", first(json.dumps(GOOD)), "--first", "first.jsonl"), "--first", "put them first in it")
    line = launch("--space", "first.jsonl", "--sampler", "gp")
    says(line, "--sampler gp", "first.jsonl is a list", "leave --sampler out")
    line = launch("--first", "first.jsonl", "--submit", "http://head:8265", "--storage", "/shared")
    says(line, "--first", "--submit")


def test_only_a_sampler_that_learns_hears_and_begins_with_a_search(launch: Refused, mine: Search) -> None:
    says(launch("--hears", "waves"), "--hears applies only to --sampler tpe, gp", "got random")
    line = launch("--warm-start", mine.name, "--sampler", "qmc")
    says(line, "--warm-start applies only to --sampler tpe, gp", "got qmc")


def test_only_known_experience_of_what_the_space_draws_is_begun_with(launch: Refused) -> None:
    transfer = ("--sampler", "transfer")
    says(launch("--experience", "digits"), "--experience applies only to --sampler transfer", "got random")
    says(launch(*transfer, "--experience", "digitz"), "no experience of 'digitz'", "known: cifar10, ", "digits")
    says(launch(*transfer, "--experience", "digits", "--experience", "gone"), "no experience of 'gone'", "searches in")
    says(launch(*transfer, "--space", "mlp"), "no recorded runs match this space", "use --sampler gp")


def test_an_earlier_search_is_experience_only_with_enough_trials(launch: Refused, mine: Search) -> None:
    line = launch("--sampler", "transfer", "--experience", mine.name)
    says(line, f"--experience {mine.name} needs 8 trials that can be compared, and it has 0")


def test_a_search_to_begin_with_has_to_be_there(launch: Refused, mine: Search) -> None:
    says(launch(*LEARN, "--warm-start", "gone"), "no search 'gone'", mine.name)


def test_a_search_of_other_images_by_another_metric_or_of_another_space_is_refused(
    launch: Refused, mine: Search
) -> None:
    says(launch(*LEARN, "--warm-start", mine.name, "--limit-train", "100"), "none of its 1 trial", "other images")
    says(launch(*LEARN, "--warm-start", mine.name, "--metric", "balanced_accuracy"), "accuracy", "balanced_accuracy")
    says(launch(*LEARN, "--warm-start", mine.name), "none of its 1 trial", "drawn from cnn5", "cnn_all can draw none")
