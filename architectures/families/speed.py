"""Networks in the style of the CIFAR-10 speed records, residual and plain: few wide convolutions, each with a norm."""

from architectures.blocks import Head, Network, Residual, Step, Unit
from architectures.checks import check_dropout, check_factor, scaled
from architectures.families.registry import family
from architectures.layers import Block
from architectures.steps import Activation

_POOLED_FIRST: tuple[Step, ...] = ("pool", "norm", "activation", "dropout")


@family
def resnet9(*, width: float = 1.0, activation: str = "relu", head_dropout: float = 0.0) -> Network:
    """The nine-layer network of Page (2018), "How to train your ResNet", without the factor on its logits.

    width: factor on every channel count. head_dropout: before the classifier.
    """
    return _nine(width, activation, head_dropout, residual=True)


@family
def plain9(*, width: float = 1.0, activation: str = "relu", head_dropout: float = 0.0) -> Network:
    """`resnet9` without its sums: the same layers in sequence."""
    return _nine(width, activation, head_dropout, residual=False)


def _nine(width: float, activation: str, head_dropout: float, residual: bool) -> Network:
    check_factor("width", width)
    check_dropout(head_dropout, "head_dropout")
    nonlinearity = Activation(activation)

    def unit(channels: int, pooled: bool = False) -> Unit:
        return Unit(
            channels=scaled(channels, width),
            bias=False,
            norm=True,
            activation=nonlinearity,
            pool="max" if pooled else None,
        )

    def pair(channels: int) -> tuple[Block, ...]:
        units = (unit(channels), unit(channels))
        return (Residual(body=units),) if residual else units

    return Network(
        blocks=(unit(64), unit(128, True), *pair(128), unit(256, True), unit(512, True), *pair(512)),
        head=Head(pool="global_max", dropout=head_dropout),
    )


@family
def airbench(*, width: float = 1.0, activation: str = "gelu", head_dropout: float = 0.0) -> Network:
    """A plain network in the style of Jordan (2024), "94% on CIFAR-10 in 3.29 seconds on a single GPU".

    A 2×2 convolution, three pairs of convolutions that pool before the norm, and the maximum of each map. Unlike the
    original, the first convolution is trained and does not whiten the images, norms also learn their scale, and the
    logits have biases and no factor.

    width: factor on the channels of the pairs, 64, 256 and 256. head_dropout: before the classifier.
    """
    check_factor("width", width)
    check_dropout(head_dropout, "head_dropout")
    nonlinearity = Activation(activation)

    def pair(channels: int) -> tuple[Unit, Unit]:
        wide = scaled(channels, width)
        pooled = Unit(channels=wide, bias=False, norm=True, activation=nonlinearity, pool="max", order=_POOLED_FIRST)
        return pooled, Unit(channels=wide, bias=False, norm=True, activation=nonlinearity)

    stem = Unit(channels=24, kernel=2, padding=0, activation=nonlinearity)
    return Network(
        blocks=(stem, *pair(64), *pair(256), *pair(256)),
        head=Head(pool="global_max", dropout=head_dropout),
    )
