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
from trainables.transforms import TRANSFORMS

SCHEDULES = ("constant", "cosine")
#: The largest batch size in images and the largest number of epochs; a larger one is a typing error.
MOST = 1_000_000


class ConfigError(HpsearchError):
    """Something that is not a configuration: one line with the rule, the value and what would be right."""


@dataclass(frozen=True)
class NetworkConfig:
    """A network by name; raises ConfigError for an unknown one."""

    name: str
    """A family's name, or `package.module:function`."""
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """The hyperparameters that are not left at their defaults: plain JSON values."""

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
    """How a network is trained; raises ConfigError for a value outside its bounds."""

    batch_size: int = 128
    """Images a step."""
    epochs: int | None = None
    """Epochs to the end, also the horizon of the cosine; None until a search gives its own."""
    label_smoothing: float = 0.0
    """The share of a label that is spread over all classes, below 1."""
    schedule: Literal["constant", "cosine"] = "constant"
    """How the learning rate changes."""
    augment: str | None = None
    """An augmentation preset (`PRESETS`); None until a search gives its own."""
    transforms: Mapping[str, float] = field(default_factory=dict)
    """The strengths of further transforms by name (`TRANSFORMS`), without those that are off."""

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
        for name, strength in self.transforms.items():
            _check_strength(name, strength)
        object.__setattr__(self, "transforms", {name: value for name, value in self.transforms.items() if value})

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "TrainingConfig":
        """What `to_json` returned, or a person wrote; raises ConfigError for an unknown name."""
        _object("training", data, optional=(*_PLAIN, *TRANSFORMS))
        strengths = {name: data[name] for name in TRANSFORMS if name in data}
        return cls(**{name: value for name, value in data.items() if name in _PLAIN}, transforms=strengths)

    def to_json(self) -> dict[str, Any]:
        """A flat object, in which a transform that is off is absent."""
        return {name: getattr(self, name) for name in _PLAIN} | dict(self.transforms)


#: The fields of `TrainingConfig` that its JSON has always.
_PLAIN = tuple(each.name for each in fields(TrainingConfig) if each.name != "transforms")


def _check_strength(name: str, strength: Any) -> None:
    if name not in TRANSFORMS:
        raise ConfigError(f"unknown transform '{name}'; known: {', '.join(TRANSFORMS)}")
    transform = TRANSFORMS[name]
    if transform.whole and not isinstance(strength, int):
        raise ConfigError(f"{name} must be a whole number from 0 to {transform.most:g}, got {strength!r}")
    _check_number(name, strength, least=0.0, most=transform.most)


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
        """The configuration with these names of its training's JSON changed; raises ConfigError."""
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
        """The configuration that `to_json` wrote, or a person; raises ConfigError on anything else."""
        parts = _object("a configuration", data, required=("network", "optimizer"), optional=("training",))
        network = dict(_object("network", parts["network"], required=("name",)))
        optimizer = dict(_object("optimizer", parts["optimizer"], required=("name", "lr")))
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
