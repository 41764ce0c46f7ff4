"""The commands of hpsearch that these files give are ones that it takes."""

import re
import shlex

import pytest
import yaml

from search.cli.main import cli
from tests.docker.repository import DOCKER

GUIDE = re.findall(r"(?:hpsearch|hpsearch:\S+-cpu) ([a-z]+(?: [^`\n]*)?)", (DOCKER / "README.md").read_text())
(JOB,) = (
    found
    for found in yaml.safe_load_all((DOCKER / "kubernetes" / "search.yaml").read_text())
    if found["kind"] == "RayJob"
)


def check(words: str) -> None:
    verb, *options = shlex.split(words, comments=True)
    cli.commands[verb].make_context(verb, options)


@pytest.mark.parametrize("words", [words for words in GUIDE if words.split()[0] in cli.commands])
def test_hpsearch_takes_a_command_of_the_guide(words: str) -> None:
    check(words)


def test_the_guide_launches_looks_on_and_resumes() -> None:
    assert {"launch", "status", "resume"} <= {words.split()[0] for words in GUIDE}


def test_hpsearch_takes_the_search_of_the_manifest() -> None:
    program, _, words = JOB["spec"]["entrypoint"].partition(" ")
    assert program == "hpsearch"
    check(words)
