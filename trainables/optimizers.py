"""The optimizers, as data: arguments with defaults and bounds, torch's class, and the size of its state.

An entry of `OPTIMIZERS` is all that there is to an optimizer: the check of a configuration, the tables' columns, the
forecast's memory and `trainables.torch_optimizers`, which makes the object, all read it. Nothing here needs torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Argument:
    """A number that an optimizer takes besides its learning rate and weight decay; it is at least 0."""

    default: float
    """Torch's default."""
    most: float | None = None
    """The largest value that is allowed, or None."""
    below: float | None = None
    """A bound that the value must not reach, or None."""


@dataclass(frozen=True)
class Optimizer:
    """All that the project knows of an optimizer."""

    torch_class: str
    """The name of its class in `torch.optim`."""
    arguments: Mapping[str, Argument]
    """Its own arguments by name."""
    state_tensors: int
    """How many tensors as large as the weights its state holds, at most."""
    implementation: str = "fused"
    """The keyword that selects torch's fastest implementation: "fused", or "foreach" where torch has no fused one."""
    grouped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keywords of torch's class that take several arguments as one tuple: keyword to argument names."""

    def keywords(self, given: Mapping[str, float]) -> dict[str, float | tuple[float, ...]]:
        """Keyword arguments of torch's class: those given, and the defaults of the others."""
        values = {name: given.get(name, argument.default) for name, argument in self.arguments.items()}
        grouped = {keyword: tuple(values.pop(name) for name in names) for keyword, names in self.grouped.items()}
        return {**values, **grouped}


_BETAS = {"beta1": Argument(0.9, below=1.0), "beta2": Argument(0.999, below=1.0)}

OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer("Adam", _BETAS, state_tensors=2, grouped={"betas": ("beta1", "beta2")}),
    "rmsprop": Optimizer(
        "RMSprop",
        {"alpha": Argument(0.99, most=1.0), "momentum": Argument(0.0, most=1.0)},
        state_tensors=2,
        implementation="foreach",
    ),
    "sgd": Optimizer(
        "SGD", {"momentum": Argument(0.0, most=1.0), "dampening": Argument(0.0, most=1.0)}, state_tensors=1
    ),
    "adagrad": Optimizer(
        "Adagrad",
        {"initial_accumulator_value": Argument(0.0), "lr_decay": Argument(0.0, most=1.0)},
        state_tensors=1,
    ),
}

#: The names of all optimizers' own arguments, each once: columns of the tables.
ARGUMENTS: tuple[str, ...] = tuple(dict.fromkeys(name for each in OPTIMIZERS.values() for name in each.arguments))
