"""From the flat names that a space suggests (`network`, `cnn6/width`, `sgd/lr`, `batch_size`) to a configuration."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from architectures.families import FAMILIES
from trainables.config import Config, ConfigError, NetworkConfig, OptimizerConfig, TrainingConfig, with_tuples


def config_of(params: Mapping[str, Any]) -> Config:
    """The configuration that flat names describe.

    `network` and `optimizer` name them; `<network>/…` are hyperparameters, `<optimizer>/…` the learning rate and the
    arguments; `weight_decay` is the optimizer's, with or without its name as a prefix; the rest are what
    `TrainingConfig.of` reads. Raises ConfigError.
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
    weight_decay = arguments.pop("weight_decay", rest.pop("weight_decay", 0.0))
    return Config(
        network=NetworkConfig(network, own[network]),
        optimizer=OptimizerConfig(optimizer, arguments.pop("lr"), weight_decay, arguments),
        training=TrainingConfig.of(rest),
    )


def flat_names_of(config: Config) -> dict[str, Any]:
    """The flat names and values of a configuration, with its family's defaults: the inverse of `config_of`.

    The weight decay is given under both of its names. Sequences are tuples.
    """
    network, optimizer = config.network, config.optimizer
    defaults = FAMILIES[network.name].hyperparameters if network.name in FAMILIES else {}
    own = {**optimizer.arguments, "lr": optimizer.lr, "weight_decay": optimizer.weight_decay}
    named = {
        **config.to_json()["training"],
        "network": network.name,
        **{f"{network.name}/{key}": value for key, value in {**defaults, **network.hyperparameters}.items()},
        "optimizer": optimizer.name,
        "weight_decay": optimizer.weight_decay,
        **{f"{optimizer.name}/{key}": value for key, value in own.items()},
    }
    return {name: with_tuples(value) for name, value in named.items()}


def coordinates(draws: Iterable[Mapping[str, Any]]) -> Callable[[str], str]:
    """Gives each flat name the coordinate that it shares with others: `lr` for the learning rates of all optimizers.

    draws: flat names and values. If one of them has other values for two names with the same last part, as for
    `stage1/width` and `stage2/width`, each of these has a coordinate of its own, which is the whole name.
    """
    whole: set[str] = set()
    for params in draws:
        first: dict[str, str] = {}
        for name, value in params.items():
            other = first.setdefault(_last_part(name), name)
            if other != name and params[other] != value:
                whole |= {other, name}
    return lambda name: name if name in whole else _last_part(name)


def _last_part(name: str) -> str:
    return name.rpartition("/")[2]
