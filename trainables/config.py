"""A configuration: everything that decides a training run besides its data and its seed, as frozen dataclasses."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from architectures.errors import HpsearchError
from architectures.families import check_name
from trainables.augmentation import PRESETS
from trainables.optimizers import OPTIMIZERS

SCHEDULES = ("constant", "cosine")
#: Images a batch, and epochs: more is a slip of the pen.
MOST = 1_000_000


class ConfigError(HpsearchError):
    """Not a configuration: one line with the rule, the value and what would be right."""


@dataclass(frozen=True)
class NetworkConfig:
    """A family's name or `package.module:function`, and its hyperparameters (plain JSON values)."""

    name: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ConfigError(f"a network's name must be a string, got {self.name!r}")
        if "name" in self.hyperparameters:
            raise ConfigError(
                f"network '{self.name}' has a hyperparameter 'name', which is the network's own; rename it"
            )
        try:
            check_name(self.name)
            json.dumps(dict(self.hyperparameters), allow_nan=False)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        except TypeError as error:
            raise ConfigError(f"network '{self.name}' has a hyperparameter that is no plain JSON: {error}") from error


@dataclass(frozen=True)
class OptimizerConfig:
    """An optimizer and its numbers; raises ConfigError for a value outside its bounds."""

    name: str
    """One of `OPTIMIZERS`."""
    lr: float
    """Learning rate, above 0."""
    weight_decay: float = 0.0
    """Weight decay, at least 0."""
    arguments: Mapping[str, float] = field(default_factory=dict)
    """The optimizer's own arguments by name; those left out have torch's defaults."""

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZERS:
            raise ConfigError(f"unknown optimizer '{self.name}'; known: {', '.join(OPTIMIZERS)}")
        _check_number("lr", self.lr, above=0.0)
        _check_number("weight_decay", self.weight_decay, least=0.0)
        known = OPTIMIZERS[self.name].arguments
        for key, value in self.arguments.items():
            if key not in known:
                names = ", ".join(("lr", "weight_decay", *known))
                raise ConfigError(f"optimizer '{self.name}' has no argument '{key}'; known: {names}")
            _check_number(key, value, least=0.0, most=known[key].most, below=known[key].below)


@dataclass(frozen=True)
class TrainingConfig:
    """Batch size in images, epochs to the end, label smoothing, learning-rate schedule and augmentation preset.

    `epochs` is the horizon of the cosine too; None until a search gives it its own.
    """

    batch_size: int = 128
    epochs: int | None = None
    label_smoothing: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    augment: str | None = None

    def __post_init__(self) -> None:
        for key in ("batch_size", "epochs"):
            value = getattr(self, key)
            if value is None and key == "epochs":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
                raise ConfigError(f"{key} must be a whole number from 1 to {MOST:,}, got {value!r}")
        _check_number("label_smoothing", self.label_smoothing, least=0.0, below=1.0)
        if self.schedule not in SCHEDULES:
            raise ConfigError(f"unknown schedule '{self.schedule}'; known: {', '.join(SCHEDULES)}")
        if self.augment is not None and self.augment not in tuple(PRESETS):
            raise ConfigError(f"unknown augmentation '{self.augment}'; known: {', '.join(PRESETS)}")


@dataclass(frozen=True)
class Config:
    """One point of a space: network, optimizer, training. Equal configurations train alike."""

    network: NetworkConfig
    optimizer: OptimizerConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def with_defaults(self, *, epochs: int, augment: str) -> "Config":
        """The configuration with the search's epochs and augmentation where it has none of its own."""
        return self.with_training(
            epochs=self.training.epochs or epochs,
            augment=self.training.augment if self.training.augment is not None else augment,
        )

    def with_training(self, **changes: Any) -> "Config":
        """The configuration with these fields of its training changed."""
        return replace(self, training=replace(self.training, **changes))

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
            "training": {f.name: getattr(self.training, f.name) for f in fields(TrainingConfig)},
        }

    @classmethod
    def from_json(cls, data: Any) -> "Config":
        """The configuration that `to_json` wrote, or a person; raises ConfigError on anything else."""
        parts = _object("a configuration", data, required=("network", "optimizer"), optional=("training",))
        network = dict(_object("network", parts["network"], required=("name",)))
        optimizer = dict(_object("optimizer", parts["optimizer"], required=("name", "lr")))
        known = tuple(f.name for f in fields(TrainingConfig))
        training = _object("training", parts.get("training", {}), optional=known)
        for part in (network, optimizer):
            if not isinstance(part["name"], str):
                raise ConfigError(f"a name must be a string, got {part['name']!r}")
        return cls(
            network=NetworkConfig(network.pop("name"), network),
            optimizer=OptimizerConfig(
                optimizer.pop("name"), optimizer.pop("lr"), optimizer.pop("weight_decay", 0.0), optimizer
            ),
            training=TrainingConfig(**training),
        )


def _object(
    what: str, data: Any, *, required: tuple[str, ...] = (), optional: tuple[str, ...] | None = None
) -> Mapping[str, Any]:
    """Check a JSON object's keys; with `optional` None further keys are allowed."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{what} must be an object, got {type(data).__name__}")
    if missing := [key for key in required if key not in data]:
        raise ConfigError(f"{what} lacks '{missing[0]}'; it needs {', '.join(required)}")
    known = (*required, *(optional or ()))
    if optional is not None and (unknown := [key for key in data if key not in known]):
        raise ConfigError(f"{what} has no '{unknown[0]}'; known: {', '.join(known)}")
    return data


def _check_number(
    name: str,
    value: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    below: float | None = None,
) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise ConfigError(f"{name} must be a finite number, got {value!r}")
    if least is not None and value < least:
        raise ConfigError(f"{name} must be at least {least:g}, got {value!r}")
    if above is not None and value <= above:
        raise ConfigError(f"{name} must be above {above:g}, got {value!r}")
    if most is not None and value > most:
        raise ConfigError(f"{name} must be at most {most:g}, got {value!r}")
    if below is not None and value >= below:
        raise ConfigError(f"{name} must be below {below:g}, got {value!r}")
