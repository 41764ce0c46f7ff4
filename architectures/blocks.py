"""The parts of networks, as frozen data: units, residual blocks, dense layers and the head.

A network is a tuple of blocks and a head, for any image size, channel count and number of classes. A block is one of
those below or a single layer of `architectures.steps`. Each block yields its own layers, so a new kind of block is a
new class here and nothing else changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

from architectures.checks import check_choice, check_dropout, check_least
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
_UNIT_ORDER: tuple[Step, ...] = ("norm", "activation", "pool", "dropout")
_DENSE_ORDER: tuple[Step, ...] = ("norm", "activation", "dropout")
_HEAD_POOLS: dict[str, Block] = {
    "flatten": Flatten(),
    "global": GlobalPool("average"),
    "global_max": GlobalPool("max"),
}


def _check_block(what: str, value: Any, example: str = "Unit(channels=32)") -> None:
    """Raise ValueError unless the value is a block: no class, and no network or head, whose walks are others."""
    if isinstance(value, type | Head | Network) or not hasattr(value, "walk"):
        raise ValueError(f"{what} must be a block, such as {example}, got {value!r}")


def _check_blocks(what: str, values: Any, example: str = "Unit(channels=32)") -> None:
    """Raise ValueError unless the values are a tuple or a list of blocks."""
    if not isinstance(values, list | tuple):
        raise ValueError(f"{what} must be a tuple of blocks, such as ({example},), got {values!r}")
    for value in values:
        _check_block(f"each of {what}", value, example)


def _check_activation(value: Any) -> None:
    if value is not None:
        _check_block("activation", value, "Activation('relu')")


@dataclass(frozen=True, kw_only=True)
class _Followed:
    """The steps that may follow a layer with weights."""

    norm: bool = False
    """Whether batch norm follows."""
    activation: Activation | None = RELU
    """The nonlinearity that follows."""
    dropout: float = 0.0
    """Probability of the dropout that follows."""

    def _follow(self, order: tuple[Step, ...], known: tuple[Step, ...], pool: Block | None = None) -> list[Block]:
        """The steps that follow, in this order; raises ValueError unless it names each known step once."""
        if sorted(order) != sorted(known):
            raise ValueError(f"an order holds each of {', '.join(known)} once, got {order}")
        check_dropout(self.dropout)
        _check_activation(self.activation)
        steps: dict[Step, Block | None] = {
            "norm": Norm() if self.norm else None,
            "activation": self.activation,
            "pool": pool,
            "dropout": Dropout(self.dropout) if self.dropout else None,
        }
        return [step for name in order if (step := steps[name]) is not None]


@dataclass(frozen=True, kw_only=True)
class Unit(Conv, _Followed):
    """A convolution and the steps that follow it."""

    pool: Pooling | None = None
    """The pooling that follows; it halves the map (kernel and stride 2)."""
    order: tuple[Step, ...] = _UNIT_ORDER
    """The order of the steps that follow; names all four, also those that are off."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._steps()  # checks the rest

    def _steps(self) -> list[Block]:
        return self._follow(self.order, _UNIT_ORDER, None if self.pool is None else Pool(self.pool))

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """The convolution and the steps that follow it."""
        for conv in super().walk(name, shape):
            yield conv
            yield from walk(((name, step) for step in self._steps()), conv.output_shape)


@dataclass(frozen=True, kw_only=True)
class Residual:
    """A residual block: a body and a shortcut around it, and their sum (He et al. 2016).

    It is the post-activation block if norm and activation are inside `body` and `activation` follows the sum. It is the
    pre-activation block if they are at the body's start (or in `before`, if the shortcut is a projection).
    """

    body: tuple[Block, ...]
    """The branch that learns the residual."""
    shortcut: tuple[Block, ...] = ()
    """A projection to the body's output size; empty for the identity."""
    before: tuple[Block, ...] = ()
    """Layers before both branches."""
    activation: Activation | None = None
    """The nonlinearity after the sum."""

    def __post_init__(self) -> None:
        for name in ("body", "shortcut", "before"):
            _check_blocks(name, getattr(self, name))
        _check_activation(self.activation)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """The block's nodes; raises SizeError if body and shortcut differ in size."""
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


