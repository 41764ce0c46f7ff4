"""The documents' links have targets, and the command takes what they tell a user to type."""

import re
import shlex
from pathlib import Path

import pytest

from search.cli.main import cli

ROOT = Path(__file__).parents[1]
MANUAL = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
MEASURED = [ROOT / "results" / "README.md", ROOT / "benchmarks" / "README.md", ROOT / "docker" / "README.md"]
COMMANDS = [
    words
    for page in MANUAL
    for words in re.findall(r"^    hpsearch ([a-z]+.*)$", page.read_text().replace("\\\n", " "), re.M)
    if "…" not in words
]


def anchors(page: Path) -> set[str]:
    """The names that links to parts of a page may use."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    named = re.findall(r'<a id="([^"]+)"', text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings} | set(named)


@pytest.mark.parametrize("page", [*MANUAL, *MEASURED], ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_a_target(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        if "://" not in target:
            there = page.parent / file if file else page
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target


@pytest.mark.parametrize("words", COMMANDS)
def test_the_command_takes_what_a_document_says(words: str) -> None:
    name, *options = shlex.split(words, comments=True)
    cli.commands[name].make_context(name, options)
