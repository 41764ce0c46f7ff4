"""Transfer learning: torchvision's networks for ImageNet with a new head, as data with torchvision's own layers.

Images are resized and normalised as the weights expect. The body is everything before torchvision's classifier; it is
followed by the average of each map, optional hidden layers and the logits.
"""

from collections.abc import Sequence
from pathlib import Path

from architectures.blocks import Dense, Head, Network, Tuned, Weights
from architectures.checks import check_counts, check_dropout, check_least
from architectures.families.registry import family
from architectures.families.residual import stages
from architectures.layers import Block
from architectures.steps import RELU, Conv, Norm, Pool, Prepare

# Convolutions of each of the five stages, whose channels double up to 512.
_VGG16, _VGG19 = (2, 2, 3, 3, 3), (2, 2, 4, 4, 4)
_MOST_WIDTH = 1_000_000


@family
def vgg16(
    *,
    weights: str = "imagenet",
    body_lr: float | None = None,
    size: int = 224,
    head_widths: Sequence[int] = (),
    head_dropout: float = 0.0,
) -> Network:
    """VGG16 with a new head (Simonyan and Zisserman 2015); 14,714,688 parameters without the head.

    weights: "imagenet" (torchvision's, downloaded once), the full path of such a file, or "random". body_lr: factor on
    the body's learning rate; by default 0, which freezes it, or 1 if its weights are random. size: pixels of a side to
    which images are resized; the weights are for 224, and a smaller size costs less. head_widths: hidden layers.
    head_dropout: before each dense layer.
    """
    return _network("vgg16", _vgg(_VGG16), weights, body_lr, size, head_widths, head_dropout)


@family
def vgg19(
    *,
    weights: str = "imagenet",
    body_lr: float | None = None,
    size: int = 224,
    head_widths: Sequence[int] = (),
    head_dropout: float = 0.0,
) -> Network:
    """VGG19 with a new head; 20,024,384 parameters without the head. Hyperparameters as in `vgg16`."""
    return _network("vgg19", _vgg(_VGG19), weights, body_lr, size, head_widths, head_dropout)


@family
def resnet50(
    *,
    weights: str = "imagenet",
    body_lr: float | None = None,
    size: int = 224,
    head_widths: Sequence[int] = (),
    head_dropout: float = 0.0,
) -> Network:
    """ResNet-50 with a new head (He et al. 2016), 23,508,032 parameters without the head.

    Hyperparameters as in `vgg16`. As in torchvision, a stage's first 3×3 convolution halves the map. A frozen body
    keeps its running statistics too.
    """
    stem = (Conv(channels=64, kernel=7, stride=2, padding=3, bias=False), Norm(), RELU, Pool("max", 3, 2, 1))
    blocks = stages(64, (3, 4, 6, 3), (64, 128, 256, 512), RELU, block="bottleneck")
    return _network("resnet50", [*stem, *blocks], weights, body_lr, size, head_widths, head_dropout)


def _vgg(depths: Sequence[int]) -> list[Block]:
    blocks: list[Block] = []
    for stage, depth in enumerate(depths):
        for _ in range(depth):
            blocks += [Conv(channels=min(512, 64 * 2**stage)), RELU]
        blocks.append(Pool("max"))
    return blocks


def _network(
    model: str,
    body: Sequence[Block],
    weights: str,
    body_lr: float | None,
    size: int,
    head_widths: Sequence[int],
    head_dropout: float,
) -> Network:
    if not isinstance(weights, str) or (weights not in ("imagenet", "random") and not Path(weights).is_absolute()):
        raise ValueError(f"weights must be imagenet, random or the full path of a file, got {weights!r}")
    if body_lr is None:
        body_lr = 1.0 if weights == "random" else 0.0
    check_least("body_lr", body_lr, 0.0)
    check_counts("head_widths", head_widths, "[256]", _MOST_WIDTH)
    check_dropout(head_dropout, "head_dropout")
    return Network(
        blocks=tuple(Tuned(block, body_lr) for block in (Prepare(size), *body)),
        head=Head(
            pool="global",
            dropout=head_dropout,
            hidden=tuple(Dense(width=width, dropout=head_dropout) for width in head_widths),
        ),
        weights=None if weights == "random" else Weights(model, weights),
    )
