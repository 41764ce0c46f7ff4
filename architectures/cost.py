"""The cost of a network, from its data alone: no weight is allocated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from math import prod

from architectures.blocks import Network
from architectures.layers import Layer, Node, Shape, Sum, frozen, layers, overwritable

# Bytes that autograd keeps for each element of a layer's output (float32), as torch's saved tensors show:
# a convolution's output is kept by the next layer, max pooling keeps an int64 index, dropout a byte mask.
_KEPT_BYTES = {
    "conv": 4,
    "prepare": 4,
    "norm": 4,
    "activation": 4,
    "pool": 4 + 8,
    "global_pool": 4,
    "dropout": 4 + 1,
    "flatten": 0,
    "dense": 4,
    "add": 4,
}
_OUTPUT_BYTES = 4
_IN_PLACE = ("relu", "leaky_relu", "elu", "selu")


@dataclass(frozen=True)
class Cost:
    """The cost of one network."""

    parameters: int
    """Weights and biases, a count."""
    flops: int
    """Floating-point operations of the forward pass of one image; a multiplication and an addition are two."""
    activation_bytes: int
    """Bytes kept for the backward pass of one image, in float32; for frozen first layers, only the largest maps."""
    statistics: int = 0
    """Running means and variances, a count."""
    frozen: int = 0
    """Parameters that are not trained, a count."""
    passing_bytes: int = 0
    """Bytes of the largest input and output of a layer for one image: a forward pass alone keeps no other maps."""
    pixels: int = 0
    """Pixels of an image, or of what the network enlarges it to."""

    @property
    def with_statistics(self) -> int:
        """Parameters as Keras counts them: running means and variances too."""
        return self.parameters + self.statistics


def cost(network: Network, input_shape: Shape, num_classes: int) -> Cost:
    """The cost of a network for images (C, H, W). Raises SizeError if a map would be empty."""
    nodes = network.walk(input_shape, num_classes)
    found = list(layers(nodes))
    prepared = [layer.output_shape for layer in found if layer.op == "prepare"]
    return Cost(
        parameters=sum(layer.parameters for layer in found),
        flops=sum(layer.flops for layer in found),
        activation_bytes=_activation_bytes(nodes, input_shape),
        statistics=sum(layer.statistics for layer in found),
        frozen=sum(layer.parameters for layer in found if frozen(layer)),
        passing_bytes=_OUTPUT_BYTES * _largest(found, input_shape),
        pixels=max(prod(shape[1:]) for shape in (input_shape, *prepared)),
    )


def _activation_bytes(nodes: Sequence[Node], input_shape: Shape) -> int:
    trained = tuple(dropwhile(frozen, nodes))
    passing = layers(nodes[: len(nodes) - len(trained)])  # these keep nothing for a backward pass
    return _OUTPUT_BYTES * _largest(passing, input_shape) + _kept(trained)


def _largest(passing: Iterable[Layer], input_shape: Shape) -> int:
    """The elements of a layer's input and output, of the layer with the most; of the image if there are no layers."""
    return max((prod(layer.input_shape) + prod(layer.output_shape) for layer in passing), default=prod(input_shape))


def _kept(nodes: Sequence[Node], summed: bool = False) -> int:
    """Bytes that autograd keeps for a sequence. summed: its output goes into an addition, which keeps no input."""
    kept = 0
    for number, (node, in_place) in enumerate(zip(nodes, overwritable(nodes), strict=True), 1):
        following = nodes[number] if number < len(nodes) else None
        if isinstance(node, Sum):
            kept += _kept(node.body, summed=True) + _kept(node.shortcut, summed=True)
            node = node.add
        if node.op == "activation" and node.settings["name"] in _IN_PLACE and in_place:
            continue
        if following and not isinstance(following, Sum) and following.settings.get("name") == "tanh":
            continue  # tanh's gradient needs only its output
        size = _KEPT_BYTES[node.op]
        if node.op == "pool" and node.settings["kind"] == "average":
            size = 4
        if summed and following is None and node.op != "activation":
            size -= min(size, _OUTPUT_BYTES)
        kept += size * prod(node.output_shape)
    return kept
