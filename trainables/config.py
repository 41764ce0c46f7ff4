"""A configuration: everything that decides a training run besides its data and its seed, as frozen dataclasses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from architectures.errors import instead
from architectures.families import check_name
from trainables.optimizers import OPTIMIZERS
from trainables.rules import ConfigError, check_known, check_number, check_object
from trainables.training_config import TrainingConfig

__all__ = ["Config", "ConfigError", "NetworkConfig", "OptimizerConfig", "TrainingConfig", "with_tuples"]

# The largest number of an optimizer: torch refuses steps whose numbers float32 cannot hold.
_MOST = 1e30


def with_tuples(value: Any) -> Any:
    """A value with tuples in place of lists: JSON has no tuples, and values are compared with those read from it."""
    return tuple(map(with_tuples, value)) if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class NetworkConfig:
    """A network by name; raises ConfigError for an unknown one."""

    name: str
    """A family's name, or `package.module:function`."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """The given hyperparameters, as plain JSON values; the others have their defaults."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ConfigError(f"a network's name must be a string, got {self.name!r}")
        if "name" in self.hyperparameters:
            raise ConfigError(
                f"network '{self.name}' has a hyperparameter 'name', which is the network's own; rename it"
            )
        try:
            check_name(self.name)
            plain = json.loads(json.dumps(dict(self.hyperparameters), allow_nan=False))
        except ValueError as error:
            raise ConfigError(str(error)) from error
        except TypeError as error:
            raise ConfigError(f"network '{self.name}' has a hyperparameter that is not plain JSON: {error}") from error
        object.__setattr__(self, "hyperparameters", plain)  # the same as after reading it: lists, no tuples


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer and its arguments; raises ConfigError for a value outside its bounds."""

    name: str
    """One of `OPTIMIZERS`."""
    lr: float
    """Learning rate, above 0."""
    weight_decay: float = 0.0
    """Weight decay, at least 0."""
    arguments: Mapping[str, float] = field(default_factory=dict)
    """The optimizer's own arguments by name; those left out have their defaults."""

    def __post_init__(self) -> None:
        check_known("optimizer", self.name, OPTIMIZERS)
        check_number("lr", self.lr, above=0.0, most=_MOST)
        check_number("weight_decay", self.weight_decay, least=0.0, most=_MOST)
        known = OPTIMIZERS[self.name].arguments
        for key, value in self.arguments.items():
            if key not in known:
                names = ("lr", "weight_decay", *known)
                raise ConfigError(f"optimizer '{self.name}' has no argument '{key}'{instead(key, names)}")
            rule = known[key]
            least = 0.0 if rule.above is None else None
            most = _MOST if rule.most is None else rule.most
            check_number(key, value, least=least, above=rule.above, most=most, below=rule.below, whole=rule.whole)


@dataclass(frozen=True)
class Config:
    """One point of a space: network, optimizer, training. Equal configurations train alike."""

    network: NetworkConfig
    optimizer: OptimizerConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def with_defaults(self, *, epochs: int, augment: str) -> "Config":
        """The configuration with the search's epochs and augmentation if it has none of its own."""
        return self.with_training(
            epochs=self.training.epochs or epochs,
            augment=self.training.augment if self.training.augment is not None else augment,
        )

    def with_training(self, **changes: Any) -> "Config":
        """The configuration with these fields of its training's JSON changed; raises ConfigError."""
        return replace(self, training=TrainingConfig.of(self.training.to_json() | changes))

    def to_json(self) -> dict[str, Any]:
        """Plain data: three flat objects, `network`, `optimizer` and `training`."""
        return {
            "network": {"name": self.network.name, **self.network.hyperparameters},
            "optimizer": {
                "name": self.optimizer.name,
                "lr": self.optimizer.lr,
                "weight_decay": self.optimizer.weight_decay,
                **self.optimizer.arguments,
            },
            "training": self.training.to_json(),
        }

    @classmethod
    def from_json(cls, data: Any) -> "Config":
        """The configuration from JSON of `to_json` or of a user; raises ConfigError for anything else."""
        parts = check_object("a configuration", data, required=("network", "optimizer"), optional=("training",))
        network = dict(check_object("network", parts["network"], required=("name",)))
        optimizer = dict(check_object("optimizer", parts["optimizer"], required=("name", "lr")))
        for part in (network, optimizer):
            if not isinstance(part["name"], str):
                raise ConfigError(f"a name must be a string, got {part['name']!r}")
        return cls(
            network=NetworkConfig(network.pop("name"), network),
            optimizer=OptimizerConfig(
                optimizer.pop("name"), optimizer.pop("lr"), optimizer.pop("weight_decay", 0.0), optimizer
            ),
            training=TrainingConfig.of(parts.get("training", {})),
        )
