"""What may be drawn: a space is a function of an Optuna trial that returns a configuration, or a finite list of them.

A function suggests flat names (`network`, `cnn6/width`, `optimizer`, `sgd/lr`, `batch_size`) and returns
`config_of(trial.params)`, which is the one place where names become a configuration.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from architectures.errors import HpsearchError
from architectures.families import FAMILIES, import_function
from architectures.spec import ACTIVATIONS
from trainables.config import Config, ConfigError, NetworkConfig, OptimizerConfig, TrainingConfig

Function = Callable[[optuna.Trial], Config]


class SpaceError(HpsearchError):
    """Not a space: one line with the rule, the value and what would be right."""


@dataclass(frozen=True)
class Space:
    """A named space: either `function`, or the finite list `configs` with the `lines` on which they stand."""

    name: str
    function: Function | None = None
    configs: tuple[Config, ...] = ()
    lines: tuple[int, ...] = ()


SPACES: dict[str, Function] = {}


def space(function: Function) -> Function:
    """Register a function as the space of its name; raises on a duplicate."""
    if function.__name__ in SPACES:
        raise ValueError(f"the space '{function.__name__}' exists already")
    SPACES[function.__name__] = function
    return function


def find_space(name: str) -> Space:
    """A built-in space, a JSON-lines file of configurations, or a user's `package.module:function`.

    Raises SpaceError for anything else.
    """
    if name in SPACES:
        return Space(name, SPACES[name])
    if name.endswith(".jsonl"):
        return _read_list(Path(name))
    if ":" in name:
        try:
            return Space(name, import_function(name))
        except ValueError as error:
            raise SpaceError(f"space: {error}") from error
    known = ", ".join(SPACES)
    raise SpaceError(f"unknown space '{name}'; known: {known}, a .jsonl file, or your own as package.module:function")


def config_of(params: Mapping[str, Any]) -> Config:
    """The configuration that flat names describe.

    `network` and `optimizer` name them; `<network>/…` are hyperparameters, `<optimizer>/…` the learning rate and
    arguments, `weight_decay` the optimizer's; the rest are `TrainingConfig`'s fields. Raises ConfigError.
    """
    rest = dict(params)
    for key in ("network", "optimizer"):
        if key not in rest:
            raise ConfigError(f"a draw needs '{key}', got only: {', '.join(params) or 'nothing'}")
    network, optimizer = rest.pop("network"), rest.pop("optimizer")
    own = {
        prefix: {key.split("/", 1)[1]: rest.pop(key) for key in list(rest) if key.startswith(f"{prefix}/")}
        for prefix in (network, optimizer)
    }
    arguments = own[optimizer]
    if "lr" not in arguments:
        raise ConfigError(f"a draw needs '{optimizer}/lr', got only: {', '.join(params)}")
    try:
        training = TrainingConfig(**{k: v for k, v in rest.items() if k != "weight_decay"})
    except TypeError as error:
        raise ConfigError(f"a draw has a name that is no part of a configuration: {error}") from error
    return Config(
        network=NetworkConfig(network, own[network]),
        optimizer=OptimizerConfig(optimizer, arguments.pop("lr"), rest.get("weight_decay", 0.0), arguments),
        training=training,
    )


def draw(function: Function, trial: optuna.Trial) -> Config:
    """Call a space; raises SpaceError when it fails or returns something else than a Config."""
    try:
        config = function(trial)
    except Exception as error:
        raise SpaceError(f"the space raised {type(error).__name__}: {error}") from error
    if not isinstance(config, Config):
        raise SpaceError(
            f"a space must return a trainables.config.Config (see search.spaces.config_of), got {type(config).__name__}"
        )
    return config


def write_list(space: Space) -> bytes:
    """A finite list as the JSON lines that `find_space` reads."""
    return "".join(json.dumps(config.to_json()) + "\n" for config in space.configs).encode()


def _read_list(path: Path) -> Space:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise SpaceError(f"cannot read the list {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpaceError(f"cannot read the list {path}: it is not UTF-8 text ({error})") from error
    configs: dict[int, Config] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            configs[number] = Config.from_json(json.loads(line, parse_constant=_refuse))
        except json.JSONDecodeError as error:
            raise SpaceError(f"{path}, line {number} is not JSON: {error.msg} at column {error.colno}") from error
        except (ValueError, RecursionError) as error:
            raise SpaceError(f"{path}, line {number} is not a configuration: {error}") from error
    if not configs:
        raise SpaceError(f"{path} holds no configuration; give one JSON object a line")
    return Space(str(path), configs=tuple(configs.values()), lines=tuple(configs))


def _refuse(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")


# ---- the built-in spaces


def _published_optimizer(trial: optuna.Trial, name: str) -> None:
    """The published ranges, exactly (Lopez 2024)."""
    match name:
        case "adam":
            trial.suggest_float("adam/lr", 1e-4, 1e-1)
        case "rmsprop":
            trial.suggest_float("rmsprop/lr", 1e-4, 1e-1, log=True)
        case "adagrad":
            trial.suggest_float("adagrad/lr", 1e-3, 1e-1, log=True)
        case "sgd":
            trial.suggest_float("sgd/lr", 1e-5, 1e-1, log=True)
    _optimizer_arguments(trial, name)


def _optimizer_arguments(trial: optuna.Trial, name: str) -> None:
    match name:
        case "adam":
            trial.suggest_float("adam/beta1", 0.8, 0.99999)
            trial.suggest_float("adam/beta2", 0.8, 0.99999999)
        case "rmsprop":
            trial.suggest_float("rmsprop/alpha", 0.8, 1.0)
            trial.suggest_float("rmsprop/momentum", 0.0, 0.5)
        case "adagrad":
            trial.suggest_float("adagrad/initial_accumulator_value", 0.0, 0.3)
            trial.suggest_float("adagrad/lr_decay", 0.0, 0.1)
        case "sgd":
            trial.suggest_float("sgd/momentum", 0.0, 0.4)
            trial.suggest_float("sgd/dampening", 0.0, 0.4)


@space
def cnn_published(trial: optuna.Trial) -> Config:
    """The published search: eight networks as they were, four optimizers with exactly their ranges, batch size 8."""
    trial.suggest_categorical("network", tuple(FAMILIES))
    _published_optimizer(trial, trial.suggest_categorical("optimizer", ("adam", "rmsprop", "adagrad", "sgd")))
    trial.suggest_categorical("batch_size", (8,))
    return config_of(trial.params)


def _family_draw(trial: optuna.Trial, name: str) -> Config:
    """A family with its hyperparameters, an optimizer on a log scale of learning rates, and how to train it."""
    trial.suggest_categorical(f"{name}/width", (0.25, 0.5, 0.75, 1.0))
    trial.suggest_categorical(f"{name}/activation", ("published", *ACTIVATIONS))
    trial.suggest_categorical(f"{name}/pool", ("published", "max", "average"))
    trial.suggest_categorical(f"{name}/norm", ("published", "everywhere", "none"))
    trial.suggest_float(f"{name}/conv_dropout", 0.0, 0.3)
    trial.suggest_float(f"{name}/head_dropout", 0.0, 0.5)
    optimizer = trial.suggest_categorical("optimizer", ("adam", "rmsprop", "adagrad", "sgd"))
    # The published ranges, except that every rate is drawn on a log scale and Adam's ends at 1e-2.
    low, high = {"adam": (1e-4, 1e-2), "rmsprop": (1e-4, 1e-1), "adagrad": (1e-3, 1e-1), "sgd": (1e-5, 1e-1)}[optimizer]
    trial.suggest_float(f"{optimizer}/lr", low, high, log=True)
    _optimizer_arguments(trial, optimizer)
    trial.suggest_float("weight_decay", 1e-6, 1e-3, log=True)
    trial.suggest_categorical("batch_size", (32, 64, 128, 256))
    trial.suggest_categorical("label_smoothing", (0.0, 0.1))
    trial.suggest_categorical("schedule", ("constant", "cosine"))
    return config_of(trial.params)


@space
def cnn_all(trial: optuna.Trial) -> Config:
    """All eight families with their hyperparameters, four optimizers, batch size, smoothing, decay and schedule."""
    return _family_draw(trial, trial.suggest_categorical("network", tuple(FAMILIES)))


def _family_space(name: str) -> Function:
    def function(trial: optuna.Trial) -> Config:
        return _family_draw(trial, trial.suggest_categorical("network", (name,)))

    function.__name__ = name
    function.__doc__ = f"The family {name} alone, with everything that cnn_all varies."
    return function


for _name in FAMILIES:
    space(_family_space(_name))


# ---- what a space holds, found by drawing from it


@dataclass(frozen=True)
class Parameter:
    """A parameter of a space: its distribution, and the choices of earlier parameters under which it is drawn."""

    name: str
    distribution: BaseDistribution
    conditions: tuple[tuple[str, tuple[Any, ...]], ...]


class _Explorer:
    """Draws at random and notes what was suggested; the part of an Optuna trial that a space uses."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        value = choices[int(self._rng.integers(len(choices)))]
        return self._note(name, CategoricalDistribution(choices), value)

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        value = low if step else float(self._rng.uniform(low, high))
        return self._note(name, FloatDistribution(low, high, log=log, step=step), value)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        value = int(self._rng.integers(low, high + 1))
        return self._note(name, IntDistribution(low, high, log=log, step=step), value - (value - low) % step)

    def _note(self, name: str, distribution: BaseDistribution, value: Any) -> Any:
        self.params[name] = value
        self.distributions[name] = distribution
        return value


