"""The optimizers, as data: arguments with defaults and bounds, torch's class, and the size of its state.

An entry of `OPTIMIZERS` defines an optimizer completely. The check of a configuration, the tables' columns, the
forecast's memory and `trainables.torch_optimizers`, which makes the object, read it. Nothing here needs torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Argument:
    """A number that an optimizer takes besides its learning rate and weight decay; it is at least 0."""

    default: float
    """Torch's default, where torch has one that works."""
    most: float | None = None
    """The largest value that is allowed; None for that of all numbers of optimizers."""
    below: float | None = None
    """A bound that the value must not reach, or None."""
    above: float | None = None
    """A bound that the value must exceed, or None."""
    whole: bool = False
    """Whether it is a whole number."""


@dataclass(frozen=True)
class Optimizer:
    """All that the project knows of an optimizer."""

    torch_class: str
    """The name of its class in `torch.optim`."""
    arguments: Mapping[str, Argument]
    """Its own arguments by name."""
    state_tensors: int
    """How many tensors as large as the weights its state holds, at most."""
    implementation: str | None = "fused"
    """The keyword that selects torch's fastest implementation: "fused", "foreach" where torch has no fused one, or
    None where it has only one."""
    grouped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keywords of torch's class that take several arguments as one tuple: keyword to argument names."""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    """Keywords of torch's class that make it this optimizer."""
    others: str | None = None
    """For an optimizer that takes only matrices, the one of other parameters (see `trainables.matrices`)."""

    def keywords(self, given: Mapping[str, float]) -> dict[str, Any]:
        """Keyword arguments of torch's class: those given, and the defaults of the others."""
        values = {name: given.get(name, argument.default) for name, argument in self.arguments.items()}
        grouped = {keyword: tuple(values.pop(name) for name in names) for keyword, names in self.grouped.items()}
        return {**values, **grouped, **self.fixed}


_BETAS = {"beta1": Argument(0.9, below=1.0), "beta2": Argument(0.999, below=1.0)}
_GROUPED = {"betas": ("beta1", "beta2")}

OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer("Adam", _BETAS, state_tensors=2, grouped=_GROUPED),
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
    # Loshchilov and Hutter 2019: Adam whose weight decay is no part of the gradient.
    "adamw": Optimizer("AdamW", _BETAS, state_tensors=2, grouped=_GROUPED),
    # Dozat 2016: Adam with Nesterov's momentum, which grows with the steps at the rate of `momentum_decay`.
    "nadam": Optimizer(
        "NAdam",
        {**_BETAS, "momentum_decay": Argument(0.004)},
        state_tensors=2,
        implementation="foreach",
        grouped=_GROUPED,
    ),
    # Kingma and Ba 2015: Adam with the greatest gradient in place of the root of the mean square.
    "adamax": Optimizer("Adamax", _BETAS, state_tensors=2, implementation="foreach", grouped=_GROUPED),
    # Zeiler 2012. Its steps set their own size; 1 is the usual learning rate.
    "adadelta": Optimizer("Adadelta", {"rho": Argument(0.9, most=1.0)}, state_tensors=2, implementation="foreach"),
    "sgd_nesterov": Optimizer(
        "SGD", {"momentum": Argument(0.9, above=0.0, below=1.0)}, state_tensors=1, fixed={"nesterov": True}
    ),
    # Jordan et al. 2024: steps are matrices with singular values near 1. Norms, biases and the last matrix, which makes
    # the logits, have an AdamW with its own learning rate. `keep_norms` 1 scales each matrix back to its first norm
    # after every step, as the CIFAR speed records do.
    "muon": Optimizer(
        "Muon",
        {
            "momentum": Argument(0.95, below=1.0),
            "others_lr": Argument(0.002, above=0.0),
            "keep_norms": Argument(1, most=1, whole=True),
        },
        state_tensors=2,
        implementation=None,
        others="adamw",
    ),
}

#: The names of all optimizers' own arguments, each once: columns of the tables.
ARGUMENTS: tuple[str, ...] = tuple(dict.fromkeys(name for each in OPTIMIZERS.values() for name in each.arguments))

#: Which parameters have weight decay, by the number of their dimensions; norms and biases have one.
DECAYED: dict[str, Callable[[int], bool]] = {
    "all": lambda dimensions: True,
    "weights": lambda dimensions: dimensions > 1,
    "conv": lambda dimensions: dimensions > 2,
    "dense": lambda dimensions: dimensions == 2,
}
