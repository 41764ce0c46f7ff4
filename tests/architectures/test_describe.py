"""A network as a table."""

import torch
from torch import nn

from architectures.blocks import Network, Residual, Unit
from architectures.cost import cost
from architectures.describe import describe
from architectures.families import FAMILIES


def test_a_row_says_what_a_layer_is_and_the_last_row_is_the_sum() -> None:
    rows = describe(FAMILIES["cnn6"](), (3, 32, 32), 100)
    assert rows[0] == {
        "layer": "unit 1",
        "operation": "conv kernel=3 stride=1 padding=1 bias=True",
        "output": "128×32×32",
        "parameters": 3584,
        "with_statistics": 3584,
        "flops": 2 * 128 * 27 * 32 * 32,
    }
    assert (rows[1]["parameters"], rows[1]["with_statistics"]) == (256, 512)
    found = cost(FAMILIES["cnn6"](), (3, 32, 32), 100)
    assert rows[-1] == {
        "layer": "all",
        "operation": "",
        "output": "",
        "parameters": found.parameters,
        "with_statistics": found.with_statistics,
        "flops": found.flops,
    }


def test_a_residual_block_shows_its_shortcut_and_its_addition() -> None:
    block = Residual(body=(Unit(channels=4),), shortcut=(Unit(channels=4, kernel=1, padding=0, activation=None),))
    rows = describe(Network(blocks=(block,)), (3, 8, 8), 2)
    assert [(row["layer"], row["operation"].split()[0]) for row in rows[:4]] == [
        ("unit 1", "conv"),
        ("unit 1", "activation"),
        ("unit 1 shortcut", "conv"),
        ("unit 1", "add"),
    ]


def test_a_module_has_a_row_a_child_and_counts_what_it_holds_itself() -> None:
    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(3)
            self.scale = nn.Parameter(torch.ones(5))

    assert describe(Own(), (3, 8, 8), 2) == [
        {"layer": "norm", "operation": "BatchNorm1d", "parameters": 6, "with_statistics": 12},
        {"layer": "all", "operation": "", "parameters": 11, "with_statistics": 17},
    ]
