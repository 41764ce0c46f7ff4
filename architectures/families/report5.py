"""Report 5, on Fashion-MNIST and on residual blocks (CIFAR-100, Keras): dense networks, `model1` and `model2`."""

from architectures.blocks import Dense, Head, Network, Residual, Unit
from architectures.checks import check_choice, check_count, check_dropout, check_factor, check_flag, scaled
from architectures.families.plain import Plain, plain_family
from architectures.families.registry import family
from architectures.layers import Block
from architectures.steps import Activation, Conv, Norm, Pool

_MODEL2 = ((3, 64), (4, 128), (6, 256), (3, 512))  # blocks and channels of each stage
_REDUCTION = 4  # a block's inner convolutions have a fourth of its channels
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
    """A dense network: 300, 200 and 100 wide hidden layers, each with dropout.

    shape: "inverted_triangle" (ever narrower, in equal steps: 300, 200, 100), "rectangle" (200, 200, 200) or "hexagon"
    (widest in the middle, and seven tenths of that at both ends: 175, 250, 175). width: of the widest hidden layer; of
    a hexagon's middle, where no layer is if its depth is even (width 250: 175, 175; or 175, 225, 225, 175). No layer
    has less than one unit. depth: hidden layers. norm: batch norm after each hidden layer. dropout: after each hidden
    layer.
    """
    check_choice("shape", shape, SHAPES)
    check_count("width", width, 1, _MOST_WIDTH)
    check_count("depth", depth, 1, _MOST_DEPTH)
    check_dropout(dropout)
    check_flag("norm", norm)
    nonlinearity = Activation(activation)
    hidden = tuple(
        Dense(
            width=max(1, round(width * _share(shape, number, depth))),
            norm=norm,
            activation=nonlinearity,
            dropout=dropout,
        )
        for number in range(depth)
    )
    return Network(head=Head(hidden=hidden))


def _share(shape: str, number: int, depth: int) -> float:
    """The width of a hidden layer, counted from 0, as a share of `width`."""
    if shape == "inverted_triangle":
        return (depth - number) / depth
    if shape == "rectangle" or depth == 1:
        return 1.0
    from_middle = abs(2 * number / (depth - 1) - 1)  # 0 in the middle, 1 at both ends
    return 1 - 0.3 * from_middle


def _model1(*channels: int) -> Plain:
    units = tuple(
        Unit(
            channels=wide,
            padding=0 if number else 1,
            norm=True,
            pool=None if number % 2 else "max",
            dropout=0.0 if number % 2 else 0.25,
        )
        for number, wide in enumerate(channels)
    )
    return Plain(units=units, head=Head(hidden=(Dense(width=1024, norm=True, dropout=0.5),)), dropout_after="pools")


@plain_family
def model1() -> Plain:
    """Five convolutions with the widths of the text: 518,116 with running statistics, 515,236 without.

    The text's layers give that count if the last map is a single pixel, so here only the first convolution has padding.
    The report states 645,412; see `model1_counted`.
    """
    return _model1(32, 64, 64, 128, 128)


@plain_family
def model1_counted() -> Plain:
    """`model1` with the widths that give the report's count: 645,412 parameters."""
    return _model1(64, 64, 128, 128, 128)


@family
def model2(*, width: float = 1.0, activation: str = "relu") -> Network:
    """A residual network: 3, 4, 6 and 3 bottleneck blocks in four stages.

    1,557,060 parameters at 3×32×32 and 100 classes, with running statistics. The report gives the layers but not where
    the activations are: here after the stem, after each norm except the last of a block, after each sum, and before the
    pooling. Every stage but the first halves the map.

    width: factor on every channel count.
    """
    check_factor("width", width)
    nonlinearity = Activation(activation)
    channels = scaled(_MODEL2[0][1], width)
    stem = Conv(channels=channels, kernel=7, stride=2, padding=3, bias=False)
    blocks: list[Block] = [stem, nonlinearity, Pool("max", kernel=3, stride=2, padding=1)]
    for stage, (depth, wide) in enumerate(_MODEL2):
        for number in range(depth):
            stride = 2 if stage and not number else 1
            out = scaled(wide, width)
            blocks.append(_bottleneck(out, stride, channels != out, nonlinearity))
            channels = out
    return Network(blocks=(*blocks, Norm(), nonlinearity), head=Head(pool="global"))


def _bottleneck(channels: int, stride: int, projected: bool, activation: Activation) -> Residual:
    inner = max(1, channels // _REDUCTION)
    body: tuple[Block, ...] = (
        Conv(channels=inner, kernel=1, padding=0),
        Norm(),
        activation,
        Conv(channels=inner, stride=stride),
        Norm(),
        activation,
        Conv(channels=channels, kernel=1, padding=0),
        Norm(),
    )
    # A halved map needs a projection even if a small width leaves the number of channels unchanged.
    shortcut = (Conv(channels=channels, kernel=1, stride=stride, padding=0),) if projected or stride > 1 else ()
    return Residual(body=body, shortcut=shortcut, activation=activation)