def parameters(function: Function, draws: int = 2000) -> list[Parameter]:
    """Every parameter that a space draws, in the order of drawing, with conditions read off many random draws."""
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(draws):
        explorer = _Explorer(rng)
        draw(function, explorer)  # type: ignore[arg-type]
        seen.append(explorer)
    distributions: dict[str, BaseDistribution] = {}
    for explorer in seen:
        distributions |= {k: v for k, v in explorer.distributions.items() if k not in distributions}
    categorical = [name for name, d in distributions.items() if isinstance(d, CategoricalDistribution)]
    found = []
    for name, distribution in distributions.items():
        present = [e.params for e in seen if name in e.params]
        conditions = []
        for other in categorical:
            if other == name or len(present) == draws or not all(other in p for p in present):
                continue
            chosen = [p[other] for p in present]  # no set: a choice may be a list
            all_choices = distributions[other].choices  # type: ignore[attr-defined]
            kept = tuple(c for c in all_choices if c in chosen)
            if len(kept) < len(all_choices):
                conditions.append((other, kept))
        found.append(Parameter(name, distribution, tuple(conditions)))
    longest = max((list(e.params) for e in seen), key=len)
    order = {name: i for i, name in enumerate(longest)}
    return sorted(found, key=lambda p: order.get(p.name, len(order)))
