"""The verb that ranks trials, on a search of three."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from search.cli.looking import status, top
from search.cli.reporting import report
from search.cli.types import OptionError
from search.history.events import State
from search.history.ledger import Ledger
from search.run.launch import launch
from search.run.session import Options
from tests.search.events import asked, ended
from tests.search.page.searches import make_search
from tests.search.run import searches


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with a finished search of three widths."""
    folder = tmp_path_factory.mktemp("results")
    lines = [
        {"network": {"name": "cnn5", "width": width}, "optimizer": {"name": "adam", "lr": 0.01}}
        for width in (0.125, 0.25, 0.5)
    ]
    request = searches.listed(folder, lines, epochs=3, limit_train=200)
    launch(request, Options(engine="inline"), results=folder, name="three")
    return folder


def call(results: Path, *words: str) -> str:
    return CliRunner().invoke(top, ["three", "--results", str(results), *words], catch_exceptions=False).output


def test_the_front_is_a_part_of_the_ranking_and_the_knee_is_marked(results: Path) -> None:
    ranking = json.loads(call(results, "--json"))
    front = json.loads(call(results, "--pareto", "parameters", "--json"))
    worth = [
        row
        for row in ranking
        if not any(
            other["best_val_accuracy"] >= row["best_val_accuracy"] and other["parameters"] < row["parameters"]
            for other in ranking
        )
    ]
    assert [{k: v for k, v in row.items() if k != "knee"} for row in front] == worth
    assert sum(row["knee"] for row in front) == (len(front) >= 3)
    assert "knee" not in ranking[0]
    said = call(results, "--pareto", "parameters", "--pareto", "seconds")
    assert "Pareto front of accuracy and parameters and training time per image: " in said


def test_a_front_of_three_has_a_knee(tmp_path: Path) -> None:
    make_search(tmp_path, "three")
    front = json.loads(call(tmp_path, "--pareto", "flops", "--json"))
    assert len(front) == 5, "curves and FLOPs follow from formulas"
    (knee,) = (row["trial"] for row in front if row["knee"])
    assert f"the knee, the best compromise, is trial {knee}" in call(tmp_path, "--pareto", "flops")


def test_all_trials_and_a_front_are_not_asked_for_together(results: Path) -> None:
    with pytest.raises(OptionError, match="--all shows every trial, and --pareto only some of them"):
        call(results, "--all", "--pareto", "flops")


def test_a_search_with_several_aims_shows_its_front_unasked_and_says_so_everywhere(results: Path) -> None:
    path = results / "three" / "search.json"
    book = results / "three" / "ledger.jsonl"
    before, recorded = path.read_bytes(), book.read_bytes()
    found = json.loads(before)
    found["request"]["also"] = "flops,seconds"
    path.write_text(json.dumps(found))
    try:
        assert all("knee" in row for row in json.loads(call(results, "--json")))
        with Ledger(book) as lines:
            lines.append(asked(3, parameters=1, flops=1))
            lines.append(ended(State.FAILED, trial=3))
        some, every = call(results), call(results, "--all")
        assert "failed" in every
        assert [line for line in every.splitlines() if "front" in line] == [
            line for line in some.splitlines() if "front" in line
        ]
        assert "Pareto front of accuracy and FLOPs per image and training time per image: " in call(results)
        shown = CliRunner().invoke(status, ["three", "--results", str(results)], catch_exceptions=False).output
        assert "compared   by accuracy and FLOPs per image and training time per image" in shown
        out = results / "page.html"
        CliRunner().invoke(report, ["three", "--results", str(results), "--out", str(out)], catch_exceptions=False)
        assert "accuracy and FLOPs per image and training time per image" in out.read_text()
    finally:
        path.write_bytes(before)
        book.write_bytes(recorded)
