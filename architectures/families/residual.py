"""Residual networks for small images, and one without its sums to compare with."""

from collections.abc import Sequence

from architectures.blocks import Head, Network, Residual, Unit
from architectures.checks import check_choice, check_counts, check_dropout, check_factor, scaled
from architectures.families.registry import family
from architectures.layers import Block
from architectures.steps import Activation, Conv, Norm

BLOCKS = ("basic", "bottleneck")
ORDERS = ("post", "pre")
_EXPANSION = 4  # a bottleneck block returns four times the channels of its inner convolutions
_MOST_WIDTH = 100_000
_MOST_DEPTH = 1_000


@family
def resnet(
    *,
    depths: Sequence[int] = (2, 2, 2, 2),
    widths: Sequence[int] = (64, 128, 256, 512),
    width: float = 1.0,
    block: str = "basic",
    order: str = "post",
    activation: str = "relu",
    head_dropout: float = 0.0,
) -> Network:
    """ResNet-18 with a 3×3 stem for small images (He et al. 2016, "Deep residual learning for image recognition").

    depths: residual blocks of each stage. widths: channels of each stage's 3×3 convolutions. width: factor on them.
    block: "basic" (two 3×3 convolutions) or "bottleneck" (1×1, 3×3, 1×1, which returns four times the channels).
    order: "post" (norm and activation after each convolution and after the sum) or "pre" (before each convolution; He
    et al. 2016, "Identity mappings in deep residual networks"). head_dropout: before the classifier.

    Every stage but the first halves the map.
    """
    check_counts("depths", depths, "[2, 2, 2, 2]", _MOST_DEPTH)
    check_counts("widths", widths, "[64, 128, 256, 512]", _MOST_WIDTH)
    if len(depths) != len(widths) or not depths:
        raise ValueError(
            f"depths and widths must have one number for each stage, got {len(depths)} depths and {len(widths)} widths"
        )
    check_factor("width", width)
    check_choice("block", block, BLOCKS)
    check_choice("order", order, ORDERS)
    check_dropout(head_dropout, "head_dropout")
    nonlinearity = Activation(activation)
    pre = order == "pre"
    channels = scaled(widths[0], width)
    stem = Unit(channels=channels, bias=False, norm=not pre, activation=None if pre else nonlinearity)
    blocks: list[Block] = [stem]
    for stage, (depth, wide) in enumerate(zip(depths, widths, strict=True)):
        inner = scaled(wide, width)
        for number in range(depth):
            stride = 2 if stage and not number else 1
            convolutions = _convolutions(block, inner, stride)
            out = convolutions[-1].channels
            projection = Conv(channels=out, kernel=1, stride=stride, padding=0, bias=False)
            make = _pre if pre else _post
            blocks.append(make(convolutions, projection if (stride, out) != (1, channels) else None, nonlinearity))
            channels = out
    if pre:
        blocks += [Norm(), nonlinearity]
    return Network(blocks=tuple(blocks), head=Head(pool="global", dropout=head_dropout))


def _convolutions(block: str, inner: int, stride: int) -> list[Conv]:
    if block == "basic":
        return [Conv(channels=inner, stride=stride, bias=False), Conv(channels=inner, bias=False)]
    return [
        Conv(channels=inner, kernel=1, padding=0, bias=False),
        Conv(channels=inner, stride=stride, bias=False),
        Conv(channels=_EXPANSION * inner, kernel=1, padding=0, bias=False),
    ]


def _post(convolutions: list[Conv], projection: Conv | None, activation: Activation) -> Residual:
    body = [step for conv in convolutions for step in (conv, Norm(), activation)]
    shortcut = (projection, Norm()) if projection else ()
    return Residual(body=tuple(body[:-1]), shortcut=shortcut, activation=activation)


def _pre(convolutions: list[Conv], projection: Conv | None, activation: Activation) -> Residual:
    body = [step for conv in convolutions for step in (Norm(), activation, conv)]
    if projection is None:
        return Residual(body=tuple(body))
    # A projection gets the activated maps, as the body's first convolution does.
    return Residual(before=tuple(body[:2]), body=tuple(body[2:]), shortcut=(projection,))


@family
def resnet9(*, width: float = 1.0, activation: str = "relu", head_dropout: float = 0.0) -> Network:
    """The nine-layer network of Page (2018), "How to train your ResNet", without the factor on its logits.

    width: factor on every channel count. head_dropout: before the classifier.
    """
    return _nine(width, activation, head_dropout, residual=True)


@family
def plain9(*, width: float = 1.0, activation: str = "relu", head_dropout: float = 0.0) -> Network:
    """`resnet9` without its sums: the same layers one after the other."""
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
