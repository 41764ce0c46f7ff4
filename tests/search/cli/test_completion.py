"""What a shell completes."""

import pytest
from click.shell_completion import ShellComplete

from search.cli.main import cli


def completed(*words, incomplete=""):
    found = ShellComplete(cli, {}, "hpsearch", "_HPSEARCH_COMPLETE").get_completions(list(words), incomplete)
    return [each.value for each in found]


@pytest.fixture
def results(tmp_path):
    for name in ("first", "fourth", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "search.json").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_searches_are_completed_in_the_results_folder_of_the_option_or_the_variable(results, monkeypatch):
    assert completed("top", "--results", str(results), incomplete="f") == ["first", "fourth"]
    assert completed("retrain", "--results", str(results), incomplete="[") == []
    assert completed("predict", "--results", str(results), incomplete=f"{results}/f") == [f"{results}/f"]  # a file
    assert completed("top", "--results", str(results), incomplete="/") == []
    monkeypatch.setenv("HPSEARCH_RESULTS", str(results))
    assert completed("status", incomplete="s") == ["second"]


def test_what_a_search_begins_with_is_completed(results):
    asked = ("launch", "--results", str(results))
    assert completed(*asked, "--warm-start", incomplete="s") == ["second"]
    assert completed(*asked, "--experience", incomplete="f") == ["fashion-mnist-28", "fashion-mnist", "first", "fourth"]


def test_spaces_networks_and_choices_are_completed():
    assert completed("launch", "--space", incomplete="modern") == ["modern", "modern_small"]
    assert completed("spaces", incomplete="cnn_") == ["cnn_published", "cnn_all"]
    assert completed("networks", incomplete="vgg") == ["vgg16", "vgg19"]
    assert completed("launch", "--dataset", incomplete="fash") == ["fashion-mnist", "fash"]
    assert completed("dataset", incomplete="dig") == ["digits", "dig"]  # the second stands for files
    assert "halving" in completed("launch", "--scheduler")
    assert "retrain" in completed(incomplete="re")
