"""From an optimizer's configuration to torch's optimizer."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from architectures.tuning import Tuning
from trainables.config import OptimizerConfig
from trainables.optimizers import OPTIMIZERS


def make_optimizer(
    config: OptimizerConfig, parameters: Iterable[Parameter], tuned: Mapping[Parameter, Tuning] | None = None
) -> Optimizer:
    """Torch's optimizer with the configuration's arguments, in torch's fastest implementation of it.

    tuned: parameters that are trained in a way of their own. Frozen ones are left out.
    """
    entry = OPTIMIZERS[config.name]
    keywords: dict[str, Any] = {**entry.keywords(config.arguments), entry.implementation: True}
    groups: dict[Tuning, list[Parameter]] = {Tuning(): []}  # the ordinary ones first: their rate is the one reported
    for parameter in parameters:
        if parameter.requires_grad:
            groups.setdefault((tuned or {}).get(parameter, Tuning()), []).append(parameter)
    given = [
        {
            "params": group,
            "weight_decay": config.weight_decay + 2 * tuning.l2,
            **({"lr_factor": tuning.lr_factor} if tuned else {}),
        }
        for tuning, group in groups.items()
        if group
    ]
    made: Optimizer = _eager(entry.torch_class)(given, lr=config.lr, weight_decay=config.weight_decay, **keywords)
    return made


@cache
def _eager(name: str) -> Any:
    """The class of that name in `torch.optim`, without what torch wraps around its methods for `torch.compile`.

    The wrappers import the compiler when they are first called, which takes 3 seconds and 900 modules in every new
    worker, and nothing here is compiled. A method that torch does not wrap is taken as it is.
    """

    def plain(method: Callable[..., Any]) -> Callable[..., Any]:
        return getattr(method, "__wrapped__", method)

    base: type[Optimizer] = getattr(torch.optim, name)
    wrapped = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {method: plain(getattr(Optimizer, method)) for method in wrapped}
    return type(name, (base,), methods | {"step": torch.no_grad()(plain(base.step))})