@dataclass(frozen=True)
class Tuned:
    """A block whose weights have their own learning rate, or are frozen."""

    block: Block
    """The block itself."""
    lr_factor: float
    """Factor on the learning rate; 0 freezes weights and running statistics."""

    def __post_init__(self) -> None:
        _check_block("what is tuned", self.block)
        check_least("lr_factor", self.lr_factor, 0.0)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """The block's nodes, each with the factor."""
        return (_tuned(node, self.lr_factor) for node in self.block.walk(name, shape))


def _tuned(node: Node, lr_factor: float) -> Node:
    if isinstance(node, Sum):
        body, shortcut = (tuple(_tuned(each, lr_factor) for each in branch) for branch in (node.body, node.shortcut))
        return Sum(body, shortcut, replace(node.add, lr_factor=lr_factor))
    return replace(node, lr_factor=lr_factor)


@dataclass(frozen=True, kw_only=True)
class Dense(Linear, _Followed):
    """A hidden dense layer and the steps that follow it."""

    order: tuple[Step, ...] = _DENSE_ORDER
    """The order of the steps that follow; names all three, also those that are off."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._steps()  # checks the rest

    def _steps(self) -> list[Block]:
        return self._follow(self.order, _DENSE_ORDER)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """The dense layer and the steps that follow it."""
        for dense in super().walk(name, shape):
            yield dense
            yield from walk(((name, step) for step in self._steps()), dense.output_shape)


@dataclass(frozen=True, kw_only=True)
class Head:
    """From maps to logits: a vector, dropout, hidden layers, and a dense layer with a logit for each class."""

    pool: Literal["flatten", "global", "global_max"] = "flatten"
    """How maps become a vector: flattened, or as the average or the maximum of each map."""
    dropout: float = 0.0
    """Probability of the dropout on that vector."""
    hidden: tuple[Dense, ...] = ()
    """Hidden dense layers."""

    def __post_init__(self) -> None:
        check_choice("head pool", self.pool, tuple(_HEAD_POOLS))
        check_dropout(self.dropout)
        _check_blocks("hidden", self.hidden, "Dense(width=128)")

    def walk(self, shape: Shape, num_classes: int) -> Iterator[Node]:
        """The nodes from maps (C, H, W) to (num_classes,) logits."""
        parts: list[tuple[str, Block]] = [("head", _HEAD_POOLS[self.pool])]
        if self.dropout:
            parts.append(("head", Dropout(self.dropout)))
        parts += [(f"head {number}", dense) for number, dense in enumerate(self.hidden, 1)]
        return walk([*parts, ("head", Linear(num_classes))], shape)


@dataclass(frozen=True)
class Weights:
    """Weights from another training, with which the tuned blocks of a network begin."""

    model: str
    """Torchvision's name for the network that they belong to."""
    source: str
    """`imagenet`, or the path of a file."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network of any kind: a sequence of blocks, and a head. Without blocks it is a dense network."""

    blocks: tuple[Block, ...] = ()
    """Units, residual blocks, tuned blocks or single layers."""
    head: Head = Head()
    """Turns the last block's output into logits."""
    weights: Weights | None = None
    """Weights that training begins with; None if all are random."""

    def __post_init__(self) -> None:
        _check_blocks("blocks", self.blocks)
        if not isinstance(self.head, Head):
            raise ValueError(f"head must be a Head, such as Head(pool='global'), got {self.head!r}")
        if not isinstance(self.weights, Weights | None):
            raise ValueError(f"weights must be Weights, such as Weights('vgg16', 'imagenet'), got {self.weights!r}")

    def walk(self, input_shape: Shape, num_classes: int) -> tuple[Node, ...]:
        """The nodes from an image (C, H, W) to its logits; raises SizeError if a map would be empty."""
        parts = [(f"unit {number}", block) for number, block in enumerate(self.blocks, 1)]
        nodes = list(walk(parts, input_shape))
        shape = nodes[-1].output_shape if nodes else input_shape
        return (*nodes, *self.head.walk(shape, num_classes))

    def layers(self, input_shape: Shape, num_classes: int) -> list[Layer]:
        """Every layer of the walk; raises SizeError if a map would be empty."""
        return list(layers(self.walk(input_shape, num_classes)))
