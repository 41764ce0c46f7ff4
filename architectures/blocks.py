"""What networks are made of, as frozen data: units, residual blocks, dense layers and the head.

A network is a tuple of blocks and a head, for any image size, channel count and number of classes. A block is one of
those below or a single layer of `architectures.steps`. Each block yields its own layers, so a new kind of block is a
new class here and nothing else changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Literal

from architectures.checks import check_choice, check_dropout
from architectures.layers import Block, Layer, Node, Shape, SizeError, Sum, layers, walk
from architectures.steps import (
    RELU,
    Activation,
    Conv,
    Dropout,
    Flatten,
    GlobalPool,
    Linear,
    Norm,
    Pool,
    Pooling,
)

Step = Literal["norm", "activation", "pool", "dropout"]
HEAD_POOLS = ("flatten", "global", "global_max")


def _in_order(order: tuple[Step, ...], steps: dict[Step, Block | None]) -> Iterator[Block]:
    """The steps that are there, in this order."""
    return (step for name in order if (step := steps[name]) is not None)


def _check_order(order: tuple[str, ...], steps: tuple[str, ...]) -> None:
    if sorted(order) != sorted(steps):
        raise ValueError(f"an order holds each of {', '.join(steps)} once, got {order}")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A convolution and what follows it."""

    channels: int
    """Output channels."""
    kernel: int = 3
    """Side of the kernel, in pixels."""
    stride: int = 1
    """Step of the kernel, in pixels."""
    padding: int = 1
    """Zeros added on each side, in pixels."""
    bias: bool = True
    """Whether each output channel has a bias."""
    norm: bool = False
    """Whether batch norm follows."""
    activation: Activation | None = RELU
    """The nonlinearity that follows."""
    pool: Pooling | None = None
    """The pooling that follows; it halves the map (kernel and stride 2)."""
    dropout: float = 0.0
    """Probability of the dropout that follows."""
    order: tuple[Step, ...] = ("norm", "activation", "pool", "dropout")
    """The order of what follows; names all four, whether they are there or not."""

    def __post_init__(self) -> None:
        _check_order(self.order, ("norm", "activation", "pool", "dropout"))
        tuple(self._steps())  # each step checks its own values

    def _steps(self) -> Iterator[Block]:
        yield Conv(channels=self.channels, kernel=self.kernel, stride=self.stride, padding=self.padding, bias=self.bias)
        check_dropout(self.dropout)
        yield from _in_order(
            self.order,
            {
                "norm": Norm() if self.norm else None,
                "activation": self.activation,
                "pool": Pool(self.pool) if self.pool is not None else None,
                "dropout": Dropout(self.dropout) if self.dropout else None,
            },
        )

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """The convolution and what follows it."""
        return walk(((name, step) for step in self._steps()), shape)


@dataclass(frozen=True, kw_only=True)
class Residual:
    """A residual block: a body and a shortcut around it, and their sum (He et al. 2016).

    With norm and activation inside `body` and `activation` after the sum it is the post-activation block. With norm and
    activation at the body's start (or in `before`, where the shortcut is a projection) it is the pre-activation block.
    """

    body: tuple[Block, ...]
    """What learns the difference."""
    shortcut: tuple[Block, ...] = ()
    """A projection to the body's output size; empty for the identity."""
    before: tuple[Block, ...] = ()
    """What comes before both."""
    activation: Activation | None = None
    """The nonlinearity after the sum."""

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """Its nodes; raises SizeError where body and shortcut differ in size."""
        for node in walk(((name, step) for step in self.before), shape):
            yield node
            shape = node.output_shape
        body = tuple(walk(((name, step) for step in self.body), shape))
        shortcut = tuple(walk(((f"{name} shortcut", step) for step in self.shortcut), shape))
        out, around = (branch[-1].output_shape if branch else shape for branch in (body, shortcut))
        if out != around:
            sizes = ("×".join(map(str, size)) for size in (out, around))
            raise SizeError(
                f"{name} adds {' and '.join(sizes)} maps; body and shortcut must have one size, "
                "for which a shortcut may be a projection"
            )
        yield Sum(body, shortcut, Layer(name, "add", {}, out, out, 0, prod(out)))
        if self.activation:
            yield from self.activation.walk(name, out)


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A hidden dense layer and what follows it."""

    width: int
    """Numbers it returns."""
    norm: bool = False
    """Whether batch norm follows."""
    activation: Activation | None = RELU
    """The nonlinearity that follows."""
    dropout: float = 0.0
    """Probability of the dropout that follows."""
    order: tuple[Step, ...] = ("norm", "activation", "dropout")
    """The order of what follows; names all three, whether they are there or not."""

    def __post_init__(self) -> None:
        _check_order(self.order, ("norm", "activation", "dropout"))
        tuple(self._steps())  # each step checks its own values

    def _steps(self) -> Iterator[Block]:
        yield Linear(self.width)
        check_dropout(self.dropout)
        yield from _in_order(
            self.order,
            {
                "norm": Norm() if self.norm else None,
                "activation": self.activation,
                "dropout": Dropout(self.dropout) if self.dropout else None,
            },
        )

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """The dense layer and what follows it."""
        return walk(((name, step) for step in self._steps()), shape)


@dataclass(frozen=True, kw_only=True)
class Head:
    """From maps to logits: a vector, dropout, hidden layers, and a dense layer with a logit for each class."""

    pool: Literal["flatten", "global", "global_max"] = "flatten"
    """How maps become a vector: as they are, or the average or the largest number of each."""
    dropout: float = 0.0
    """Probability of the dropout on that vector."""
    hidden: tuple[Dense, ...] = ()
    """Hidden dense layers."""

    def __post_init__(self) -> None:
        check_choice("head pool", self.pool, HEAD_POOLS)
        check_dropout(self.dropout)

    def walk(self, shape: Shape, num_classes: int) -> Iterator[Node]:
        """The nodes from maps (C, H, W) to (num_classes,) logits."""
        pools: dict[str, Block] = {
            "flatten": Flatten(),
            "global": GlobalPool("average"),
            "global_max": GlobalPool("max"),
        }
        parts: list[tuple[str, Block]] = [("head", pools[self.pool])]
        if self.dropout:
            parts.append(("head", Dropout(self.dropout)))
        parts += [(f"head {number}", dense) for number, dense in enumerate(self.hidden, 1)]
        return walk([*parts, ("head", Linear(num_classes))], shape)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of any kind: blocks that follow one another, and a head. Without blocks it is a dense network."""

    blocks: tuple[Block, ...] = ()
    """Units, residual blocks or single layers."""
    head: Head = Head()
    """What makes logits of the last block's output."""

    def walk(self, input_shape: Shape, num_classes: int) -> tuple[Node, ...]:
        """The way of an image (C, H, W) to its logits; raises SizeError where a map would vanish."""
        parts = [(f"unit {number}", block) for number, block in enumerate(self.blocks, 1)]
        nodes = list(walk(parts, input_shape))
        shape = nodes[-1].output_shape if nodes else input_shape
        return (*nodes, *self.head.walk(shape, num_classes))

    def layers(self, input_shape: Shape, num_classes: int) -> list[Layer]:
        """Every layer of the walk; raises SizeError where a map would vanish."""
        return list(layers(self.walk(input_shape, num_classes)))
