"""From the flat names that a space suggests (`network`, `cnn6/width`, `sgd/lr`, `batch_size`) to a configuration."""

from collections.abc import Mapping
from typing import Any

from trainables.config import Config, ConfigError, NetworkConfig, OptimizerConfig, TrainingConfig


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
