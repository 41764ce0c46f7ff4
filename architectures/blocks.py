"""What a network is: frozen dataclasses, and the walk that turns them into layers with sizes.

A plain CNN is a tuple of convolutional units and a head. `layers` follows an image through it, so the builder, the
cost model and the printed table all read one list, and an impossible size is caught here, before torch.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import prod
from typing import Any, Literal

from architectures.errors import HpsearchError

ACTIVATIONS = ("relu", "leaky_relu", "elu", "selu", "gelu", "tanh")

Shape = tuple[int, ...]
Step = Literal["norm", "activation", "pool", "dropout"]


class SizeError(HpsearchError):
    """A network that these images do not fit: names the unit, its input size and the rule."""


@dataclass(frozen=True)
class Activation:
    """A nonlinearity without parameters; `slope` is the leaky ReLU's for negative inputs."""

    name: str
    slope: float = 0.01

    def __post_init__(self) -> None:
        if self.name not in ACTIVATIONS:
            raise ValueError(f"unknown activation '{self.name}'; known: {', '.join(ACTIVATIONS)}")


RELU = Activation("relu")


def _check_count(what: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{what} must be a whole number of at least {least}, got {value!r}")


def _check_order(order: tuple[str, ...], steps: tuple[str, ...]) -> None:
    if sorted(order) != sorted(steps):
        raise ValueError(f"an order holds each of {', '.join(steps)} once, got {order}")


def _check_dropout(value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"dropout must lie in [0, 1), got {value}")


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A convolution and what follows it, in the given order. Pooling halves the map (kernel and stride 2)."""

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1
    bias: bool = True
    norm: bool = False
    activation: Activation | None = RELU
    pool: Literal["max", "average"] | None = None
    dropout: float = 0.0
    order: tuple[Step, ...] = ("norm", "activation", "pool", "dropout")

    def __post_init__(self) -> None:
        for name, least in (("channels", 1), ("kernel", 1), ("stride", 1), ("padding", 0)):
            _check_count(f"a unit's {name}", getattr(self, name), least)
        _check_order(self.order, ("norm", "activation", "pool", "dropout"))
        if self.pool not in (None, "max", "average"):
            raise ValueError(f"unknown pool '{self.pool}'; known: max, average")
        _check_dropout(self.dropout)


@dataclass(frozen=True, kw_only=True)
class Dense:
    """A hidden dense layer of the head and what follows it, in the given order."""

    width: int
    norm: bool = False
    activation: Activation | None = RELU
    dropout: float = 0.0
    order: tuple[Step, ...] = ("norm", "activation", "dropout")

    def __post_init__(self) -> None:
        _check_count("a dense layer's width", self.width, 1)
        _check_order(self.order, ("norm", "activation", "dropout"))
        _check_dropout(self.dropout)


@dataclass(frozen=True, kw_only=True)
class Head:
    """From maps to logits: flatten or average each map, dropout, hidden layers, and one logit a class."""

    pool: Literal["flatten", "global"] = "flatten"
    dropout: float = 0.0
    hidden: tuple[Dense, ...] = ()

    def __post_init__(self) -> None:
        if self.pool not in ("flatten", "global"):
            raise ValueError(f"unknown head pool '{self.pool}'; known: flatten, global")
        _check_dropout(self.dropout)


@dataclass(frozen=True, kw_only=True)
class CNN:
    """A plain convolutional network, for any image size, channel count and number of classes."""

    units: tuple[Unit, ...]
    head: Head = Head()
    kind: Literal["cnn"] = "cnn"


@dataclass(frozen=True)
class Layer:
    """One layer with its sizes for one image.

    `unit` is where it stands ("unit 3", "head 1", "head"), `op` what it does, `settings` what its constructor needs,
    `parameters` a count, `flops` the forward pass's floating-point operations (a multiply and an add are two).
    """

    unit: str
    op: Literal["conv", "norm", "activation", "pool", "global_pool", "dropout", "flatten", "dense"]
    settings: dict[str, Any]
    input_shape: Shape
    output_shape: Shape
    parameters: int = 0
    flops: int = 0


def layers(network: CNN, input_shape: Shape, num_classes: int) -> list[Layer]:
    """Every layer of the network for images (C, H, W); raises SizeError where a map would vanish."""
    found: list[Layer] = []
    shape = input_shape
    for number, unit in enumerate(network.units, 1):
        for layer in _unit_layers(f"unit {number}", unit, shape):
            found.append(layer)
            shape = layer.output_shape
    for layer in _head_layers(network.head, shape, num_classes):
        found.append(layer)
    return found


def _unit_layers(name: str, unit: Unit, shape: Shape) -> Iterator[Layer]:
    channels, height, width = shape
    out = tuple((n + 2 * unit.padding - unit.kernel) // unit.stride + 1 for n in (height, width))
    if min(out) < 1:
        raise SizeError(
            f"{name} gets a {height}×{width} map, too small for its {unit.kernel}×{unit.kernel} convolution with "
            f"padding {unit.padding}: floor((n + 2·padding − kernel) / stride) + 1 must be at least 1; "
            "use larger images or a smaller kernel"
        )
    weights = channels * unit.kernel**2 * unit.channels
    now: Shape = (unit.channels, *out)
    yield Layer(
        name,
        "conv",
        {"kernel": unit.kernel, "stride": unit.stride, "padding": unit.padding, "bias": unit.bias},
        shape,
        now,
        weights + unit.channels * unit.bias,
        2 * weights * prod(out),
    )
    for step in unit.order:
        for layer in _step(name, step, unit, now):
            yield layer
            now = layer.output_shape


def _head_layers(head: Head, shape: Shape, num_classes: int) -> Iterator[Layer]:
    if head.pool == "global":
        yield Layer("head", "global_pool", {}, shape, (shape[0],), 0, prod(shape))
        width = shape[0]
    else:
        width = prod(shape)
        yield Layer("head", "flatten", {}, shape, (width,))
    if head.dropout:
        yield Layer("head", "dropout", {"p": head.dropout}, (width,), (width,), 0, width)
    for number, dense in enumerate(head.hidden, 1):
        name = f"head {number}"
        yield _dense(name, width, dense.width)
        width = dense.width
        for step in dense.order:
            yield from _step(name, step, dense, (width,))
    yield _dense("head", width, num_classes)


def _dense(name: str, width: int, outputs: int) -> Layer:
    return Layer(name, "dense", {}, (width,), (outputs,), width * outputs + outputs, 2 * width * outputs)


def _step(name: str, step: str, part: Unit | Dense, shape: Shape) -> Iterator[Layer]:
    size = prod(shape)
    if step == "norm" and part.norm:
        yield Layer(name, "norm", {}, shape, shape, 2 * shape[0], 2 * size)
    elif step == "activation" and part.activation:
        yield Layer(name, "activation", asdict(part.activation), shape, shape, 0, size)
    elif step == "dropout" and part.dropout:
        yield Layer(name, "dropout", {"p": part.dropout}, shape, shape, 0, size)
    elif step == "pool" and isinstance(part, Unit) and part.pool:
        channels, height, width = shape
        if min(height, width) < 2:
            raise SizeError(
                f"{name} gets a {height}×{width} map to pool, and pooling by 2 needs at least 2×2; "
                "use larger images or fewer pooling units"
            )
        yield Layer(name, "pool", {"kind": part.pool}, shape, (channels, height // 2, width // 2), 0, size)
