"""Spaces that are none: one line, before there is a search."""

from pathlib import Path

import pytest

from search.show import catalogue
from tests.end_to_end.bad_input.cases import Refused, says
from trainables.optimizers import OPTIMIZERS


@pytest.mark.parametrize(
    ("space", "parts"),
    [
        ("nope", ("'nope'", "cnn_all", "cnn8", ".jsonl", "package.module:function")),
        ("", ("''", "cnn_all")),
        ("missing:space", ("missing:space", "No module named", "package.module:function")),
        (":space", (":space", "package.module:function")),
        ("..own:space", ("..own:space", "package.module:function")),
        ("own:missing", ("own:missing", "missing", "package.module:function")),
        ("own:", ("own:", "package.module:function")),
        ("broken:space", ("broken:space", "division by zero")),
        ("exits:space", ("exits:space", "SystemExit")),
        ("syntax:space", ("syntax:space", "SyntaxError")),
        ("own:NUMBER", ("own:NUMBER", "int", "not a function")),
        ("own:raises", ("RuntimeError", "first line second line")),
        ("own:leaving", ("SystemExit: bye",)),
        ("own:nothing", ("NoneType", "Config")),
        ("own:a_dict", ("got dict", "Config")),
        ("own:unknown_network", ("'cnn9'", "known: cnn1", "cnn8")),
        ("own:unknown_optimizer", ("'nosuch'", ", ".join(OPTIMIZERS))),
        ("own:unknown_name", ("momentum",)),
        ("own:unknown_hyperparameter", ("'depth'", "known: width")),
        ("own:nameless", ("name", "None")),
        ("own:no_rate", ("sgd/lr",)),
        ("own:no_draw", ("ValueError",)),
        ("own:no_json", ("cnn5", "JSON")),
        ("own:raising_network", ("own:raises", "RuntimeError", "first line second line")),
    ],
)
def test_what_is_no_space_is_refused_before_there_is_a_search(launch: Refused, space: str, parts: tuple[str, ...]):
    says(launch("--space", space), *parts)


@pytest.mark.parametrize("space", ["nope", "missing:space", "own:NUMBER", "own:raises", "own:nothing", "no.jsonl"])
def test_what_is_no_space_cannot_be_shown(refused: Refused, space: str):
    refused("spaces", space)


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_a_space_whose_choices_are_lists_can_be_shown(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(place)
    Path("lists.py").write_text(
        "from search.spaces import config_of\n"
        "def space(trial):\n"
        "    trial.suggest_categorical('network', ('cnn5',))\n"
        "    if trial.suggest_categorical('cnn5/head_widths', ([8], [16])) == [8]:\n"
        "        trial.suggest_float('cnn5/head_dropout', 0, 0.5)\n"
        "    return config_of({**trial.params, 'optimizer': 'sgd', 'sgd/lr': 0.1})\n"
    )
    assert [row["when"] for row in catalogue.space("lists:space")] == ["always", "always", "cnn5/head_widths is [8]"]
