"""From an optimizer's configuration to torch's optimizer."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from trainables.config import OPTIMIZERS, OptimizerConfig


def _eager(base: type[Optimizer]) -> Any:
    """The optimizer's class without what torch wraps around its methods for `torch.compile`.

    Those wrappers import the compiler when first called, 3 seconds in every new worker and 900 modules in its memory,
    and interrupt nothing here, as nothing is compiled. Where torch wraps a method no more, it is taken as it is.
    """

    def plain(method: Callable[..., Any]) -> Callable[..., Any]:
        return getattr(method, "__wrapped__", method)

    wrapped = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {name: plain(getattr(Optimizer, name)) for name in wrapped}
    return type(base.__name__, (base,), methods | {"step": torch.no_grad()(plain(base.step))})


Adam, RMSprop = _eager(torch.optim.Adam), _eager(torch.optim.RMSprop)
Adagrad, SGD = _eager(torch.optim.Adagrad), _eager(torch.optim.SGD)


def make_optimizer(config: OptimizerConfig, parameters: Iterable[Parameter]) -> Optimizer:
    """Torch's optimizer with the configuration's arguments; fused where torch has a fused kernel."""
    arguments: dict[str, Any] = OPTIMIZERS[config.name] | dict(config.arguments)
    arguments |= {"lr": config.lr, "weight_decay": config.weight_decay}
    match config.name:
        case "adam":
            betas = (arguments.pop("beta1"), arguments.pop("beta2"))
            return Adam(parameters, betas=betas, fused=True, **arguments)
        case "rmsprop":
            return RMSprop(parameters, foreach=True, **arguments)
        case "adagrad":
            # The fused kernel exists on the CPU only.
            parameters = list(parameters)
            on_cpu = all(p.device.type == "cpu" for p in parameters)
            return Adagrad(parameters, fused=on_cpu, **arguments)
        case "sgd":
            return SGD(parameters, fused=True, **arguments)
    raise AssertionError(config.name)
