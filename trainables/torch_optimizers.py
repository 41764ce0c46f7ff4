"""From an optimizer's configuration to torch's optimizer."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from trainables.config import OptimizerConfig
from trainables.matrices import MatrixOptimizer, as_matrix, kernels_of
from trainables.optimizers import DECAYED, OPTIMIZERS


def make_optimizer(
    config: OptimizerConfig, parameters: Iterable[Parameter], decayed: str = "all"
) -> Optimizer | MatrixOptimizer:
    """Torch's optimizer with the configuration's arguments, in torch's fastest implementation of it.

    decayed: which parameters weight decay pulls, a name in `DECAYED`. Raises SizeError for an optimizer of matrices
    when there are none.
    """
    entry, own = OPTIMIZERS[config.name], list(parameters)
    if entry.others is None:
        return _torchs(config, entry.keywords(config.arguments), own, [p.dim() for p in own], decayed)
    keywords = entry.keywords(config.arguments)
    others_lr, keep_norms = keywords.pop("others_lr"), keywords.pop("keep_norms")
    kernels = kernels_of(config.name, own)
    matrices = [as_matrix(kernel) for kernel in kernels]
    mine = {id(kernel) for kernel in kernels}
    others = make_optimizer(
        OptimizerConfig(entry.others, others_lr, config.weight_decay), [p for p in own if id(p) not in mine], decayed
    )
    assert isinstance(others, Optimizer)
    of_matrices = _torchs(config, keywords, matrices, [kernel.dim() for kernel in kernels], decayed)
    return MatrixOptimizer(kernels, matrices, of_matrices, others, keep_norms=bool(keep_norms))


def _torchs(
    config: OptimizerConfig, keywords: dict[str, Any], parameters: Sequence[Tensor], dims: Sequence[int], decayed: str
) -> Optimizer:
    """Torch's optimizer. dims: of the parameters, as the network has them."""
    entry = OPTIMIZERS[config.name]
    if entry.implementation is not None:
        keywords = {**keywords, entry.implementation: True}
    pulled = [DECAYED[decayed](dim) for dim in dims]
    groups: Any = parameters
    if config.weight_decay and not all(pulled):
        parts = {
            weight_decay: [
                parameter for parameter, is_pulled in zip(parameters, pulled, strict=True) if is_pulled is on
            ]
            for weight_decay, on in ((config.weight_decay, True), (0.0, False))
        }
        groups = [{"params": part, "weight_decay": weight_decay} for weight_decay, part in parts.items() if part]
    made: Optimizer = _eager(entry.torch_class)(groups, lr=config.lr, weight_decay=config.weight_decay, **keywords)
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
