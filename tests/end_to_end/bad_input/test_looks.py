"""What looks unusual and is right: help, JSON, searches that have not begun, folders beside them."""

import json
import re
from pathlib import Path

import pytest

from search.history import store
from tests.end_to_end.bad_input.cases import (
    VERBS,
    Run,
    make_search,
    says,
)


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_the_command_alone_shows_its_help_with_an_example(run: Run, arguments: tuple[str, ...]):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    says(out, "hpsearch launch --dataset digits", *VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example(run: Run, verb: str):
    code, out, err = run(verb, "--help")
    assert (code, err) == (0, "")
    assert re.search(rf"^  hpsearch {verb}\b", out, re.MULTILINE)


def test_the_version_is_shown(run: Run):
    assert re.fullmatch(r"hpsearch, version \d+\.\d+\.\d+\n", run("--version")[1])


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("spaces",), list),
        (("spaces", "cnn5"), list),
        (("networks",), list),
        (("networks", "cnn6", "--set", "width=0.5", "--input", "1x16x16"), list),
        (("list",), list),
        (("status",), dict),
        (("top",), list),
        (("top", "--all"), list),
        (("top", "--distinct"), list),
    ],
)
def test_json_is_valid_json(run: Run, mine: store.Search, arguments: tuple[str, ...], kind: type):
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    assert isinstance(json.loads(out, parse_constant=pytest.fail), kind)


def test_a_search_without_a_line_in_its_ledger_can_be_looked_at(run: Run, data_dir: Path):
    search = make_search(data_dir)
    for content in (None, b""):
        if content is not None:
            search.ledger.write_bytes(content)
        assert [run(verb)[0] for verb in ("list", "status", "top")] == [0, 0, 0]


def test_top_says_that_nothing_is_measured_yet(run: Run, mine: store.Search):
    assert run("top")[:2] == (0, "mine has no measured trial yet\n")


def test_a_torn_last_line_hides_nothing_before_it(run: Run, mine: store.Search):
    with mine.ledger.open("ab") as file:
        file.write(b'{"v":1,"seq":3,"tim')
    code, out, err = run("status", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["trials"] == {"waiting": 1}


def test_a_search_whose_folder_was_renamed_is_found(run: Run, mine: store.Search):
    mine.folder.rename("results/the best one")
    assert json.loads(run("status", "the best one", "--json")[1])["name"] == "the best one"


def test_a_file_that_cannot_be_read_is_one_line_too(run: Run, mine: store.Search):
    mine.ledger.unlink()
    mine.ledger.mkdir()
    code, _, err = run("status")
    assert code == 1
    assert re.fullmatch(r"hpsearch: [^\n]*ledger.jsonl[^\n]*\n", err)


def test_a_folder_that_is_no_search_is_passed_over(run: Run, mine: store.Search):
    Path("results/notes").mkdir()
    assert [row["name"] for row in json.loads(run("list", "--json")[1])] == ["mine"]


def test_a_path_with_brackets_is_shown_as_it_is(run: Run):
    code, out, _ = run("list", "--results", "[bold]/[/x]")
    assert code == 0
    says(out, "[bold]/[/x]")
