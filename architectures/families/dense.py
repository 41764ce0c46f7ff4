"""Dense networks: hidden layers whose widths follow a shape."""

from architectures.blocks import Dense, Head, Network
from architectures.checks import check_choice, check_count, check_dropout, scaled
from architectures.families.registry import family
from architectures.steps import Activation

SHAPES = ("inverted_triangle", "rectangle", "hexagon")
_MOST_WIDTH = 1_000_000
_MOST_DEPTH = 1_000


@family
def mlp(
    *,
    shape: str = "inverted_triangle",
    width: int = 300,
    depth: int = 3,
    activation: str = "relu",
    norm: bool = False,
    dropout: float = 0.5,
) -> Network:
    """The dense network of the report on Fashion-MNIST: 300, 200 and 100 wide hidden layers, each with dropout.

    shape: "inverted_triangle" (ever narrower, in equal steps: 300, 200, 100), "rectangle" (200, 200, 200) or "hexagon"
    (widest in the middle, and seven tenths of that at both ends: 175, 250, 175). width: of the widest hidden layer, in
    numbers. depth: hidden layers. norm: batch norm after each hidden layer. dropout: after each hidden layer.
    """
    check_choice("shape", shape, SHAPES)
    check_count("width", width, 1, _MOST_WIDTH)
    check_count("depth", depth, 1, _MOST_DEPTH)
    check_dropout(dropout)
    if not isinstance(norm, bool):
        raise ValueError(f"norm must be true or false, got {norm!r}")
    nonlinearity = Activation(activation)
    hidden = tuple(
        Dense(width=scaled(width, _share(shape, number, depth)), norm=norm, activation=nonlinearity, dropout=dropout)
        for number in range(depth)
    )
    return Network(head=Head(hidden=hidden))


def _share(shape: str, number: int, depth: int) -> float:
    """The width of a hidden layer, counted from 0, as a share of the widest."""
    if shape == "inverted_triangle":
        return (depth - number) / depth
    if shape == "rectangle" or depth == 1:
        return 1.0
    from_middle = abs(2 * number / (depth - 1) - 1)  # 0 in the middle, 1 at both ends
    return 1 - 0.3 * from_middle
