"""Tables on wide and narrow terminals."""

import pytest

from search.show import terminal
from search.show.overview import in_words
from search.show.terminal import print_rows

ROWS = [
    {
        "trial": 12,
        "network": "cnn6 ×0.25",
        "optimizer": "sgd_nesterov",
        "lr": "0.013",
        "batch": 64,
        "parameters": 95_876,
        "val accuracy": "67.9% (64.6%–71.0%)",
        "best epoch": "15/16",
        "state": "done",
        "time": "1 min 07 s",
    }
]


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (140, []),
        (100, ["batch", "lr"]),
        (80, ["batch", "lr", "time", "parameters"]),
        (20, ["batch", "lr", "time", "parameters", "best epoch", "optimizer"]),
    ],
)
def test_a_narrow_terminal_leaves_columns_out_and_names_them(width, left_out, capsys, monkeypatch):
    monkeypatch.setattr(terminal, "_width", width)
    print_rows(ROWS, "nothing")
    out = capsys.readouterr().out
    heading = out.splitlines()[1]
    assert [name for name in ROWS[0] if name not in heading] == sorted(left_out, key=list(ROWS[0]).index)
    assert f"left out to fit {width} columns: {', '.join(left_out)}" in out if left_out else "left out" not in out
    if width >= 80:
        assert max(len(line) for line in out.splitlines()) <= width


SEARCH = {
    "name": "cnn-all-my-images-20261128-054039",
    "state": "finished",
    "retraining": None,
    "space": "cnn_all",
    "dataset": "my-images",
    "trials": 60,
    "samples": 60,
    "best_val_accuracy": 0.5,
    "best_val_balanced_accuracy": 0.5,
    "tested": 3,
}


@pytest.mark.parametrize(
    ("width", "left_out"),
    [
        (140, ""),
        (100, "best val balanced accuracy"),
        (80, "best val balanced accuracy, space, tested, dataset"),
    ],
)
def test_a_narrow_list_of_searches_keeps_their_names_and_states(width, left_out, capsys, monkeypatch):
    monkeypatch.setattr(terminal, "_width", width)
    print_rows([in_words(SEARCH)], "nothing")
    out = capsys.readouterr().out
    (row,) = (line for line in out.splitlines() if SEARCH["name"] in line)
    assert "finished" in row and max(map(len, out.splitlines())) <= width
    assert (f"left out to fit {width} columns: {left_out}\n" in out) == bool(left_out)


def test_a_search_s_name_is_on_one_line_whatever_else_there_is(capsys):
    print_rows([in_words(SEARCH | {"name": "n" * 100, "dataset": "/d" * 40})], "nothing")
    assert "n" * 100 in capsys.readouterr().out
