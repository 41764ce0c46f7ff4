"""Networks of student reports on small image classifiers."""

from architectures.blocks import Head, Network, Residual
from architectures.checks import check_factor, scaled
from architectures.families.registry import family
from architectures.layers import Block
from architectures.steps import Activation, Conv, Norm, Pool

_MODEL2 = ((3, 64), (4, 128), (6, 256), (3, 512))  # blocks and channels of each stage
_REDUCTION = 4  # a block's inner convolutions have a fourth of its channels


@family
def model2(*, width: float = 1.0, activation: str = "relu") -> Network:
    """The residual network of the report on Fashion-MNIST and CIFAR-100: bottleneck blocks 3/4/6/3.

    1,557,060 parameters at 3×32×32 and 100 classes, with running statistics. The report gives the layers and not the
    places of the activations: here they are after the stem, after each norm but the last of a block, after each sum,
    and before the pooling. Every stage but the first halves the map.

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
    # A halved map needs a projection even where a small width leaves the number of channels as it is.
    shortcut = (Conv(channels=channels, kernel=1, stride=stride, padding=0),) if projected or stride > 1 else ()
    return Residual(body=body, shortcut=shortcut, activation=activation)
