"""The verb `report`: its formats, and what it refuses."""

import re
import sys

import click
import pytest

from architectures.errors import HpsearchError
from search.cli.reporting import report
from search.cli.serving import serve
from search.history.load import read_search
from search.page.drawing import FiguresError, write_figures
from search.page.page import page_of
from search.page.view import View
from tests.search.page.searches import make_search


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    make_search(folder, "one", trials=6, retrains=[(0, 1)], classes=("a|b", "<i>", "c"))
    make_search(folder, "two", trials=4)
    return folder


def call(results, *words):
    report.main([*words, "--results", str(results)], standalone_mode=False)


def test_the_page_lies_in_the_searchs_folder_unless_asked_otherwise(results, tmp_path, capsys):
    call(results, "one")
    call(results, "one", "two", "--out", str(tmp_path / "both.html"))
    assert (results / "one" / "report.html").read_text().startswith("<!doctype html>")
    assert "Searches side by side" in (tmp_path / "both.html").read_text()
    assert re.search(r"report\.html: \d\.\d MB; open it in a browser", capsys.readouterr().out)


def test_markdown_is_tables_of_as_many_cells_in_every_line(results, capsys):
    call(results, "one", "--format", "md")
    printed = capsys.readouterr().out
    assert printed.startswith("### one\n")
    tables = re.findall(r"(?:^\|.*\|\n?)+", printed, flags=re.MULTILINE)
    assert len(tables) == 2
    for each in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in each.splitlines()}) == 1
    assert "1 test-set evaluation for 1 retrained network." in printed
    assert "<" not in printed.replace("\\<", "")


def test_figures_are_svg_and_png_files_of_each_figure(results, tmp_path):
    pytest.importorskip("matplotlib")
    page = page_of([View(read_search(results, "one"))])
    told = write_figures(page, tmp_path / "figures")
    assert told.endswith(f"{len(page.figures)} figures, each as SVG and PNG")
    for figure in page.figures:
        assert "<svg" in (tmp_path / "figures" / f"{figure.key}.svg").read_text()
        assert (tmp_path / "figures" / f"{figure.key}.png").read_bytes()[:4] == b"\x89PNG"


def test_without_matplotlib_a_line_says_how_to_install_it(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    page = page_of([View(read_search(results, "two"))])
    with pytest.raises(FiguresError, match=r"^figures as files need matplotlib.*pip install 'hpsearch\[figures\]'$"):
        write_figures(page, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("one", "one"), r"name each search once; 'one' is named 2 times"),
        (("none",), r"there is no search 'none'"),
        (("one", "two"), r"give --out FILE"),
        (("one", "--out", "/proc/none/page.html"), r"cannot write /proc/none/page.html: .*; give another --out"),
        (("one", "--figures", "/proc/none"), r"cannot write to /proc/none: "),
        (("one", "--figures", "x", "--format", "md"), r"leave out --out and --format"),
    ],
)
def test_a_wrong_request_is_one_line_and_leaves_nothing(results, words, told):
    before = sorted(results.rglob("*"))
    with pytest.raises(HpsearchError, match=told) as caught:
        call(results, *words)
    assert "\n" not in str(caught.value)
    assert sorted(results.rglob("*")) == before


@pytest.mark.parametrize(
    ("verb", "words"), [(report, ["--format", "pdf"]), (serve, ["--port", "70000"]), (serve, ["--port", "x"])]
)
def test_a_format_or_port_that_is_none_is_refused(verb, words):

    with pytest.raises(click.UsageError):
        verb.main(words, standalone_mode=False)
