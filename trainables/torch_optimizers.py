"""Makes torch's optimizer from its configuration."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from architectures.tuning import Tuning
from trainables.config import OptimizerConfig
from trainables.matrices import MatrixOptimizer, as_matrix, kernels_of
from trainables.optimizers import DECAYED, OPTIMIZERS


def make_optimizer(
    config: OptimizerConfig,
    parameters: Iterable[Parameter],
    decayed: str = "all",
    tuned: Mapping[Parameter, Tuning] | None = None,
) -> Optimizer | MatrixOptimizer:
    """Torch's optimizer with the configuration's arguments, in torch's fastest implementation of it.

    decayed: which parameters have weight decay, a name in `DECAYED`. tuned: parameters with a tuning of their own.
    Frozen parameters are left out. Raises SizeError if an optimizer of matrices gets none.
    """
    entry = OPTIMIZERS[config.name]
    own = [_Part(p, p.dim(), (tuned or {}).get(p, Tuning())) for p in parameters if p.requires_grad]
    keywords = entry.keywords(config.arguments)
    if entry.others is None:
        return _torchs(config, keywords, own, decayed)
    others_lr, keep_norms = keywords.pop("others_lr"), keywords.pop("keep_norms")
    kernels = kernels_of(config.name, [part.parameter for part in own])
    mine = {id(kernel) for kernel in kernels}
    parts = [replace(part, parameter=as_matrix(part.parameter)) for part in own if id(part.parameter) in mine]
    for_others = OptimizerConfig(entry.others, others_lr, config.weight_decay)
    others = [part for part in own if id(part.parameter) not in mine]
    return MatrixOptimizer(
        kernels,
        [part.parameter for part in parts],
        _torchs(config, keywords, parts, decayed),
        _torchs(for_others, OPTIMIZERS[entry.others].keywords({}), others, decayed),
        keep_norms=bool(keep_norms),
    )


@dataclass(frozen=True)
class _Part:
    """A parameter for an optimizer."""

    parameter: Parameter
    """What the optimizer changes: the network's parameter, or a kernel as a matrix."""
    dims: int
    """The number of dimensions of the network's parameter."""
    tuning: Tuning
    """How it is trained."""


def _torchs(config: OptimizerConfig, keywords: dict[str, Any], parts: Sequence[_Part], decayed: str) -> Optimizer:
    entry = OPTIMIZERS[config.name]
    if entry.implementation is not None:
        keywords = {**keywords, entry.implementation: True}
    groups: dict[tuple[float, float], list[Parameter]] = {}
    # The ordinary ones first: their rate is the one reported.
    for part in sorted(parts, key=lambda part: part.tuning != Tuning()):
        decay = config.weight_decay if DECAYED[decayed](part.dims) else 0.0
        how = (config.lr * part.tuning.lr_factor, decay + 2 * part.tuning.l2)
        groups.setdefault(how, []).append(part.parameter)
    given = [{"params": group, "lr": lr, "weight_decay": decay} for (lr, decay), group in groups.items()]
    made: Optimizer = _eager(entry.torch_class)(given, lr=config.lr, weight_decay=config.weight_decay, **keywords)
    made.register_load_state_dict_pre_hook(_on_host)
    return made


def _on_host(_: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
    """A state to load, with NAdam's `mu_product` as a number, of which torch makes a tensor on the host as before.

    Torch would move the tensor to the parameter's device, and every step would wait for it.
    """
    key = "mu_product"
    found = {number: of | {key: float(of[key])} if key in of else of for number, of in state["state"].items()}
    return state | {"state": found}


@cache
def _eager(name: str) -> Any:
    """The class of that name in `torch.optim`, without torch's wrappers around its methods for `torch.compile`.

    The wrappers import the compiler when they are first called, which takes 3 seconds and 900 modules in every new
    worker, and nothing here is compiled. A method that torch does not wrap is taken as it is.
    """

    def plain(method: Callable[..., Any]) -> Callable[..., Any]:
        return getattr(method, "__wrapped__", method)

    base: type[Optimizer] = getattr(torch.optim, name)
    wrapped = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")
    methods = {method: plain(getattr(Optimizer, method)) for method in wrapped}
    return type(name, (base,), methods | {"step": torch.no_grad()(plain(base.step))})
