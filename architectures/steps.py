"""The single layers that networks are made of, as frozen data: each knows its output size and its cost."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from typing import Literal

from architectures.checks import check_choice, check_count, check_dropout, check_least
from architectures.layers import Layer, Node, Shape, SizeError

ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "gelu", "tanh")
POOLS = ("max", "average")

Pooling = Literal["max", "average"]

# Pixels. Networks for ImageNet halve their maps five times, and images below 16 pixels are too small to be enlarged.
_LEAST_PREPARED, _MOST_PREPARED = 32, 1024
_LEAST_ENLARGED = 16


def _maps(name: str, what: str, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise SizeError(f"{name} has a {what}, which needs maps (C, H, W), and gets {prod(shape):,} numbers")
    return shape[0], shape[1], shape[2]


def _moved(size: int, kernel: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel) // stride + 1


@dataclass(frozen=True)
class Prepare:
    """Images as weights from ImageNet expect them: three channels, square, with ImageNet's mean and deviation."""

    size: int
    """Side of the images that it returns, in pixels; others are resized."""

    def __post_init__(self) -> None:
        check_count("size", self.size, _LEAST_PREPARED, _MOST_PREPARED)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer; raises SizeError for images that are too small, or neither grey nor coloured."""
        channels, height, width = _maps(name, "preparation of images", shape)
        if min(height, width) < _LEAST_ENLARGED:
            raise SizeError(
                f"{name} enlarges images to {self.size}×{self.size} and takes none below "
                f"{_LEAST_ENLARGED}×{_LEAST_ENLARGED}, got {height}×{width}; use larger images (--image-size)"
            )
        if channels not in (1, 3):
            raise SizeError(f"{name} takes images of 1 or 3 channels, got {channels}")
        prepared = (3, self.size, self.size)
        yield Layer(name, "prepare", asdict(self), shape, prepared, 0, prod(prepared))


@dataclass(frozen=True, kw_only=True)
class Conv:
    """A convolution with a square kernel."""

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
    l2: float = 0.0
    """λ of the penalty λ·Σw² on its weights, without the biases."""

    def __post_init__(self) -> None:
        for name, least in (("channels", 1), ("kernel", 1), ("stride", 1), ("padding", 0)):
            check_count(f"a unit's {name}", getattr(self, name), least)
        check_least("l2", self.l2, 0.0)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer; raises SizeError where the map is too small for the kernel."""
        channels, height, width = _maps(name, "convolution", shape)
        kernel, padding = self.kernel, self.padding
        out = tuple(_moved(n, kernel, self.stride, padding) for n in (height, width))
        if min(out) < 1:
            raise SizeError(
                f"{name} gets a {height}×{width} map, too small for its {kernel}×{kernel} convolution with "
                f"padding {padding}: floor((n + 2·padding − kernel) / stride) + 1 must be at least 1; "
                "use larger images or a smaller kernel"
            )
        weights = channels * kernel**2 * self.channels
        settings = {"kernel": kernel, "stride": self.stride, "padding": padding, "bias": self.bias}
        parameters, flops = weights + self.channels * bool(self.bias), 2 * weights * prod(out)
        yield Layer(name, "conv", settings, shape, (self.channels, *out), parameters, flops, l2=self.l2)


@dataclass(frozen=True)
class Norm:
    """Batch norm over the channels of maps, or over the numbers of a vector."""

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer."""
        yield Layer(name, "norm", {}, shape, shape, 2 * shape[0], 2 * prod(shape), statistics=2 * shape[0])


@dataclass(frozen=True)
class Activation:
    """A nonlinearity without parameters."""

    name: str
    """One of `ACTIVATIONS`."""
    slope: float = 0.01
    """The leaky ReLU's slope for negative inputs, at least 0."""

    def __post_init__(self) -> None:
        check_choice("activation", self.name, ACTIVATIONS)
        check_least("an activation's slope", self.slope, 0.0)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer."""
        yield Layer(name, "activation", asdict(self), shape, shape, 0, prod(shape))


RELU = Activation("relu")


@dataclass(frozen=True)
class Pool:
    """Pooling over squares; by default it halves the map."""

    kind: Pooling
    """What it computes from each square."""
    kernel: int = 2
    """Side of the square, in pixels."""
    stride: int = 2
    """Step of the square, in pixels."""
    padding: int = 0
    """Border added on each side, in pixels; at most half the kernel."""

    def __post_init__(self) -> None:
        check_choice("pool", self.kind, POOLS)
        for name, least in (("kernel", 1), ("stride", 1), ("padding", 0)):
            check_count(f"a pool's {name}", getattr(self, name), least)
        check_count("a pool's padding", self.padding, 0, self.kernel // 2)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer; raises SizeError where the map is smaller than the square."""
        channels, height, width = _maps(name, "pooling", shape)
        out = tuple(_moved(n, self.kernel, self.stride, self.padding) for n in (height, width))
        if min(out) < 1:
            least = self.kernel - 2 * self.padding
            raise SizeError(
                f"{name} gets a {height}×{width} map to pool, and pooling by {self.kernel} needs at least "
                f"{least}×{least}; use larger images or fewer pooling units"
            )
        yield Layer(name, "pool", asdict(self), shape, (channels, *out), 0, prod(shape))


@dataclass(frozen=True)
class GlobalPool:
    """Pooling over the whole of each map: one number per channel."""

    kind: Pooling = "average"
    """What it computes from each map."""

    def __post_init__(self) -> None:
        check_choice("pool", self.kind, POOLS)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer."""
        channels, *_ = _maps(name, "global pooling", shape)
        yield Layer(name, "global_pool", asdict(self), shape, (channels,), 0, prod(shape))


@dataclass(frozen=True)
class Dropout:
    """Zeros each number with probability p while training."""

    p: float
    """The probability, in [0, 1)."""

    def __post_init__(self) -> None:
        check_dropout(self.p)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer."""
        yield Layer(name, "dropout", asdict(self), shape, shape, 0, prod(shape))


@dataclass(frozen=True)
class Flatten:
    """Maps (C, H, W) as one vector (H·W·C,)."""

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer."""
        yield Layer(name, "flatten", {}, shape, (prod(_maps(name, "flattening", shape)),))


@dataclass(frozen=True)
class Linear:
    """A matrix product and a bias: from one vector to another."""

    width: int
    """Size of its output."""
    l2: float = 0.0
    """λ of the penalty λ·Σw² on its weights, without the biases."""

    def __post_init__(self) -> None:
        check_count("a dense layer's width", self.width, 1)
        check_least("l2", self.l2, 0.0)

    def walk(self, name: str, shape: Shape) -> Iterator[Node]:
        """One layer; raises SizeError for maps."""
        if len(shape) != 1:
            raise SizeError(
                f"{name} has a dense layer, which needs a vector, and gets {'×'.join(map(str, shape))} maps"
            )
        weights = shape[0] * self.width
        yield Layer(name, "dense", {}, shape, (self.width,), weights + self.width, 2 * weights, l2=self.l2)
