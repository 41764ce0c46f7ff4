"""The walk of an image through a network: every layer with its sizes, parameters and floating-point operations.

A walk is a sequence of nodes. A node is a layer or a sum of two branches, and each branch is a walk again. The builder,
the cost model and the printed table read this one structure, so none of them depends on the kind of network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from architectures.errors import HpsearchError

Shape = tuple[int, ...]
"""The sizes of one image or map (C, H, W), or of one vector (N,)."""


class SizeError(HpsearchError):
    """A network that these images do not fit: names the block, its input size and the rule."""


@dataclass(frozen=True)
class Layer:
    """One layer with its sizes for one image."""

    block: str
    """Its place: "unit 3", "unit 3 shortcut", "head 1", "head"."""
    op: Literal["prepare", "conv", "norm", "activation", "pool", "global_pool", "dropout", "flatten", "dense", "add"]
    """Its operation."""
    settings: dict[str, Any]
    """Arguments of its constructor besides the sizes."""
    input_shape: Shape
    """Sizes of its input."""
    output_shape: Shape
    """Sizes of its output."""
    parameters: int = 0
    """Weights and biases that training changes, a count."""
    flops: int = 0
    """Floating-point operations of the forward pass; a multiplication and an addition are two."""
    statistics: int = 0
    """Running means and variances of a norm, a count."""
    lr_factor: float = 1.0
    """Factor on the learning rate of its weights; 0 freezes them."""
    l2: float = 0.0
    """λ of the penalty λ·Σw² on its weights, without biases, as Keras counts it."""


@dataclass(frozen=True)
class Sum:
    """The sum of two branches that get the same input."""

    body: tuple[Node, ...]
    """The branch that learns."""
    shortcut: tuple[Node, ...]
    """The branch around it: a projection, or empty for the identity."""
    add: Layer
    """The addition itself."""

    @property
    def output_shape(self) -> Shape:
        """Sizes of the sum."""
        return self.add.output_shape


Node = Layer | Sum


class Block(Protocol):
    """A part of a network, as data."""

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """The part's nodes for an input of this shape; `name` is its place, for tables and messages.

        Raises SizeError if a map would be empty.
        """
        ...


def walk(blocks: Iterable[tuple[str, Block]], shape: Shape) -> Iterator[Node]:
    """The nodes of a sequence of blocks, each block with the name of its place."""
    for name, block in blocks:
        for node in block.walk(name, shape):
            yield node
            shape = node.output_shape


def layers(nodes: Iterable[Node]) -> Iterator[Layer]:
    """Every layer of a walk; for a sum those of body and shortcut, then the addition."""
    for node in nodes:
        if isinstance(node, Sum):
            yield from layers(node.body)
            yield from layers(node.shortcut)
            yield node.add
        else:
            yield node


def frozen(node: Node) -> bool:
    """Whether no part of a node is trained, neither weights nor running statistics."""
    return all(layer.lr_factor == 0 for layer in layers([node]))


def overwritable(nodes: Sequence[Node]) -> list[bool]:
    """For each node, whether it may overwrite its input.

    It may if the input was made within this sequence, and the layer that made it does not need it for its gradient. A
    branch shares its input with the other branch, and an activation's gradient is computed from its output.
    """
    found, free = [], False
    for node in nodes:
        found.append(free)
        if isinstance(node, Sum):
            free = True
        elif node.op == "activation":
            free = False
        elif node.op not in ("dropout", "flatten"):  # these may return their input itself
            free = True
    return found
