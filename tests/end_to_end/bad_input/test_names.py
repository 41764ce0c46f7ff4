"""Names of searches and folders for them: unknown ones, and such that cannot be."""

from pathlib import Path

import pytest

from search.history import store
from tests.end_to_end.bad_input.cases import Refused, says


@pytest.mark.parametrize("name", ["", "a/b", "../out", "..", ".", "/tmp/out", "-x", "a b", "süß", "a\nb", "x" * 101])
def test_a_name_that_is_no_folder_in_the_results_is_refused(launch: Refused, name: str):
    says(launch("--name", name), "name", "1 to 100", " ".join(name.split()))
    assert not Path("../out").exists()


@pytest.mark.parametrize(
    ("results", "parts"),
    [("own.py/results", ("own.py/results",)), ("/proc/results", ("/proc/results", "cannot write"))],
)
def test_results_that_cannot_be_written_are_refused(launch: Refused, results: str, parts: tuple[str, ...]):
    says(launch("--limit-train", "40", "--space", "cnn5", "--results", results), *parts)


def test_a_search_that_exists_is_not_begun_again(launch: Refused, mine: store.Search):
    says(launch("--name", "mine"), "'mine'", "--name", "hpsearch resume mine")


@pytest.mark.parametrize("verb", ["resume", "status", "top", "retrain"])
def test_without_a_search_the_line_says_how_to_begin_one(refused: Refused, verb: str):
    says(refused(verb), "results", "hpsearch launch")
    says(refused(verb, "other"), "'other'", "hpsearch launch")


@pytest.mark.parametrize("verb", ["resume", "status", "top", "retrain"])
@pytest.mark.parametrize("name", ["other", "..", ".", "", "a/b", "../results/mine", "x" * 300])
def test_an_unknown_search_names_the_known_ones(refused: Refused, mine: store.Search, verb: str, name: str):
    says(refused(verb, name), f"'{name}'", "mine")


def test_a_folder_beside_the_results_is_no_search(refused: Refused, mine: store.Search):
    Path("search.json").write_text((mine.folder / "search.json").read_text())
    says(refused("status", ".."), "'..'", "mine")
