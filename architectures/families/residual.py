"""Residual networks: ResNet and Wide ResNet for small images, and the stages that other families use."""

from collections.abc import Sequence

from architectures.blocks import Head, Network, Residual, Unit
from architectures.checks import check_choice, check_count, check_counts, check_dropout, check_factor, scaled
from architectures.families.registry import family
from architectures.layers import Block
from architectures.steps import Activation, Conv, Dropout, Norm

BLOCKS = ("basic", "bottleneck")
ORDERS = ("post", "pre")
_EXPANSION = 4  # a bottleneck block returns four times the channels of its inner convolutions
_MOST_WIDTH = 100_000
_MOST_DEPTH = 1_000
_WIDE = (16, 32, 64)  # channels of the stages of a Wide ResNet of width 1


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
    inner = [scaled(wide, width) for wide in widths]
    stem = Unit(channels=inner[0], bias=False, norm=not pre, activation=None if pre else nonlinearity)
    blocks = [stem, *stages(inner[0], depths, inner, nonlinearity, block=block, order=order)]
    if pre:
        blocks += [Norm(), nonlinearity]
    return Network(blocks=tuple(blocks), head=Head(pool="global", dropout=head_dropout))


@family
def wide_resnet(
    *,
    depth: int = 28,
    width: float = 10.0,
    dropout: float = 0.0,
    activation: str = "relu",
    head_dropout: float = 0.0,
) -> Network:
    """WRN-28-10 (Zagoruyko and Komodakis 2016, "Wide residual networks"): pre-activation, 36,479,194 for 10 classes.

    depth: convolutions as the paper counts them, 6 · (blocks of a stage) + 4: 10, 16, 22, 28, 34, 40. width: factor on
    the 16, 32 and 64 channels of the three stages; the stem keeps its 16. dropout: within each block, before its second
    convolution. head_dropout: before the classifier.
    """
    check_count("depth", depth, 10, _MOST_DEPTH)
    if (depth - 4) % 6:
        raise ValueError(f"depth must be 6·n + 4, such as 10, 16, 22, 28 or 40, got {depth}")
    check_factor("width", width)
    check_dropout(dropout)
    check_dropout(head_dropout, "head_dropout")
    nonlinearity = Activation(activation)
    stem = Conv(channels=_WIDE[0], bias=False)
    inner = [scaled(wide, width) for wide in _WIDE]
    depths = [(depth - 4) // 6] * len(_WIDE)
    wide = stages(_WIDE[0], depths, inner, nonlinearity, order="pre", dropout=dropout)
    return Network(blocks=(stem, *wide, Norm(), nonlinearity), head=Head(pool="global", dropout=head_dropout))


def stages(
    channels: int,
    depths: Sequence[int],
    widths: Sequence[int],
    activation: Activation,
    *,
    block: str = "basic",
    order: str = "post",
    dropout: float = 0.0,
) -> list[Block]:
    """Residual blocks in stages; every stage but the first halves the map.

    channels: of their input. depths: blocks of each stage. widths: channels of each stage's 3×3 convolutions. block,
    order: as in `resnet`. dropout: before the last convolution of each block.
    """
    blocks: list[Block] = []
    for stage, (depth, inner) in enumerate(zip(depths, widths, strict=True)):
        for number in range(depth):
            stride = 2 if stage and not number else 1
            convolutions = _convolutions(block, inner, stride)
            out = convolutions[-1].channels
            projection = Conv(channels=out, kernel=1, stride=stride, padding=0, bias=False)
            make = _pre if order == "pre" else _post
            given = projection if (stride, out) != (1, channels) else None
            blocks.append(make(convolutions, given, activation, (Dropout(dropout),) if dropout else ()))
            channels = out
    return blocks


def _convolutions(block: str, inner: int, stride: int) -> list[Conv]:
    if block == "basic":
        return [Conv(channels=inner, stride=stride, bias=False), Conv(channels=inner, bias=False)]
    return [
        Conv(channels=inner, kernel=1, padding=0, bias=False),
        Conv(channels=inner, stride=stride, bias=False),
        Conv(channels=_EXPANSION * inner, kernel=1, padding=0, bias=False),
    ]


def _post(
    convolutions: list[Conv], projection: Conv | None, activation: Activation, dropout: tuple[Block, ...]
) -> Residual:
    body = [step for conv in convolutions[:-1] for step in (conv, Norm(), activation)]
    shortcut = (projection, Norm()) if projection else ()
    return Residual(body=(*body, *dropout, convolutions[-1], Norm()), shortcut=shortcut, activation=activation)


def _pre(
    convolutions: list[Conv], projection: Conv | None, activation: Activation, dropout: tuple[Block, ...]
) -> Residual:
    body: list[Block] = [step for conv in convolutions[:-1] for step in (Norm(), activation, conv)]
    body += [Norm(), activation, *dropout, convolutions[-1]]
    if projection is None:
        return Residual(body=tuple(body))
    # A projection gets the activated maps, as the body's first convolution does.
    return Residual(before=tuple(body[:2]), body=tuple(body[2:]), shortcut=(projection,))
