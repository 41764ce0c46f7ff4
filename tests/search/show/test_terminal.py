"""Tables on wide and narrow terminals."""

import pytest

from search.show import terminal
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
        (20, ["batch", "lr", "time", "parameters", "best epoch", "state", "optimizer"]),
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
