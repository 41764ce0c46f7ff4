"""From an optimizer's configuration to torch's optimizer."""

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn import Parameter

from trainables.config import OPTIMIZERS, OptimizerConfig


def make_optimizer(config: OptimizerConfig, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
    """Torch's optimizer with the configuration's arguments; fused where torch has a fused kernel."""
    arguments: dict[str, Any] = OPTIMIZERS[config.name] | dict(config.arguments)
    arguments |= {"lr": config.lr, "weight_decay": config.weight_decay}
    match config.name:
        case "adam":
            betas = (arguments.pop("beta1"), arguments.pop("beta2"))
            return torch.optim.Adam(parameters, betas=betas, fused=True, **arguments)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, foreach=True, **arguments)
        case "adagrad":
            # The fused kernel exists on the CPU only.
            parameters = list(parameters)
            on_cpu = all(p.device.type == "cpu" for p in parameters)
            return torch.optim.Adagrad(parameters, fused=on_cpu, **arguments)
        case "sgd":
            return torch.optim.SGD(parameters, fused=True, **arguments)
    raise AssertionError(config.name)
